package asm

// PanelRows is how many rows of weights the matrix kernels take at a time.
const PanelRows = 16

// A Panel is 16 rows of weights unpacked to one byte each. Group g of row r
// has its codes at Q[(g*16+r)*G:], G = 32 or 16, and its scale, low and start
// at [g*16+r]. A tier may store the codes in a form of its own, of [CodeBytes].
type Panel struct {
	Q          []int8
	Scale, Low []float32 // Low is undefined if the format has none
	Start      []int32   // in tiers with a [TileFlip], what makes up for it in the sum of products
}

// chains is the number of partial sums of a product of quantised rows.
const chains = 8

// A product of quantised rows is summed in eight chains of groups. Of each
// eight groups in a row, one goes to each chain, in order; if the last ones
// are fewer than eight, they go to the last chains. chainOf32 tells for group
// g of n.
func chainOf32(g, n int) int {
	if g < n/chains*chains {
		return g % chains
	}
	return chains - (n - g)
}

// chainOf16 is chainOf32 for groups of 16: the first halves of four groups of
// 32 go to the chains 0 to 3, the second halves to the chains 4 to 7.
func chainOf16(g int) int { return g/2%4 + g%2*4 }

// sumChains adds the chains up. Adding zero turns -0 to 0: which of the two a
// chain starts from is left open.
func sumChains(c *[chains]float32) float32 {
	return ((c[0] + c[4]) + (c[2] + c[6])) + ((c[1] + c[5]) + (c[3] + c[7])) + 0
}

// gemvGeneric is the definition of Gemv. Its sums are those of gemmGeneric,
// so that an output does not depend on which of them made it.
func gemvGeneric(f Format, dst []float32, w []byte, stride, groups int, a []Eight) {
	l := layouts[f]
	var code [256]int8
	var scale, low [16]float32
	for r := range dst {
		var sum [chains]float32
		for k := 0; k < groups*Group; k += l.Items {
			block := w[r*stride+k/l.Items*l.Bytes:]
			decodeScales(f, &scale, &low, block)
			decodeCodes(f, &code, block)
			for g := range l.Items / l.Group {
				at := k + g*l.Group
				e, in := &a[at/(8*Group)], chainOf32(at/Group, groups)
				acc := &sum[in]
				if l.Group == 16 {
					acc = &sum[chainOf16(at/16)]
				}
				var dot int32
				for i, c := range code[g*l.Group:][:l.Group] {
					dot += int32(c) * int32(e.Q[in*Group+at%Group+i])
				}
				*acc = fma(float32(dot), scale[g]*e.Scale[in], *acc)
				if l.Low {
					*acc = fma(low[g], e.Low[in], *acc)
				}
			}
		}
		dst[r] = sumChains(&sum)
	}
}

// unpackGeneric is the definition of Unpack.
func unpackGeneric(f Format, p Panel, blocks int, w []byte, stride int) {
	l := layouts[f]
	var code [256]int8
	for r := range PanelRows {
		for b := range blocks {
			decodeCodes(f, &code, w[r*stride+b*l.Bytes:])
			for g := range l.Items / l.Group {
				i := (b*l.Items/l.Group+g)*PanelRows + r
				copy(p.Q[i*l.Group:], code[g*l.Group:][:l.Group])
			}
		}
	}
	unpackScales(f, p, blocks, w, stride)
}

// unpackScales is the part of unpackGeneric that is not codes.
func unpackScales(f Format, p Panel, blocks int, w []byte, stride int) {
	l := layouts[f]
	groups := l.Items / l.Group
	var scale, low [16]float32
	for r := range PanelRows {
		for b := range blocks {
			decodeScales(f, &scale, &low, w[r*stride+b*l.Bytes:])
			for g := range groups {
				i := (b*groups+g)*PanelRows + r
				p.Scale[i], p.Low[i] = scale[g], low[g]
			}
		}
	}
}

// Chains is scratch for Gemm.
type Chains [chains * PanelRows * TileRows]float32

// gemmGeneric is the definition of Gemm.
func gemmGeneric(f Format, c *[PanelRows * TileRows]float32, p Panel, t Tile, columns int) {
	l := layouts[f]
	n := columns / l.Group
	for r := range PanelRows {
		var sum [TileRows][chains]float32
		for g := range n {
			at, chain := g*l.Group/Group*TileRows, chainOf32(g, n)
			if l.Group == 16 {
				chain = chainOf16(g)
			}
			i := g*PanelRows + r
			var dot [TileRows]int32
			for k, w := range p.Q[i*l.Group:][:l.Group] {
				for n, a := range (*[TileRows]uint32)(t.Q[(g*l.Group+k)/4*TileRows:]) {
					dot[n] += int32(w) * int32(int8(a>>(k%4*8)))
				}
			}
			for n, d := range dot {
				acc := &sum[n][chain]
				*acc = fma(float32(d), p.Scale[i]*t.Scale[at+n], *acc)
				if l.Low {
					*acc = fma(p.Low[i], t.Low[at+n], *acc)
				}
			}
		}
		for n := range sum {
			c[r*TileRows+n] = sumChains(&sum[n])
		}
	}
}

// finishGeneric is the definition of Finish.
func finishGeneric(dst []float32, stride int, c []float32, rows, lanes int, bias, shift []float32, add bool) {
	for n := range lanes {
		to := dst[n*stride:][:rows]
		for r := range to {
			v := c[r*TileRows+n]
			if add {
				v += to[r]
			}
			if bias != nil {
				v += bias[r]
			}
			if shift != nil {
				v -= shift[n]
			}
			to[r] = v
		}
	}
}

// addColumnsGeneric is the definition of AddColumns.
func addColumnsGeneric(f Format, sum []float64, p Panel, first, rows int) {
	l := layouts[f]
	group := l.Group
	for g := range len(sum) / group {
		out := sum[g*group:][:group]
		for r := range rows {
			i := g*PanelRows + first + r
			scale, low := p.Scale[i], float32(0)
			if l.Low {
				low = p.Low[i]
			}
			for k, q := range p.Q[i*group:][:group] {
				out[k] += float64(fma(float32(q), scale, low))
			}
		}
	}
}
