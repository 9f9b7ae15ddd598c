//go:build !purego

package asm

func moments(x []float32) (mean, squares float64) {
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

func sumSquares(x []float32) float64 {
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

func normalize(dst, x, gain, bias []float32, c, scale, offset float32) {
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
	}
	return layerNormAVX2(dst, x, width, eps)
}

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
	}
	return rmsNormAVX2(dst, x, width, eps)
}
