package engine

import (
	"math"

	"github.com/normswap/normswap/arch"
)

// scale multiplies x by c.
func scale(x []float32, c float32) {
	for i := range x {
		x[i] *= c
	}
}

// clamp limits x to [-c, c].
func clamp(x []float32, c float32) {
	for i, v := range x {
		x[i] = min(max(v, -c), c)
	}
}

// clampedSiLU sets gate to min(gate, c) * sigmoid(a * min(gate, c)) * (up + 1),
// with up limited to [-c, c] (OpenAI, gpt-oss).
func clampedSiLU(gate, up []float32) {
	const a, c = 1.702, 7
	for i, g := range gate {
		x, u := float64(min(g, c)), float64(min(max(up[i], -c), c))
		gate[i] = float32(x / (1 + math.Exp(-a*x)) * (u + 1))
	}
}

// xielu applies the activation xIELU.
func xielu(x []float32, s *arch.XIELUShape) {
	p, n, beta, eps := float64(s.P), float64(s.N), float64(s.Beta), float64(s.Eps)
	for i, v := range x {
		if v := float64(v); v > 0 {
			x[i] = float32(p*v*v + beta*v)
		} else {
			x[i] = float32((math.Expm1(min(v, eps))-v)*n + beta*v)
		}
	}
}

// softcap squashes x to (-c, c) by c*tanh(x/c).
func softcap(x []float32, c float32) {
	for i, v := range x {
		x[i] = c * float32(math.Tanh(float64(v/c)))
	}
}
