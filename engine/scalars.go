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

// softcap squashes x to (-c, c) by c*tanh(x/c).
func softcap(x []float32, c float32) {
	for i, v := range x {
		x[i] = c * float32(math.Tanh(float64(v/c)))
	}
}
