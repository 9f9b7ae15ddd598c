//go:build !purego

package asm

// The NEON kernels for panels take 4 rows or 1; the others a multiple of 4
// elements.

//go:noescape
func mulPanels32x4NEON(c, a, b []float32, k, panels, ldc, lda, stride int)

//go:noescape
func mulPanels32x1NEON(c, a, b []float32, k, panels, stride int)

//go:noescape
func mulPanels16x4NEON(c, a []float32, b []uint16, k, panels, ldc, lda, stride int)

//go:noescape
func mulPanels16x1NEON(c, a []float32, b []uint16, k, panels, stride int)

//go:noescape
func biasNEON(x []float32, scale, slope, first float32) float32

//go:noescape
func softcapNEON(x []float32, scale, limit float32)

//go:noescape
func scaleAddNEON(x, y []float32, a, b float32)

// rotateHalvesNEON rotates n pairs of one head; low and high are its halves.
//
//go:noescape
func rotateHalvesNEON(low, high, ownLow, ownHigh, otherLow, otherHigh []float32)

//go:noescape
func rotatePairsNEON(x, own, other []float32)

// spread16NEON takes whole panels.
//
//go:noescape
func spread16NEON(dst []uint16, x []float32, stride int)

//go:noescape
func scatter16NEON(dst []uint16, x []float32)

// MulPanels32 sets c = a*b for rows of a (lda apart) and panels of b (stride
// apart), k long: c[r*ldc+Lanes*p+l] = sum over i < k of a[r*lda+i]*b[p*stride+Lanes*i+l].
func MulPanels32(c, a, b []float32, rows, k, panels, ldc, lda, stride int) {
	if !useNEON {
		mulPanelsGeneric(c, a, b, rows, k, panels, ldc, lda, stride, widen32)
		return
	}
	r := 0
	for ; r+4 <= rows; r += 4 {
		mulPanels32x4NEON(c[r*ldc:], a[r*lda:], b, k, panels, ldc, lda, stride)
	}
	for ; r < rows; r++ {
		mulPanels32x1NEON(c[r*ldc:], a[r*lda:], b, k, panels, stride)
	}
}

// MulPanels16 is MulPanels32 for panels in half precision.
func MulPanels16(c, a []float32, b []uint16, rows, k, panels, ldc, lda, stride int) {
	if !useNEON {
		mulPanelsGeneric(c, a, b, rows, k, panels, ldc, lda, stride, widen16)
		return
	}
	r := 0
	for ; r+4 <= rows; r += 4 {
		mulPanels16x4NEON(c[r*ldc:], a[r*lda:], b, k, panels, ldc, lda, stride)
	}
	for ; r < rows; r++ {
		mulPanels16x1NEON(c[r*ldc:], a[r*lda:], b, k, panels, stride)
	}
}

// Bias sets x[i] = x[i]*scale + (first+i)*slope and returns the largest.
func Bias(x []float32, scale, slope, first float32) float32 {
	n := whole(len(x))
	return max(biasNEON(x[:n], scale, slope, first), biasGeneric(x[n:], scale, slope, first+float32(n)))
}

// Softcap sets x[i] = limit * tanh(x[i]*scale).
func Softcap(x []float32, scale, limit float32) {
	n := whole(len(x))
	softcapNEON(x[:n], scale, limit)
	softcapGeneric(x[n:], scale, limit)
}

// ScaleAdd sets x[i] = x[i]*a + y[i]*b.
func ScaleAdd(x, y []float32, a, b float32) {
	n := whole(len(x))
	scaleAddNEON(x[:n], y[:n], a, b)
	scaleAddGeneric(x[n:], y[n:], a, b)
}

// RotateHalves rotates the pairs (x[i], x[i+half]) of each head, where half is
// len(own)/2: x[j] = x[j]*own[j] + x[partner(j)]*other[j] for both of a pair.
func RotateHalves(x, own, other []float32, heads, headDim int) {
	half := len(own) / 2
	n := whole(half)
	for h := range heads {
		x := x[h*headDim:]
		rotateHalvesNEON(x[:n], x[half:], own, own[half:], other, other[half:])
		for i := n; i < half; i++ {
			rotate(x, own, other, i, i+half)
		}
	}
}

// RotatePairs rotates the pairs (x[2i], x[2i+1]) of each head in the same way.
func RotatePairs(x, own, other []float32, heads, headDim int) {
	n := whole(len(own))
	for h := range heads {
		x := x[h*headDim:]
		rotatePairsNEON(x[:n], own, other)
		for i := n; i < len(own); i += 2 {
			rotate(x, own, other, i, i+1)
		}
	}
}

// Spread16 is Spread32 in half precision.
func Spread16(dst []uint16, x []float32, stride int) {
	n := 0
	if useNEON {
		n = len(x) / Lanes
		spread16NEON(dst, x[:n*Lanes], stride)
	}
	if n*Lanes < len(x) {
		spread16Generic(dst[n*stride:], x[n*Lanes:], stride)
	}
}

// Scatter16 is Scatter32 in half precision.
func Scatter16(dst []uint16, x []float32) {
	n := whole(len(x))
	scatter16NEON(dst, x[:n])
	if n < len(x) {
		scatter16Generic(dst[n*Lanes:], x[n:])
	}
}
