//go:build !purego

package asm

// Moments returns the mean of x and the sum of (x[i]-float32(mean))^2. x must
// not be empty.
func Moments(x []float32) (mean, squares float64) {
	switch {
	case useAVX512:
		mean, squares = momentsAVX512(x)
	case useAVX2:
		mean, squares = momentsAVX2(x)
	}
	if inRange(squares) {
		return mean, squares
	}
	return momentsGeneric(x)
}

// Squares returns the sum of x[i]*x[i].
func Squares(x []float32) float64 {
	var s float64
	switch {
	case useAVX512:
		s = squaresAVX512(x)
	case useAVX2:
		s = squaresAVX2(x)
	}
	if inRange(s) {
		return s
	}
	return squaresGeneric(x)
}

// Normalize sets dst[i] = ((x[i]-c)*scale + offset)*gain[i] + bias[i]. A nil
// gain is 1, a nil bias 0; otherwise their length is len(x), as is len(dst).
// dst may be x.
func Normalize(dst, x, gain, bias []float32, c, scale, offset float32) {
	switch {
	case !useAVX2 || gain == nil && bias != nil:
		normalizeGeneric(dst, x, gain, bias, c, scale, offset)
	case useAVX512 && bias != nil:
		normalizeGainBiasAVX512(dst, x, gain, bias, c, scale, offset)
	case useAVX512 && gain != nil:
		normalizeGainAVX512(dst, x, gain, c, scale, offset)
	case useAVX512:
		normalizeAVX512(dst, x, c, scale, offset)
	case bias != nil:
		normalizeGainBiasAVX2(dst, x, gain, bias, c, scale, offset)
	case gain != nil:
		normalizeGainAVX2(dst, x, gain, c, scale, offset)
	default:
		normalizeAVX2(dst, x, c, scale, offset)
	}
}

// layerNormRows is LayerNorm for the first rows of x that float32 sums hold,
// and tells how many these are.
func layerNormRows(dst, x, gain, bias []float32, width int, eps float64) int {
	switch {
	case !useAVX2 || gain == nil && bias != nil:
		return 0
	case useAVX512 && bias != nil:
		return layerNormGainBiasAVX512(dst, x, gain, bias, width, eps)
	case useAVX512 && gain != nil:
		return layerNormGainAVX512(dst, x, gain, width, eps)
	case useAVX512:
		return layerNormAVX512(dst, x, width, eps)
	case bias != nil:
		return layerNormGainBiasAVX2(dst, x, gain, bias, width, eps)
	case gain != nil:
		return layerNormGainAVX2(dst, x, gain, width, eps)
	default:
		return layerNormAVX2(dst, x, width, eps)
	}
}

// rmsNormRows is the like for RMSNorm.
func rmsNormRows(dst, x, gain, bias []float32, width int, eps float64) int {
	switch {
	case !useAVX2 || gain == nil && bias != nil:
		return 0
	case useAVX512 && bias != nil:
		return rmsNormGainBiasAVX512(dst, x, gain, bias, width, eps)
	case useAVX512 && gain != nil:
		return rmsNormGainAVX512(dst, x, gain, width, eps)
	case useAVX512:
		return rmsNormAVX512(dst, x, width, eps)
	case bias != nil:
		return rmsNormGainBiasAVX2(dst, x, gain, bias, width, eps)
	case gain != nil:
		return rmsNormGainAVX2(dst, x, gain, width, eps)
	default:
		return rmsNormAVX2(dst, x, width, eps)
	}
}
