package engine

import "math"

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

// softcap squashes x to (-c, c) by c*tanh(x/c).
func softcap(x []float32, c float32) {
	for i, v := range x {
		x[i] = c * float32(math.Tanh(float64(v/c)))
	}
}
