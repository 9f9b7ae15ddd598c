package asm

// MulPanels32 sets c = a*b for rows of a (lda apart) and panels of b (stride
// apart): c[r*ldc+Lanes*p+l] = sum over i < k of a[r*lda+i]*b[p*stride+Lanes*i+l].
func MulPanels32(c, a, b []float32, rows, k, panels, ldc, lda, stride int) {
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

// ScaleAdd sets x[i] = x[i]*a + y[i]*b.
func ScaleAdd(x, y []float32, a, b float32) { scaleAddGeneric(x, y, a, b) }

// Softcap sets x[i] = limit * tanh(x[i]*scale).
func Softcap(x []float32, scale, limit float32) { softcapGeneric(x, scale, limit) }
