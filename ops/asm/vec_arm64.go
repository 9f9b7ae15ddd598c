//go:build !purego

package asm

// The elementwise kernels multiply by y unless it is empty.

//go:noescape
func siluNEON(dst, x, y []float32)

//go:noescape
func geluNEON(dst, x, y []float32)

//go:noescape
func geluErfNEON(dst, x, y []float32)

//go:noescape
func reluNEON(dst, x, y []float32)

//go:noescape
func relu2NEON(dst, x, y []float32)

//go:noescape
func scaleNEON(x []float32, s float32)

//go:noescape
func maxNEON(x []float32) float32

//go:noescape
func expSumNEON(x []float32, m float32) float64

// whole is how many elements the NEON kernels take of n: a multiple of 4. The
// definitions do the rest.
func whole(n int) int {
	if useNEON {
		return n &^ 3
	}
	return 0
}

// Max returns the largest x[i], -Inf if there is none. If one is NaN, the
// result is any of them.
func Max(x []float32) float32 {
	n := whole(len(x))
	return max(maxNEON(x[:n]), maxGeneric(x[n:]))
}

// ExpSum sets x[i] = exp(x[i]-m) and returns the sum of the new x.
func ExpSum(x []float32, m float32) float64 {
	n := whole(len(x))
	return expSumNEON(x[:n], m) + expSumGeneric(x[n:], m)
}

// Scale sets x[i] *= s.
func Scale(x []float32, s float32) {
	n := whole(len(x))
	scaleNEON(x[:n], s)
	scaleGeneric(x[n:], s)
}

// SiLU sets dst[i] = silu(x[i]) = x[i]/(1+exp(-x[i])). dst may be x.
func SiLU(dst, x []float32) {
	n := whole(len(x))
	siluNEON(dst[:n], x[:n], nil)
	mapGeneric(dst[n:], x[n:], silu)
}

// SiLUMul sets dst[i] = silu(x[i]) = x[i]/(1+exp(-x[i])), times y[i]. dst may be x or y.
func SiLUMul(dst, x, y []float32) {
	n := whole(len(x))
	siluNEON(dst[:n], x[:n], y[:n])
	mapMulGeneric(dst[n:], x[n:], y[n:], silu)
}

// GELU sets dst[i] = gelu(x[i]), the tanh form. dst may be x.
func GELU(dst, x []float32) {
	n := whole(len(x))
	geluNEON(dst[:n], x[:n], nil)
	mapGeneric(dst[n:], x[n:], gelu)
}

// GELUMul sets dst[i] = gelu(x[i]), the tanh form, times y[i]. dst may be x or y.
func GELUMul(dst, x, y []float32) {
	n := whole(len(x))
	geluNEON(dst[:n], x[:n], y[:n])
	mapMulGeneric(dst[n:], x[n:], y[n:], gelu)
}

// GELUErf sets dst[i] = x[i]*Phi(x[i]). dst may be x.
func GELUErf(dst, x []float32) {
	n := whole(len(x))
	geluErfNEON(dst[:n], x[:n], nil)
	mapGeneric(dst[n:], x[n:], geluErf)
}

// GELUErfMul sets dst[i] = x[i]*Phi(x[i]), times y[i]. dst may be x or y.
func GELUErfMul(dst, x, y []float32) {
	n := whole(len(x))
	geluErfNEON(dst[:n], x[:n], y[:n])
	mapMulGeneric(dst[n:], x[n:], y[n:], geluErf)
}

// ReLU sets dst[i] = max(x[i], 0). dst may be x.
func ReLU(dst, x []float32) {
	n := whole(len(x))
	reluNEON(dst[:n], x[:n], nil)
	mapGeneric(dst[n:], x[n:], relu)
}

// ReLUMul sets dst[i] = max(x[i], 0), times y[i]. dst may be x or y.
func ReLUMul(dst, x, y []float32) {
	n := whole(len(x))
	reluNEON(dst[:n], x[:n], y[:n])
	mapMulGeneric(dst[n:], x[n:], y[n:], relu)
}

// ReLU2 sets dst[i] = max(x[i], 0)^2. dst may be x.
func ReLU2(dst, x []float32) {
	n := whole(len(x))
	relu2NEON(dst[:n], x[:n], nil)
	mapGeneric(dst[n:], x[n:], relu2)
}

// ReLU2Mul sets dst[i] = max(x[i], 0)^2, times y[i]. dst may be x or y.
func ReLU2Mul(dst, x, y []float32) {
	n := whole(len(x))
	relu2NEON(dst[:n], x[:n], y[:n])
	mapMulGeneric(dst[n:], x[n:], y[n:], relu2)
}
