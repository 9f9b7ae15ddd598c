//go:build !purego

package asm

const tileRows = 6 // of a tile of the kernels, at most

// MulPanels32 sets c = a*b for rows of a (lda apart) and panels of b (stride
// apart), k long: c[r*ldc+Lanes*p+l] = sum over i < k of a[r*lda+i]*b[p*stride+Lanes*i+l].
func MulPanels32(c, a []float32, b []float32, rows, k, panels, ldc, lda, stride int) {
	if useAVX2 {
		for r := 0; r < rows; r += tileRows {
			c, a, n := c[r*ldc:], a[r*lda:], min(tileRows, rows-r)
			if useAVX512 {
				mulPanels32AVX512(c, a, b, n, k, panels, ldc, lda, stride)
			} else {
				mulPanels32AVX2(c, a, b, n, k, panels, ldc, lda, stride)
			}
		}
		return
	}
	mulPanelsGeneric(c, a, b, rows, k, panels, ldc, lda, stride, widen32)
}

// MulPanels16 is MulPanels32 for panels in half precision.
func MulPanels16(c, a []float32, b []uint16, rows, k, panels, ldc, lda, stride int) {
	if useAVX2 {
		for r := 0; r < rows; r += tileRows {
			c, a, n := c[r*ldc:], a[r*lda:], min(tileRows, rows-r)
			if useAVX512 {
				mulPanels16AVX512(c, a, b, n, k, panels, ldc, lda, stride)
			} else {
				mulPanels16AVX2(c, a, b, n, k, panels, ldc, lda, stride)
			}
		}
		return
	}
	mulPanelsGeneric(c, a, b, rows, k, panels, ldc, lda, stride, widen16)
}

// Bias sets x[i] = x[i]*scale + (first+i)*slope and returns the largest.
func Bias(x []float32, scale, slope, first float32) float32 {
	if useAVX512 {
		return biasAVX512(x, scale, slope, first)
	}
	if useAVX2 {
		return biasAVX2(x, scale, slope, first)
	}
	return biasGeneric(x, scale, slope, first)
}

// Softcap sets x[i] = limit * tanh(x[i]*scale).
func Softcap(x []float32, scale, limit float32) {
	if useAVX512 {
		softcapAVX512(x, scale, limit)
		return
	}
	if useAVX2 {
		softcapAVX2(x, scale, limit)
		return
	}
	softcapGeneric(x, scale, limit)
}

// ScaleAdd sets x[i] = x[i]*a + y[i]*b.
func ScaleAdd(x, y []float32, a, b float32) {
	if useAVX512 {
		scaleAddAVX512(x, y, a, b)
		return
	}
	if useAVX2 {
		scaleAddAVX2(x, y, a, b)
		return
	}
	scaleAddGeneric(x, y, a, b)
}

// RotateHalves rotates the pairs (x[i], x[i+half]) of each head, where half is
// len(own)/2: x[j] = x[j]*own[j] + x[partner(j)]*other[j] for both of a pair.
func RotateHalves(x, own, other []float32, heads, headDim int) {
	if useAVX512 {
		rotateHalvesAVX512(x, own, other, heads, headDim)
		return
	}
	if useAVX2 {
		rotateHalvesAVX2(x, own, other, heads, headDim)
		return
	}
	rotateHalvesGeneric(x, own, other, heads, headDim)
}

// RotatePairs rotates the pairs (x[2i], x[2i+1]) of each head in the same way.
func RotatePairs(x, own, other []float32, heads, headDim int) {
	if useAVX512 {
		rotatePairsAVX512(x, own, other, heads, headDim)
		return
	}
	if useAVX2 {
		rotatePairsAVX2(x, own, other, heads, headDim)
		return
	}
	rotatePairsGeneric(x, own, other, heads, headDim)
}

// Spread16 is Spread32 in half precision.
func Spread16(dst []uint16, x []float32, stride int) {
	n := 0
	if useAVX2 {
		n = len(x) / Lanes
		spread16AVX2(dst, x[:n*Lanes], stride)
	}
	if n*Lanes < len(x) {
		spread16Generic(dst[n*stride:], x[n*Lanes:], stride)
	}
}

// Scatter16 is Scatter32 in half precision.
func Scatter16(dst []uint16, x []float32) {
	n := 0
	if useAVX2 {
		n = len(x) &^ 7
		scatter16AVX2(dst, x[:n])
	}
	if n < len(x) {
		scatter16Generic(dst[n*Lanes:], x[n:])
	}
}
