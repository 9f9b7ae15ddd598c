package asm

import "math"

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

func silu(x float32) float32 {
	return float32(float64(x) / (1 + math.Exp(-float64(x))))
}

// gelu is x/2 * (1 + tanh(u)) written as x / (1 + exp(-2u)), which keeps its
// accuracy for negative x.
func gelu(x float32) float32 {
	v := float64(x)
	u := math.Sqrt(2/math.Pi) * v * (1 + 0.044715*v*v)
	return float32(v / (1 + math.Exp(-2*u)))
}

func geluErf(x float32) float32 {
	v := float64(x)
	return float32(0.5 * v * math.Erfc(-v/math.Sqrt2))
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
