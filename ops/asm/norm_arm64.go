//go:build !purego

package asm

import "unsafe"

// sumsNEON is sumsGeneric of rows of 64 elements, and of last unless it is nil.
//
//go:noescape
func sumsNEON(x *float32, rows int, last *float32, pivot float32) (sum, squares float64)

// squaresNEON is the second sum of sumsGeneric with pivot 0.
//
//go:noescape
func squaresNEON(x *float32, rows int, last *float32) float64

// normalizeNEON takes a multiple of 4 elements, an empty gain for ones, and an empty
// bias for zeros.
//
//go:noescape
func normalizeNEON(dst, x, gain, bias []float32, c, scale, offset float32)

func sums(x []float32, pivot float32) (sum, squares float64) {
	if !useNEON {
		return sumsGeneric(x, pivot)
	}
	var last [sumLanes]float32
	rows, rest := split(x, pivot, &last)
	return sumsNEON(unsafe.SliceData(x), rows, (*float32)(unsafe.Pointer(rest)), pivot)
}

func sumSquares(x []float32) float64 {
	if !useNEON {
		_, squares := sumsGeneric(x, 0)
		return squares
	}
	var last [sumLanes]float32
	rows, rest := split(x, 0, &last)
	return squaresNEON(unsafe.SliceData(x), rows, (*float32)(unsafe.Pointer(rest)))
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

func layerNormRows(_, x, _, _ []float32, width int, _ float64) (done int, sum, squares float64) {
	sum, squares = sums(x[:width], 0)
	return 0, sum, squares
}

func rmsNormRows(_, _, _, _ []float32, _ int, _ float64) int { return 0 }
