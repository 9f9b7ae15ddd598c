//go:build !purego

package asm

func tileFlip() uint32 { return 0 }

func quantize(c Codes, x []float32) { quantizeGeneric(c, x) }

func transpose(dst, src []uint32, stride, rows, cols int, flip uint32) {
	transposeGeneric(dst, src, stride, rows, cols, flip)
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

func finish(dst []float32, stride int, c []float32, rows, lanes int, bias, shift []float32, add bool) {
	finishGeneric(dst, stride, c, rows, lanes, bias, shift, add)
}

func addColumns(f Format, sum []float64, p Panel, first, rows int) {
	addColumnsGeneric(f, sum, p, first, rows)
}
