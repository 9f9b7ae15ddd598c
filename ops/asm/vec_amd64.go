//go:build !purego

package asm

// Max returns the largest x[i], -Inf if there is none. If one is NaN, the
// result is any of them.
func Max(x []float32) float32 {
	if useAVX512 {
		return maxAVX512(x)
	}
	if useAVX2 {
		return maxAVX2(x)
	}
	return maxGeneric(x)
}

// ExpSum sets x[i] = exp(x[i]-m) and returns the sum of the new x.
func ExpSum(x []float32, m float32) float64 {
	if useAVX512 {
		return expSumAVX512(x, m)
	}
	if useAVX2 {
		return expSumAVX2(x, m)
	}
	return expSumGeneric(x, m)
}

// Scale sets x[i] *= s.
func Scale(x []float32, s float32) {
	if useAVX512 {
		scaleAVX512(x, s)
		return
	}
	if useAVX2 {
		scaleAVX2(x, s)
		return
	}
	scaleGeneric(x, s)
}

// SiLU sets dst[i] = silu(x[i]) = x[i]/(1+exp(-x[i])). dst may be x.
func SiLU(dst, x []float32) {
	if useAVX512 {
		siluAVX512(dst, x)
		return
	}
	if useAVX2 {
		siluAVX2(dst, x)
		return
	}
	mapGeneric(dst, x, silu)
}

// SiLUMul sets dst[i] = silu(x[i]) = x[i]/(1+exp(-x[i])), times y[i]. dst may be x or y.
func SiLUMul(dst, x, y []float32) {
	if useAVX512 {
		siluMulAVX512(dst, x, y)
		return
	}
	if useAVX2 {
		siluMulAVX2(dst, x, y)
		return
	}
	mapMulGeneric(dst, x, y, silu)
}

// GELU sets dst[i] = gelu(x[i]), the tanh form. dst may be x.
func GELU(dst, x []float32) {
	if useAVX512 {
		geluAVX512(dst, x)
		return
	}
	if useAVX2 {
		geluAVX2(dst, x)
		return
	}
	mapGeneric(dst, x, gelu)
}

// GELUMul sets dst[i] = gelu(x[i]), the tanh form, times y[i]. dst may be x or y.
func GELUMul(dst, x, y []float32) {
	if useAVX512 {
		geluMulAVX512(dst, x, y)
		return
	}
	if useAVX2 {
		geluMulAVX2(dst, x, y)
		return
	}
	mapMulGeneric(dst, x, y, gelu)
}

// GELUErf sets dst[i] = x[i]*Phi(x[i]). dst may be x.
func GELUErf(dst, x []float32) {
	if useAVX512 {
		geluErfAVX512(dst, x)
		return
	}
	if useAVX2 {
		geluErfAVX2(dst, x)
		return
	}
	mapGeneric(dst, x, geluErf)
}

// GELUErfMul sets dst[i] = x[i]*Phi(x[i]), times y[i]. dst may be x or y.
func GELUErfMul(dst, x, y []float32) {
	if useAVX512 {
		geluErfMulAVX512(dst, x, y)
		return
	}
	if useAVX2 {
		geluErfMulAVX2(dst, x, y)
		return
	}
	mapMulGeneric(dst, x, y, geluErf)
}

// ReLU sets dst[i] = max(x[i], 0). dst may be x.
func ReLU(dst, x []float32) {
	if useAVX512 {
		reluAVX512(dst, x)
		return
	}
	if useAVX2 {
		reluAVX2(dst, x)
		return
	}
	mapGeneric(dst, x, relu)
}

// ReLUMul sets dst[i] = max(x[i], 0), times y[i]. dst may be x or y.
func ReLUMul(dst, x, y []float32) {
	if useAVX512 {
		reluMulAVX512(dst, x, y)
		return
	}
	if useAVX2 {
		reluMulAVX2(dst, x, y)
		return
	}
	mapMulGeneric(dst, x, y, relu)
}

// ReLU2 sets dst[i] = max(x[i], 0)^2. dst may be x.
func ReLU2(dst, x []float32) {
	if useAVX512 {
		relu2AVX512(dst, x)
		return
	}
	if useAVX2 {
		relu2AVX2(dst, x)
		return
	}
	mapGeneric(dst, x, relu2)
}

// ReLU2Mul sets dst[i] = max(x[i], 0)^2, times y[i]. dst may be x or y.
func ReLU2Mul(dst, x, y []float32) {
	if useAVX512 {
		relu2MulAVX512(dst, x, y)
		return
	}
	if useAVX2 {
		relu2MulAVX2(dst, x, y)
		return
	}
	mapMulGeneric(dst, x, y, relu2)
}
