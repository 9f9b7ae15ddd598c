//go:build !purego

package asm

import "unsafe"

// transposeNEON takes multiples of four rows and columns, at least four.
//
//go:noescape
func transposeNEON(dst, src *uint32, stride, rows, cols int, flip uint32)

func transpose4(dst, src []uint32, stride, rows, cols int, flip uint32) {
	if rows < 4 || cols < 4 {
		transposeGeneric(dst, src, stride, rows, cols, flip)
		return
	}
	n := cols &^ 3
	transposeNEON(&dst[0], &src[0], stride, rows&^3, n, flip)
	for c := range n {
		for r := rows &^ 3; r < PanelRows; r++ {
			dst[c*PanelRows+r] = flip
			if r < rows {
				dst[c*PanelRows+r] ^= src[r*stride+c]
			}
		}
	}
	transposeGeneric(dst[n*PanelRows:], src[n:], stride, rows, cols-n, flip)
}

// epilogueNEON takes multiples of four rows and lanes, at least four.
//
//go:noescape
func epilogueNEON(dst *float32, stride int, c *float32, rows, lanes int, bias, mean *float32, add bool)

func epilogue4(dst []float32, stride int, c []float32, rows, lanes int, bias, mean []float32, add bool) {
	if rows < 4 || lanes < 4 {
		epilogueGeneric(dst, stride, c, rows, lanes, bias, mean, add)
		return
	}
	r, n := rows&^3, lanes&^3
	epilogueNEON(&dst[0], stride, &c[0], r, n, unsafe.SliceData(bias), unsafe.SliceData(mean), add)
	epilogueGeneric(dst[r:], stride, c[r*PanelRows:], rows-r, n, tail(bias, r), mean, add)
	if n < lanes {
		epilogueGeneric(dst[n*stride:], stride, c[n:], rows, lanes-n, bias, tail(mean, n), add)
	}
}
