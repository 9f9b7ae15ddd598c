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

func init() {
	fillRanks(ranksIQ2_XXS[:], quant.IQ2_XXS)
	fillRanks(ranksIQ2_XS[:], quant.IQ2_XS)
	fillRanks(ranksIQ3_XXS[:], quant.IQ3_XXS)
	fillRanks(ranksIQ3_S[:], quant.IQ3_S)
}

func fillRanks(words []uint16, t quant.Type) {
	c := weightTypes[t].Codebook
	var have [128]bool
	for _, p := range c.Points() {
		for _, q := range p {
			have[q] = true
		}
	}
	var rank [128]uint16
	n := uint16(0)
	for q, ok := range have {
		if rank[q] = n; ok {
			n++
		}
	}
	bits := 4 - c.Width/4 // for four ranks, or eight
	for i, p := range c.Points() {
		for k, q := range p {
			words[i] |= rank[q] << (k * bits)
		}
	}
}
