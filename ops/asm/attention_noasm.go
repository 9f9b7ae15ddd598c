//go:build (!amd64 && !arm64) || purego

package asm

// MulPanels32 sets c = a*b for rows of a (lda apart) and panels of b (stride
// apart), k long: c[r*ldc+Lanes*p+l] = sum over i < k of a[r*lda+i]*b[p*stride+Lanes*i+l].
func MulPanels32(c, a []float32, b []float32, rows, k, panels, ldc, lda, stride int) {
	mulPanelsGeneric(c, a, b, rows, k, panels, ldc, lda, stride, widen32)
}

// MulPanels16 is MulPanels32 for panels in half precision.
func MulPanels16(c, a []float32, b []uint16, rows, k, panels, ldc, lda, stride int) {
	mulPanelsGeneric(c, a, b, rows, k, panels, ldc, lda, stride, widen16)
}

// Bias sets x[i] = x[i]*scale + (first+i)*slope and returns the largest.
func Bias(x []float32, scale, slope, first float32) float32 {
	return biasGeneric(x, scale, slope, first)
}

// Softcap sets x[i] = limit * tanh(x[i]*scale).
func Softcap(x []float32, scale, limit float32) {
	softcapGeneric(x, scale, limit)
}

// ScaleAdd sets x[i] = x[i]*a + y[i]*b.
func ScaleAdd(x, y []float32, a, b float32) {
	scaleAddGeneric(x, y, a, b)
}

// RotateHalves rotates the pairs (x[i], x[i+half]) of each head, where half is
// len(own)/2: x[j] = x[j]*own[j] + x[partner(j)]*other[j] for both of a pair.
func RotateHalves(x, own, other []float32, heads, headDim int) {
	rotateHalvesGeneric(x, own, other, heads, headDim)
}

// RotatePairs rotates the pairs (x[2i], x[2i+1]) of each head in the same way.
func RotatePairs(x, own, other []float32, heads, headDim int) {
	rotatePairsGeneric(x, own, other, heads, headDim)
}

// Spread16 is Spread32 in half precision.
func Spread16(dst []uint16, x []float32, stride int) { spread16Generic(dst, x, stride) }

// Scatter16 is Scatter32 in half precision.
func Scatter16(dst []uint16, x []float32) { scatter16Generic(dst, x) }
