//go:build !purego

package asm

import "unsafe"

func tileFlip() uint32 { return 0 }

//go:noescape
func quantizeNEON(q *int8, scale, low *float32, sum, half *int32, x *float32, groups int)

func readsCrossed() bool { return false }

func cross(e *Eight) { crossGeneric(e) }

func tileHalves() bool { return false }

func codeBytes(Format) int { return 1 }

func quantize(c Codes, x []float32) {
	if !useNEON || len(x) == 0 {
		quantizeGeneric(c, x)
		return
	}
	quantizeNEON(&c.Q[0], &c.Scale[0], &c.Low[0], &c.Sum[0], &c.Half[0], &x[0], len(c.Scale))
}

// transposeNEON takes multiples of four rows and columns, at least four.
//
//go:noescape
func transposeNEON(dst, src *uint32, stride, rows, cols int, flip uint32)

func transpose(dst, src []uint32, stride, rows, cols int, flip uint32) {
	if !useNEON || rows < 4 || cols < 4 {
		transposeGeneric(dst, src, stride, rows, cols, flip)
		return
	}
	n := cols &^ 3
	transposeNEON(&dst[0], &src[0], stride, rows&^3, n, flip)
	for c := range n {
		for r := rows &^ 3; r < TileRows; r++ {
			dst[c*TileRows+r] = flip
			if r < rows {
				dst[c*TileRows+r] ^= src[r*stride+c]
			}
		}
	}
	transposeGeneric(dst[n*TileRows:], src[n:], stride, rows, cols-n, flip)
}

// An unpackKernel is unpackGeneric of so many blocks, at least one.
type unpackKernel func(q *int8, scale, low *float32, w *byte, stride, blocks int)

var unpackKernels = [formats]unpackKernel{
	Q8_0: unpackQ8_0NEON,
	Q4_0: unpackQ4_0NEON,
	Q4_1: unpackQ4_1NEON,
	Q5_0: unpackQ5_0NEON,
	Q5_1: unpackQ5_1NEON,
	Q4_K: unpackQ4_KNEON,
	Q5_K: unpackQ5_KNEON,
	Q6_K: unpackQ6_KNEON,
}

//go:noescape
func unpackQ8_0NEON(q *int8, scale, low *float32, w *byte, stride, blocks int)

//go:noescape
func unpackQ4_0NEON(q *int8, scale, low *float32, w *byte, stride, blocks int)

//go:noescape
func unpackQ4_1NEON(q *int8, scale, low *float32, w *byte, stride, blocks int)

//go:noescape
func unpackQ5_0NEON(q *int8, scale, low *float32, w *byte, stride, blocks int)

//go:noescape
func unpackQ5_1NEON(q *int8, scale, low *float32, w *byte, stride, blocks int)

//go:noescape
func unpackQ4_KNEON(q *int8, scale, low *float32, w *byte, stride, blocks int)

//go:noescape
func unpackQ5_KNEON(q *int8, scale, low *float32, w *byte, stride, blocks int)

//go:noescape
func unpackQ6_KNEON(q *int8, scale, low *float32, w *byte, stride, blocks int)

func unpack(f Format, p Panel, blocks int, w []byte, stride int) {
	if useNEON && blocks > 0 {
		unpackKernels[f](&p.Q[0], &p.Scale[0], &p.Low[0], &w[0], stride, blocks)
		return
	}
	unpackGeneric(f, p, blocks, w, stride)
}

// A gemmKernel is gemmGeneric of so many columns, whole groups of 32, at least
// one.
type gemmKernel func(c *float32, q *int8, scale, low *float32, tq *uint32, tscale, tlow *float32, columns int, chains *Chains)

// gemmKernels has those of the tiers neon, dotprod and i8mm: for groups of 32,
// groups of 32 with lows, and groups of 16.
var gemmKernels = [3][3]gemmKernel{
	{gemmNEON, gemmLowNEON, gemm16NEON},
	{gemmDotProd, gemmLowDotProd, gemm16DotProd},
	{gemmI8MM, gemmLowI8MM, gemm16I8MM},
}

//go:noescape
func gemmNEON(c *float32, q *int8, scale, low *float32, tq *uint32, tscale, tlow *float32, columns int, chains *Chains)

//go:noescape
func gemmLowNEON(c *float32, q *int8, scale, low *float32, tq *uint32, tscale, tlow *float32, columns int, chains *Chains)

//go:noescape
func gemm16NEON(c *float32, q *int8, scale, low *float32, tq *uint32, tscale, tlow *float32, columns int, chains *Chains)

//go:noescape
func gemmDotProd(c *float32, q *int8, scale, low *float32, tq *uint32, tscale, tlow *float32, columns int, chains *Chains)

//go:noescape
func gemmLowDotProd(c *float32, q *int8, scale, low *float32, tq *uint32, tscale, tlow *float32, columns int, chains *Chains)

//go:noescape
func gemm16DotProd(c *float32, q *int8, scale, low *float32, tq *uint32, tscale, tlow *float32, columns int, chains *Chains)

//go:noescape
func gemmI8MM(c *float32, q *int8, scale, low *float32, tq *uint32, tscale, tlow *float32, columns int, chains *Chains)

//go:noescape
func gemmLowI8MM(c *float32, q *int8, scale, low *float32, tq *uint32, tscale, tlow *float32, columns int, chains *Chains)

//go:noescape
func gemm16I8MM(c *float32, q *int8, scale, low *float32, tq *uint32, tscale, tlow *float32, columns int, chains *Chains)

func gemm(f Format, c *[PanelRows * TileRows]float32, p Panel, t Tile, columns int, s *Chains) {
	if !useNEON || columns == 0 {
		gemmGeneric(f, c, p, t, columns)
		return
	}
	tier, form, l := 0, 0, layouts[f]
	switch {
	case useI8MM:
		tier = 2
	case useDotProd:
		tier = 1
	}
	switch {
	case l.Group == 16:
		form = 2
	case l.Low:
		form = 1
	}
	gemmKernels[tier][form](&c[0], &p.Q[0], &p.Scale[0], &p.Low[0], &t.Q[0], &t.Scale[0], &t.Low[0], columns, s)
}

// finishNEON takes multiples of four rows and lanes, at least four.
//
//go:noescape
func finishNEON(dst *float32, stride int, c *float32, rows, lanes int, bias, shift *float32, add bool)

func finish(dst []float32, stride int, c []float32, rows, lanes int, bias, shift []float32, add bool) {
	if !useNEON || rows < 4 || lanes < 4 {
		finishGeneric(dst, stride, c, rows, lanes, bias, shift, add)
		return
	}
	r, n := rows&^3, lanes&^3
	finishNEON(&dst[0], stride, &c[0], r, n, unsafe.SliceData(bias), unsafe.SliceData(shift), add)
	finishGeneric(dst[r:], stride, c[r*TileRows:], rows-r, n, tail(bias, r), shift, add)
	if n < lanes {
		finishGeneric(dst[n*stride:], stride, c[n:], rows, lanes-n, bias, tail(shift, n), add)
	}
}

//go:noescape
func addColumnsNEON(sum *float64, q *int8, scale, low *float32, groups, rows int)

//go:noescape
func addColumnsLowNEON(sum *float64, q *int8, scale, low *float32, groups, rows int)

//go:noescape
func addColumns16NEON(sum *float64, q *int8, scale, low *float32, groups, rows int)

func addColumns(f Format, sum []float64, p Panel, first, rows int) {
	l := layouts[f]
	groups := len(sum) / l.Group
	if !useNEON || groups == 0 || rows == 0 {
		addColumnsGeneric(f, sum, p, first, rows)
		return
	}
	kernel := addColumnsNEON
	switch {
	case l.Low:
		kernel = addColumnsLowNEON
	case l.Group == 16:
		kernel = addColumns16NEON
	}
	kernel(&sum[0], &p.Q[first*l.Group], &p.Scale[first], &p.Low[first], groups, rows)
}
