package asm

// Sum returns the sum of x[i].
func Sum(x []float32) float64 { return sumGeneric(x) }

// SumSquares returns the sum of x[i]*x[i].
func SumSquares(x []float32) float64 { return sumSquaresGeneric(x) }

// CentredSums returns the sums of d and of d*d where d = x[i]-c.
func CentredSums(x []float32, c float32) (s, s2 float64) { return centredSumsGeneric(x, c) }

// AddSum sets x[i] += y[i]-shift and returns the sum of the new x.
func AddSum(x, y []float32, shift float32) float64 { return addSumGeneric(x, y, shift) }

// AddSumSquares sets x[i] += y[i]-shift and returns the sum of squares of the
// new x.
func AddSumSquares(x, y []float32, shift float32) float64 { return addSumSquaresGeneric(x, y, shift) }

// Normalize sets dst[i] = ((x[i]-c)*scale + offset)*gain[i] + bias[i].
func Normalize(dst, x, gain, bias []float32, c, scale, offset float32) {
	normalizeGeneric(dst, x, gain, bias, c, scale, offset)
}
