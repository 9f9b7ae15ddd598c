//go:build (!amd64 && !arm64) || purego

package asm

// Max returns the largest x[i], -Inf if there is none. If one is NaN, the
// result is any of them.
func Max(x []float32) float32 {
	return maxGeneric(x)
}

// ExpSum sets x[i] = exp(x[i]-m) and returns the sum of the new x.
func ExpSum(x []float32, m float32) float64 {
	return expSumGeneric(x, m)
}

// Scale sets x[i] *= s.
func Scale(x []float32, s float32) {
	scaleGeneric(x, s)
}

// SiLU sets dst[i] = silu(x[i]) = x[i]/(1+exp(-x[i])). dst may be x.
func SiLU(dst, x []float32) {
	mapGeneric(dst, x, silu)
}

// SiLUMul sets dst[i] = silu(x[i]) = x[i]/(1+exp(-x[i])), times y[i]. dst may be x or y.
func SiLUMul(dst, x, y []float32) {
	mapMulGeneric(dst, x, y, silu)
}

// GELU sets dst[i] = gelu(x[i]), the tanh form. dst may be x.
func GELU(dst, x []float32) {
	mapGeneric(dst, x, gelu)
}

// GELUMul sets dst[i] = gelu(x[i]), the tanh form, times y[i]. dst may be x or y.
func GELUMul(dst, x, y []float32) {
	mapMulGeneric(dst, x, y, gelu)
}

// GELUErf sets dst[i] = x[i]*Phi(x[i]). dst may be x.
func GELUErf(dst, x []float32) {
	mapGeneric(dst, x, geluErf)
}

// GELUErfMul sets dst[i] = x[i]*Phi(x[i]), times y[i]. dst may be x or y.
func GELUErfMul(dst, x, y []float32) {
	mapMulGeneric(dst, x, y, geluErf)
}

// ReLU sets dst[i] = max(x[i], 0). dst may be x.
func ReLU(dst, x []float32) {
	mapGeneric(dst, x, relu)
}

// ReLUMul sets dst[i] = max(x[i], 0), times y[i]. dst may be x or y.
func ReLUMul(dst, x, y []float32) {
	mapMulGeneric(dst, x, y, relu)
}

// ReLU2 sets dst[i] = max(x[i], 0)^2. dst may be x.
func ReLU2(dst, x []float32) {
	mapGeneric(dst, x, relu2)
}

// ReLU2Mul sets dst[i] = max(x[i], 0)^2, times y[i]. dst may be x or y.
func ReLU2Mul(dst, x, y []float32) {
	mapMulGeneric(dst, x, y, relu2)
}
