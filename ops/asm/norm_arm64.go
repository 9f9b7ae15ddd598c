//go:build !purego

package asm

// The NEON kernels take a multiple of 4 elements; what is left over is done
// by the definitions.

//go:noescape
func diffSumNEON(x []float32, c float32) float64

//go:noescape
func diffSquaresNEON(x []float32, c float32) float64

// normalizeNEON takes an empty gain for ones, and an empty bias for zeros.
//
//go:noescape
func normalizeNEON(dst, x, gain, bias []float32, c, scale, offset float32)

func moments(x []float32) (mean, squares float64) {
	if !useNEON {
		return momentsGeneric(x)
	}
	n := len(x) &^ 3
	sum := diffSumNEON(x[:n], x[0])
	for _, v := range x[n:] {
		sum += float64(v) - float64(x[0])
	}
	mean = float64(x[0]) + sum/float64(len(x))
	c := float32(mean)
	squares = diffSquaresNEON(x[:n], c)
	for _, v := range x[n:] {
		squares += (float64(v) - float64(c)) * (float64(v) - float64(c))
	}
	if inRange(squares) {
		return mean, squares
	}
	return momentsGeneric(x)
}

func sumSquares(x []float32) float64 {
	if !useNEON {
		return squaresGeneric(x)
	}
	n := len(x) &^ 3
	if s := diffSquaresNEON(x[:n], 0) + squaresGeneric(x[n:]); inRange(s) {
		return s
	}
	return squaresGeneric(x)
}

func normalize(dst, x, gain, bias []float32, c, scale, offset float32) {
	n := 0
	if useNEON && (gain != nil || bias == nil) {
		n = len(x) &^ 3
		normalizeNEON(dst[:n], x[:n], head(gain, n), head(bias, n), c, scale, offset)
	}
	normalizeGeneric(dst[n:], x[n:], tail(gain, n), tail(bias, n), c, scale, offset)
}

// head is x[:n], nil if x is.
func head(x []float32, n int) []float32 { return x[:min(n, len(x))] }

// tail is x[n:], nil if x is.
func tail(x []float32, n int) []float32 { return x[min(n, len(x)):] }

func layerNormRows(_, _, _, _ []float32, _ int, _ float64) int { return 0 }

func rmsNormRows(_, _, _, _ []float32, _ int, _ float64) int { return 0 }
