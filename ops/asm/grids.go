//go:build (amd64 || arm64) && !purego

package asm

import (
	"sync"

	"github.com/normswap/normswap/quant"
)

// gridPad is how many bytes there are before the points and behind them: kernels
// read there.
const gridPad = 16

// The points of the codebooks, a quant to a byte: magnitudes, and for IQ1_S and
// IQ1_M 16 more than the quants are that are one more than their point.
var (
	gridIQ1     [2048 + 2*gridPad/8]uint64
	gridIQ2_XXS [256 + 2*gridPad/8]uint64
	gridIQ2_XS  [512 + 2*gridPad/8]uint64
	gridIQ2_S   [1024 + 2*gridPad/8]uint64
	gridIQ3_XXS [256 + 2*gridPad/4]uint32
	gridIQ3_S   [512 + 2*gridPad/4]uint32
)

// lookingUp returns kernels of a type with a codebook that see to it that the points
// are there.
func (k intKernels) lookingUp() intKernels {
	with := k
	with.gemv = func(dst *float32, w *byte, stride, rows, groups int, a *byte) {
		fillGrids()
		k.gemv(dst, w, stride, rows, groups, a)
	}
	with.unpack = func(p Panel, blocks int, w []byte, stride int) {
		fillGrids()
		k.unpack(p, blocks, w, stride)
	}
	return with
}

// fillGrids makes the points, once: it takes half a millisecond, which programs
// without such weights need not wait for.
var fillGrids = sync.OnceFunc(func() {
	fillGrid(gridIQ1[:], quant.IQ1_S)
	fillGrid(gridIQ2_XXS[:], quant.IQ2_XXS)
	fillGrid(gridIQ2_XS[:], quant.IQ2_XS)
	fillGrid(gridIQ2_S[:], quant.IQ2_S)
	fillGrid(gridIQ3_XXS[:], quant.IQ3_XXS)
	fillGrid(gridIQ3_S[:], quant.IQ3_S)
})

func fillGrid[W uint32 | uint64](words []W, t quant.Type) {
	c := weightTypes[t].Codebook
	for i, q := range c.Points() {
		if c.Shift {
			q = 8*q + 17
		}
		words[(gridPad+i)/c.Width] |= W(uint8(q)) << (i % c.Width * 8)
	}
}
