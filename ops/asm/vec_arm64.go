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

func largest(x []float32) float32 {
	n := whole(len(x))
	return max(maxNEON(x[:n]), maxGeneric(x[n:]))
}

func expSum(x []float32, m float32) float64 {
	n := whole(len(x))
	return expSumNEON(x[:n], m) + expSumGeneric(x[n:], m)
}

func scale(dst, x []float32, s float32) {
	n := whole(len(x))
	copy(dst, x)
	scaleNEON(dst[:n], s)
	scaleGeneric(dst[n:], dst[n:], s)
}

// activation4 returns an activation by a kernel that takes multiples of 4
// elements.
func activation4(kernel func(dst, x, y []float32), f int) activationKernels {
	return activationKernels{
		apply: func(dst, x []float32) {
			n := len(x) &^ 3
			kernel(dst[:n], x[:n], nil)
			activateGeneric(f, dst[n:], x[n:])
		},
		gate: func(dst, x, y []float32) {
			n := len(x) &^ 3
			kernel(dst[:n], x[:n], y[:n])
			gateGeneric(f, dst[n:], x[n:], y[n:])
		},
	}
}
