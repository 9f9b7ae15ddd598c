//go:build !purego

package asm

import "math"

// MulRows is how many rows MulPanels takes side by side.
const MulRows = 4

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
func biasNEON(x []float32, slope, first float32)

//go:noescape
func exp2SumNEON(x []float32, top float32) (sum float64)

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

func mulPanels32(c, a, b []float32, rows, k, panels, ldc, lda, stride int) {
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

func mulPanels16(c, a []float32, b []uint16, rows, k, panels, ldc, lda, stride int) {
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

func bias(x []float32, slope, first float32) {
	n := whole(len(x))
	biasNEON(x[:n], slope, first)
	biasGeneric(x[n:], slope, first+float32(n))
}

func exp2Sums(x []float32, ld int, n []int, top []float32, sum []float64) {
	for r, n := range n {
		x, whole := x[r*ld:][:n], whole(n)
		top[r] = float32(math.RoundToEven(float64(largest(x))))
		sum[r] = exp2SumNEON(x[:whole], top[r]) + exp2SumGeneric(x[whole:], top[r])
	}
}

func softcap(x []float32, scale, limit float32) {
	n := whole(len(x))
	softcapNEON(x[:n], scale, limit)
	softcapGeneric(x[n:], scale, limit)
}

func scaleAdd(x, y []float32, a, b float32) {
	n := whole(len(x))
	scaleAddNEON(x[:n], y[:n], a, b)
	scaleAddGeneric(x[n:], y[n:], a, b)
}

func rotateHalves(x, own, other []float32, heads, headDim int) {
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

func rotatePairs(x, own, other []float32, heads, headDim int) {
	n := whole(len(own))
	for h := range heads {
		x := x[h*headDim:]
		rotatePairsNEON(x[:n], own, other)
		for i := n; i < len(own); i += 2 {
			rotate(x, own, other, i, i+1)
		}
	}
}

func spread16(dst []uint16, x []float32, stride int) {
	n := 0
	if useNEON {
		n = len(x) / PanelCols
		spread16NEON(dst, x[:n*PanelCols], stride)
	}
	if n*PanelCols < len(x) {
		spread16Generic(dst[n*stride:], x[n*PanelCols:], stride)
	}
}

func scatter16(dst []uint16, x []float32) {
	n := whole(len(x))
	scatter16NEON(dst, x[:n])
	if n < len(x) {
		scatter16Generic(dst[n*PanelCols:], x[n:])
	}
}
