package asm

import "math"

// The elementwise kernels, in float64. The vector versions differ from these
// by at most
//
//	exp      2 ulp (1.02 when every argument was tried)
//	silu     4 ulp
//	gelu     4 ulp + 3*|v|*2^-24 of the result, where it is x/(1+exp(-v))
//	geluErf  7 ulp (6.01 is the most that was seen)
//
// and by |x|*2^-149 for x < 0, where the exponential is below the normal
// numbers. NaN gives NaN, -Inf 0 and +Inf +Inf.

func maxGeneric(x []float32) float32 {
	m := float32(math.Inf(-1))
	for _, v := range x {
		m = max(m, v)
	}
	return m
}

// expSumGeneric is the definition of ExpSum.
func expSumGeneric(x []float32, m float32) float64 {
	var s float64
	for i, v := range x {
		x[i] = float32(math.Exp(float64(v - m)))
		s += float64(x[i])
	}
	return s
}

func scaleGeneric(x []float32, s float32) {
	for i := range x {
		x[i] *= s
	}
}

func silu(x float32) float32 { return float32(timesSigmoid(float64(x), float64(x))) }

// gelu is x/2 * (1 + tanh(u)) = x / (1 + exp(-2u)) with
// u = sqrt(2/pi) * (x + 0.044715*x^3).
func gelu(x float32) float32 {
	v := float64(x)
	return float32(timesSigmoid(v, geluArgument(v)))
}

func geluArgument(x float64) float64 { return 2 * math.Sqrt(2/math.Pi) * x * (1 + 0.044715*x*x) }

// timesSigmoid returns x / (1 + exp(-v)), 0 at -Inf.
func timesSigmoid(x, v float64) float64 {
	if math.IsInf(x, -1) {
		return 0
	}
	return x / (1 + math.Exp(-v))
}

func geluErf(x float32) float32 {
	if v := float64(x); !math.IsInf(v, -1) {
		return float32(0.5 * v * math.Erfc(-v/math.Sqrt2))
	}
	return 0
}

func relu(x float32) float32 { return max(x, 0) }

func relu2(x float32) float32 { x = max(x, 0); return x * x }

func mapGeneric(dst, x []float32, f func(float32) float32) {
	for i, v := range x {
		dst[i] = f(v)
	}
}

func mapMulGeneric(dst, x, y []float32, f func(float32) float32) {
	for i, v := range x {
		dst[i] = f(v) * y[i]
	}
}
