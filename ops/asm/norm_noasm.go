//go:build !amd64 || purego

package asm

// DiffSum returns the sum of x[i]-c.
func DiffSum(x []float32, c float32) float64 { return diffSumGeneric(x, c) }

// DiffSquares returns the sum of (x[i]-c)*(x[i]-c).
func DiffSquares(x []float32, c float32) float64 { return diffSquaresGeneric(x, c) }

// AddDiffSum sets x[i] += y[i]-shift and returns the sum of x[i]-c.
func AddDiffSum(x, y []float32, shift, c float32) float64 { return addDiffSumGeneric(x, y, shift, c) }

// AddSquares sets x[i] += y[i]-shift and returns the sum of x[i]*x[i].
func AddSquares(x, y []float32, shift float32) float64 { return addSquaresGeneric(x, y, shift) }

// Normalize sets dst[i] = ((x[i]-c)*scale + offset)*gain[i] + bias[i].
func Normalize(dst, x, gain, bias []float32, c, scale, offset float32) {
	normalizeGeneric(dst, x, gain, bias, c, scale, offset)
}
