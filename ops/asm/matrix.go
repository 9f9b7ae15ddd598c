package asm

// PanelRows is how many rows of weights the matrix kernels take at a time.
const PanelRows = 16

// A Panel is 16 rows of weights unpacked to one byte each. Group g of row r
// has its codes at Q[(g*16+r)*G:], G = 32 or 16, and its scale, low and start
// at [g*16+r].
type Panel struct {
	Q          []int8
	Scale, Low []float32
	Start      []int32 // what the sum of products starts from, for tiers with a [TileFlip]
}

// gemvGeneric is the definition of Gemv. Its accumulation order is that of
// gemmGeneric, so that an output does not depend on which of them made it.
func gemvGeneric(f Format, dst *[PanelRows]float32, w []byte, stride int, a Int8) {
	l := layouts[f]
	var code [256]int8
	var scale, low [16]float32
	for r := range dst {
		var acc float32
		for k := 0; k < len(a.Q); k += l.Items {
			decodeBlock(f, &code, &scale, &low, w[r*stride+k/l.Items*l.Bytes:])
			for g := range l.Items / l.Group {
				at := k + g*l.Group
				as := a.Scale[at/Group]
				var dot int32
				for i, c := range code[g*l.Group:][:l.Group] {
					dot += int32(c) * int32(a.Q[at+i])
				}
				acc = fma(float32(dot), scale[g]*as, acc)
				if l.Low {
					acc = fma(low[g], as*float32(a.Sum[at/Group]), acc)
				}
			}
		}
		dst[r] = acc
	}
}

// unpackGeneric is the definition of Unpack.
func unpackGeneric(f Format, p Panel, rows, blocks int, w []byte, stride int) {
	l := layouts[f]
	var code [256]int8
	var scale, low [16]float32
	for r := range rows {
		for b := range blocks {
			decodeBlock(f, &code, &scale, &low, w[r*stride+b*l.Bytes:])
			for g := range l.Items / l.Group {
				i := (b*l.Items/l.Group+g)*PanelRows + r
				copy(p.Q[i*l.Group:], code[g*l.Group:][:l.Group])
				p.Scale[i], p.Low[i] = scale[g], low[g]
			}
		}
	}
}

// gemmGeneric is the definition of Gemm.
func gemmGeneric(f Format, c *[PanelRows * TileRows]float32, p Panel, t Tile, blocks int) {
	l := layouts[f]
	*c = [PanelRows * TileRows]float32{}
	for g := range blocks * l.Items / l.Group {
		at := g * l.Group / Group * TileRows
		for r := range PanelRows {
			i := g*PanelRows + r
			var dot [TileRows]int32
			for k, w := range p.Q[i*l.Group:][:l.Group] {
				for n, a := range (*[TileRows]uint32)(t.Q[(g*l.Group+k)/4*TileRows:]) {
					dot[n] += int32(w) * int32(int8(a>>(k%4*8)))
				}
			}
			for n, d := range dot {
				acc := &c[r*TileRows+n]
				*acc = fma(float32(d), p.Scale[i]*t.Scale[at+n], *acc)
				if l.Low {
					*acc = fma(p.Low[i], t.Low[at+n], *acc)
				}
			}
		}
	}
}

// finishGeneric is the definition of Finish.
func finishGeneric(dst []float32, stride int, c *[PanelRows * TileRows]float32, rows, lanes int, bias, shift []float32, add bool) {
	for n := range lanes {
		for r := range rows {
			v := c[r*TileRows+n]
			if add {
				v += dst[n*stride+r]
			}
			if bias != nil {
				v += bias[r]
			}
			if shift != nil {
				v -= shift[n]
			}
			dst[n*stride+r] = v
		}
	}
}

// addColumnsGeneric is the definition of AddColumns.
func addColumnsGeneric(f Format, sum []float64, p Panel, rows int) {
	group := layouts[f].Group
	for g := range len(sum) / group {
		out := sum[g*group:][:group]
		for r := range rows {
			i := g*PanelRows + r
			scale, low := p.Scale[i], p.Low[i]
			for k, q := range p.Q[i*group:][:group] {
				out[k] += float64(fma(float32(q), scale, low))
			}
		}
	}
}
