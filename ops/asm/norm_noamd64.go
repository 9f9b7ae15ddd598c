//go:build !amd64 || purego

package asm

// SumSquares returns the sum of x[i]*x[i].
func SumSquares(x []float32) float32 { return sumSquaresGeneric(x) }
