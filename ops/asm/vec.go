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

// Max returns the largest x[i], -Inf if there is none. If one is NaN, the
// result is any of them.
func Max(x []float32) float32 { return largest(x) }

func maxGeneric(x []float32) float32 {
	m := float32(math.Inf(-1))
	for _, v := range x {
		m = max(m, v)
	}
	return m
}

// ExpSum sets x[i] = exp(x[i]-m) and returns the sum of the new x.
func ExpSum(x []float32, m float32) float64 { return expSum(x, m) }

// expSumGeneric is the definition of ExpSum.
func expSumGeneric(x []float32, m float32) float64 {
	var s float64
	for i, v := range x {
		x[i] = float32(math.Exp(float64(v - m)))
		s += float64(x[i])
	}
	return s
}

// Scale sets dst[i] = x[i]*s. dst may be x.
func Scale(dst, x []float32, s float32) { scale(dst[:len(x)], x, s) }

func scaleGeneric(dst, x []float32, s float32) {
	for i, v := range x {
		dst[i] = v * s
	}
}

// The activations: functions f of one element.
const (
	GELU    = iota // x/2 * (1 + tanh(sqrt(2/pi) * (x + 0.044715*x^3)))
	GELUErf        // x * Phi(x)
	SiLU           // x / (1 + exp(-x))
	ReLU           // max(x, 0)
	ReLU2          // max(x, 0)^2
	numActivations
)

// activationKernels are what a tier has for an activation.
type activationKernels struct {
	apply func(dst, x []float32)
	gate  func(dst, x, y []float32)
}

// Activate sets dst[i] = f(x[i]). dst may be x.
func Activate(f int, dst, x []float32) {
	if kernel := active.activations[f].apply; kernel != nil {
		kernel(dst, x)
		return
	}
	activateGeneric(f, dst, x)
}

// activateGeneric is the definition of Activate.
func activateGeneric(f int, dst, x []float32) {
	switch f { // of constants, so that each is inlined
	case GELU:
		mapGeneric(dst, x, gelu)
	case GELUErf:
		mapGeneric(dst, x, geluErf)
	case SiLU:
		mapGeneric(dst, x, silu)
	case ReLU:
		mapGeneric(dst, x, relu)
	case ReLU2:
		mapGeneric(dst, x, relu2)
	}
}

// Gate sets dst[i] = f(x[i]) * y[i]. dst may be x or y.
func Gate(f int, dst, x, y []float32) {
	if kernel := active.activations[f].gate; kernel != nil {
		kernel(dst, x, y)
		return
	}
	gateGeneric(f, dst, x, y)
}

// gateGeneric is the definition of Gate.
func gateGeneric(f int, dst, x, y []float32) {
	switch f {
	case GELU:
		mapMulGeneric(dst, x, y, gelu)
	case GELUErf:
		mapMulGeneric(dst, x, y, geluErf)
	case SiLU:
		mapMulGeneric(dst, x, y, silu)
	case ReLU:
		mapMulGeneric(dst, x, y, relu)
	case ReLU2:
		mapMulGeneric(dst, x, y, relu2)
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
