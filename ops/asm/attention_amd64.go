//go:build !purego

package asm

// MulRows is how many rows MulPanels takes side by side.
const MulRows = 6

func mulPanels32(c, a, b []float32, rows, k, panels, ldc, lda, stride int) {
	if !useAVX2 {
		mulPanelsGeneric(c, a, b, rows, k, panels, ldc, lda, stride, widen32)
		return
	}
	for r := 0; r < rows; r += MulRows {
		c, a, n := c[r*ldc:], a[r*lda:], min(MulRows, rows-r)
		if useAVX512 {
			mulPanels32AVX512(c, a, b, n, k, panels, ldc, lda, stride)
		} else {
			mulPanels32AVX2(c, a, b, n, k, panels, ldc, lda, stride)
		}
	}
}

func mulPanels16(c, a []float32, b []uint16, rows, k, panels, ldc, lda, stride int) {
	if !useAVX2 {
		mulPanelsGeneric(c, a, b, rows, k, panels, ldc, lda, stride, widen16)
		return
	}
	for r := 0; r < rows; r += MulRows {
		c, a, n := c[r*ldc:], a[r*lda:], min(MulRows, rows-r)
		if useAVX512 {
			mulPanels16AVX512(c, a, b, n, k, panels, ldc, lda, stride)
		} else {
			mulPanels16AVX2(c, a, b, n, k, panels, ldc, lda, stride)
		}
	}
}

func bias(x []float32, slope, first float32) {
	switch {
	case useAVX512:
		biasAVX512(x, slope, first)
	case useAVX2:
		biasAVX2(x, slope, first)
	default:
		biasGeneric(x, slope, first)
	}
}

func exp2Sums(x []float32, ld int, n []int, top []float32, sum []float64) {
	switch {
	case useAVX512:
		exp2SumsAVX512(x, ld, n, top, sum)
	case useAVX2:
		exp2SumsAVX2(x, ld, n, top, sum)
	default:
		exp2SumsGeneric(x, ld, n, top, sum)
	}
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
