//go:build !purego

package asm

import "unsafe"

func sums(x []float32, pivot float32) (sum, squares float64) {
	var last [sumLanes]float32
	rows, rest := split(x, pivot, &last)
	switch {
	case useAVX512:
		return sumsAVX512(unsafe.SliceData(x), rows, (*float32)(unsafe.Pointer(rest)), pivot)
	case useAVX2:
		return sumsAVX2(unsafe.SliceData(x), rows, (*float32)(unsafe.Pointer(rest)), pivot)
	}
	return sumsGeneric(x, pivot)
}

func sumSquares(x []float32) float64 {
	var last [sumLanes]float32
	rows, rest := split(x, 0, &last)
	switch {
	case useAVX512:
		return squaresAVX512(unsafe.SliceData(x), rows, (*float32)(unsafe.Pointer(rest)))
	case useAVX2:
		return squaresAVX2(unsafe.SliceData(x), rows, (*float32)(unsafe.Pointer(rest)))
	}
	_, squares := sumsGeneric(x, 0)
	return squares
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

func layerNormRows(dst, x, gain, bias []float32, width int, eps float64) (done int, sum, squares float64) {
	switch {
	case !useAVX2 || gain == nil && bias != nil || width%sumLanes != 0:
		sum, squares = sums(x[:width], 0)
		return 0, sum, squares
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
	case !useAVX2 || gain == nil && bias != nil || width%sumLanes != 0:
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
