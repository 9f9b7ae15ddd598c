package asm

import "github.com/normswap/normswap/quant"

// PanelRows is how many rows a panel has: rows of weights ([Panel]) or of
// activations ([Q8Panel]) that the matrix products take at a time.
const PanelRows = 16

// A Panel is 16 rows of weights unpacked to one byte each. Group g of row r
// has its quants at Q[(g*16+r)*G:], G = 32 or 16, and its scale, min and
// compensation at [g*16+r]. A tier may store the quants in a form of its own, of
// [QuantBytes].
type Panel struct {
	Q            []int8
	Scale, Min   []float32 // Min is undefined if the type has none
	Compensation []int32   // in tiers with a [SignFlip], what makes up for it in the sum of products
}

// QuantBytes is how many bytes of [Panel.Q] a quant takes in the active tier.
func QuantBytes(t quant.Type) int { return max(1, active.ints[t].quantBytes) }

// Unpack unpacks the first blocks of 16 rows of weights, stride bytes apart.
func Unpack(t quant.Type, p Panel, blocks int, w []byte, stride int) {
	if kernel := active.ints[t].unpack; kernel != nil && blocks > 0 {
		kernel(p, blocks, w, stride)
		return
	}
	unpackGeneric(t, p, blocks, w, stride)
}

// unpackGeneric is the definition of Unpack.
func unpackGeneric(t quant.Type, p Panel, blocks int, w []byte, stride int) {
	l := &weightTypes[t]
	groups := l.groups()
	var quants [256]int8
	var scale, min [16]float32
	for r := range PanelRows {
		for b := range blocks {
			l.Unpack(quants[:l.Items], scale[:], min[:], w[r*stride+b*l.Bytes:])
			for g := range groups {
				i := (b*groups+g)*PanelRows + r
				copy(p.Q[i*l.Group:], quants[g*l.Group:][:l.Group])
				p.Scale[i], p.Min[i] = scale[g], min[g]
			}
		}
	}
}
