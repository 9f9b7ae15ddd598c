package asm

// A Q8Panel is 16 activation rows side by side, as [Gemm] reads them: for every
// four columns, four quants of each row, exclusive-or [SignFlip]; for every group
// the scale of each row, and its product with the sum of the quants.
type Q8Panel struct {
	Q                []uint32 // [columns/4][16]
	Scale, ScaledSum []float32
	HalfSum          []uint32 // the sums of the first and the second 16 quants of each group, 16 bits each
}

// SignFlip is what the words of [Q8Panel.Q] are exclusive-or'ed with in the
// active tier: 0x80808080 where the instruction multiplies unsigned bytes.
func SignFlip() uint32 { return active.signFlip }

// PackHalfSums makes [Q8Panel.HalfSum] of [Q8.HalfSum] of up to 16 rows.
func PackHalfSums(dst []uint32, halfSum []int32, rows int) {
	groups := len(dst) / PanelRows
	for r := range rows {
		row := halfSum[2*groups*r:][:2*groups]
		for g := range groups {
			dst[g*PanelRows+r] = uint32(row[2*g])&0xffff | uint32(row[2*g+1])<<16
		}
	}
}

// Transpose lays up to 16 rows side by side:
//
//	dst[c*16+r] = src[r*stride+c] ^ flip    for c < cols, r < 16; src is 0 for r >= rows
func Transpose(dst, src []uint32, stride, rows, cols int, flip uint32) {
	if active.transpose == nil {
		transposeGeneric(dst, src, stride, rows, cols, flip)
		return
	}
	active.transpose(dst, src, stride, rows, cols, flip)
}

// transposeGeneric is the definition of Transpose.
func transposeGeneric(dst, src []uint32, stride, rows, cols int, flip uint32) {
	for c := range cols {
		out := (*[PanelRows]uint32)(dst[c*PanelRows:])
		for r := range out {
			out[r] = flip
			if r < rows {
				out[r] ^= src[r*stride+c]
			}
		}
	}
}

// Epilogue writes the products of two panels to their place:
//
//	dst[n*stride+r] = c[r*16+n] (+ dst[n*stride+r] if add) (+ bias[r]) (- mean[n])
//
// for r < rows, n < lanes, summed in this order; bias and mean may be nil. It
// may read 16 whole rows of c.
func Epilogue(dst []float32, stride int, c []float32, rows, lanes int, bias, mean []float32, add bool) {
	if active.epilogue == nil {
		epilogueGeneric(dst, stride, c, rows, lanes, bias, mean, add)
		return
	}
	active.epilogue(dst, stride, c, rows, lanes, bias, mean, add)
}

// An EpilogueFunc is [Epilogue] or [EpilogueRows].
type EpilogueFunc func(dst []float32, stride int, c []float32, rows, lanes int, bias, mean []float32, add bool)

// EpilogueRows is [Epilogue] of products that lie the other way: c[n*16+r].
func EpilogueRows(dst []float32, stride int, c []float32, rows, lanes int, bias, mean []float32, add bool) {
	if active.epilogueRows == nil {
		epilogueRowsGeneric(dst, stride, c, rows, lanes, bias, mean, add)
		return
	}
	active.epilogueRows(dst, stride, c, rows, lanes, bias, mean, add)
}

// epilogueRowsGeneric is the definition of EpilogueRows.
func epilogueRowsGeneric(dst []float32, stride int, c []float32, rows, lanes int, bias, mean []float32, add bool) {
	var turned Tile
	for n := range lanes {
		for r := range rows {
			turned[r*PanelRows+n] = c[n*PanelRows+r]
		}
	}
	epilogueGeneric(dst, stride, turned[:], rows, lanes, bias, mean, add)
}

// epilogueGeneric is the definition of Epilogue.
func epilogueGeneric(dst []float32, stride int, c []float32, rows, lanes int, bias, mean []float32, add bool) {
	for n := range lanes {
		to := dst[n*stride:][:rows]
		for r := range to {
			v := c[r*PanelRows+n]
			if add {
				v += to[r]
			}
			if bias != nil {
				v += bias[r]
			}
			if mean != nil {
				v -= mean[n]
			}
			to[r] = v
		}
	}
}
