//go:build !purego

package asm

func bias(x []float32, scale, slope, first float32) float32 {
	switch {
	case useAVX512:
		return biasAVX512(x, scale, slope, first)
	case useAVX2:
		return biasAVX2(x, scale, slope, first)
	}
	return biasGeneric(x, scale, slope, first)
}

func softcap(x []float32, scale, limit float32) {
	switch {
	case useAVX512:
		softcapAVX512(x, scale, limit)
	case useAVX2:
		softcapAVX2(x, scale, limit)
	default:
		softcapGeneric(x, scale, limit)
	}
}

func scaleAdd(x, y []float32, a, b float32) {
	switch {
	case useAVX512:
		scaleAddAVX512(x, y, a, b)
	case useAVX2:
		scaleAddAVX2(x, y, a, b)
	default:
		scaleAddGeneric(x, y, a, b)
	}
}

func rotateHalves(x, own, other []float32, heads, headDim int) {
	switch {
	case useAVX512:
		rotateHalvesAVX512(x, own, other, heads, headDim)
	case useAVX2:
		rotateHalvesAVX2(x, own, other, heads, headDim)
	default:
		rotateHalvesGeneric(x, own, other, heads, headDim)
	}
}

func rotatePairs(x, own, other []float32, heads, headDim int) {
	switch {
	case useAVX512:
		rotatePairsAVX512(x, own, other, heads, headDim)
	case useAVX2:
		rotatePairsAVX2(x, own, other, heads, headDim)
	default:
		rotatePairsGeneric(x, own, other, heads, headDim)
	}
}

func spread16(dst []uint16, x []float32, stride int) {
	n := 0
	if useAVX2 {
		n = len(x) / PanelCols
		spread16AVX2(dst, x[:n*PanelCols], stride)
	}
	if n*PanelCols < len(x) {
		spread16Generic(dst[n*stride:], x[n*PanelCols:], stride)
	}
}

func scatter16(dst []uint16, x []float32) {
	n := 0
	if useAVX2 {
		n = len(x) &^ 7
		scatter16AVX2(dst, x[:n])
	}
	if n < len(x) {
		scatter16Generic(dst[n*PanelCols:], x[n:])
	}
}
