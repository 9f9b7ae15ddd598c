package asm

import (
	"cmp"

	"github.com/normswap/normswap/quant"
)

// A Tile is the products of a panel of weights and a panel of activations: that
// of row r of weights and row n of activations is c[r*16+n].
type Tile = [PanelRows * PanelRows]float32

// TileFrom is from how many rows on [Gemm] is faster than [Gemv] for each row.
func TileFrom() int { return cmp.Or(active.tileFrom, 5) }

// Chains is scratch for Gemm and GemmStored.
type Chains [chains * PanelRows * StoredRows]float32

// Gemm multiplies the rows of a panel of weights with the first rows of one of
// activations, that many columns of each: c[r*16+n] is for row r of weights and row
// n of activations what [Gemv] computes, to the last bit. What c gets for further
// rows is undefined. On the way it fetches what lies ahead.
func Gemm(t quant.Type, c *Tile, p Panel, a Q8Panel, columns, rows int, ahead []byte, s *Chains) {
	kernel := active.ints[t].gemm
	if few := active.ints[t].gemm8; rows <= PanelRows/2 && few != nil {
		kernel = few
	}
	if kernel != nil && columns > 0 {
		kernel(c, p, a, columns, ahead, s)
		return
	}
	gemmGeneric(t, c, p, a, columns, SignFlip())
}

// StoredRows is how many rows of activations [GemmStored] takes at most.
const StoredRows = 64

// CanGemmStored returns whether [GemmStored] multiplies weights of type t with that many
// rows of activations in the active tier.
func CanGemmStored(t quant.Type, rows int) bool {
	return active.ints[t].gemmStored != nil && rows <= StoredRows
}

// GemmStored multiplies 16 rows of weights as they are stored, stride bytes apart, with rows
// of activations in panels one after the other, more than no columns and rows of each, for
// what [CanGemmStored] reports: with few rows what is unpacked to memory is read too seldom
// to pay. c[n*16+r] becomes the product of row r of weights and row n of activations, which
// [Gemv] computes, to the last bit; the rest of c is scratch.
func GemmStored(t quant.Type, c *Chains, w []byte, stride int, a Q8Panel, columns, rows int, ahead []byte) {
	active.ints[t].gemmStored(c, w, stride, a, columns, rows, ahead)
}

// gemmGeneric is the definition of Gemm, for activations with the given [SignFlip].
func gemmGeneric(t quant.Type, c *Tile, p Panel, a Q8Panel, columns int, flip uint32) {
	group, hasMin := weightTypes[t].Group, weightTypes[t].HasMin()
	n := columns / group
	for r := range PanelRows {
		var sum [PanelRows][chains]float32
		for g := range n {
			at, chain := g*group/Group*PanelRows, chainOf32(g, n)
			if group == 16 {
				chain = chainOf16(g, columns/Group)
			}
			i := g*PanelRows + r
			var dot [PanelRows]int32
			for k, w := range p.Q[i*group:][:group] {
				for n, q := range (*[PanelRows]uint32)(a.Q[(g*group+k)/4*PanelRows:]) {
					dot[n] += int32(w) * int32(int8((q^flip)>>(k%4*8)))
				}
			}
			for n, d := range dot {
				acc := &sum[n][chain]
				*acc = fma(float32(d), p.Scale[i]*a.Scale[at+n], *acc)
				switch {
				case hasMin && group == 16:
					half := float32(int16(a.HalfSum[at+n] >> (g % 2 * 16)))
					*acc = fma(p.Min[i], half*a.Scale[at+n], *acc)
				case hasMin:
					*acc = fma(p.Min[i], a.ScaledSum[at+n], *acc)
				}
			}
		}
		for n := range sum {
			c[r*PanelRows+n] = sumChains(&sum[n])
		}
	}
}
