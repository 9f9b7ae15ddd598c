//go:build !purego

package asm

import (
	"github.com/normswap/normswap/quant"
)

// The points of the codebooks, a word each: the ranks of the magnitudes, two bits
// each, or three of points of four.
var (
	ranksIQ2_XXS [256]uint16
	ranksIQ2_XS  [512]uint16
	ranksIQ3_XXS [256]uint16
	ranksIQ3_S   [512]uint16
)

// fillRanks makes them.
func fillRanks() {
	fillRank(ranksIQ2_XXS[:], quant.IQ2_XXS)
	fillRank(ranksIQ2_XS[:], quant.IQ2_XS)
	fillRank(ranksIQ3_XXS[:], quant.IQ3_XXS)
	fillRank(ranksIQ3_S[:], quant.IQ3_S)
}

func fillRank(words []uint16, t quant.Type) {
	c := weightTypes[t].Codebook
	var have [128]bool
	for _, q := range c.Points() {
		have[q] = true
	}
	var rank [128]uint16
	n := uint16(0)
	for q, ok := range have {
		if rank[q] = n; ok {
			n++
		}
	}
	bits := 4 - c.Width/4 // for four ranks, or eight
	for i, q := range c.Points() {
		words[i/c.Width] |= rank[q] << (i % c.Width * bits)
	}
}
