//go:build (!amd64 && !arm64) || purego

package asm

// Moments returns the mean of x and the sum of (x[i]-float32(mean))^2.
func Moments(x []float32) (mean, squares float64) { return momentsGeneric(x) }

// Squares returns the sum of x[i]*x[i].
func Squares(x []float32) float64 { return squaresGeneric(x) }

// Normalize sets dst[i] = ((x[i]-c)*scale + offset)*gain[i] + bias[i].
func Normalize(dst, x, gain, bias []float32, c, scale, offset float32) {
	normalizeGeneric(dst, x, gain, bias, c, scale, offset)
}

func layerNormRows(dst, x, gain, bias []float32, width int, eps float64) int { return 0 }
func rmsNormRows(dst, x, gain, bias []float32, width int, eps float64) int   { return 0 }
