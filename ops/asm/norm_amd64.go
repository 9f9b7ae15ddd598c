//go:build !purego

package asm

// SumSquares returns the sum of x[i]*x[i].
func SumSquares(x []float32) float32 {
	if useAVX2 {
		return sumSquaresAVX2(x)
	}
	return sumSquaresGeneric(x)
}
