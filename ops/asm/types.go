package asm

import "github.com/normswap/normswap/quant"

// types is the length of tables that are indexed by quant.Type.
const types = quant.Q2_0 + 1

// A weightType is a type of weights that the integer kernels read. A group of
// its values is scale*quant + min, with an integer quant that fits in int8.
type weightType struct {
	quant.Format
	quant.Layout
}

// weightTypes are those that package quant has a layout for; the others are zero.
var weightTypes = func() (all [types]weightType) {
	for _, t := range quant.Types() {
		if l, ok := t.Layout(); ok {
			f, _ := t.Format()
			all[t] = weightType{f, l}
		}
	}
	return all
}()

// groups is the number of groups of a block.
func (w *weightType) groups() int { return w.Items / w.Group }

// intKernels are what a tier has for a type of weights whose quants are
// multiplied with quantised activations.
type intKernels struct {
	gemv       gemvKernel
	unpack     func(p Panel, blocks int, w []byte, stride int)
	gemm       panelProduct
	gemm8      panelProduct  // of up to eight rows of activations; nil: gemm
	gemmStored storedProduct // nil: none
	sumColumns func(sum []float64, p Panel, first, rows int)
	quantBytes int // of a quant in a Panel; 0: one
}

// A panelProduct is gemmGeneric over whole groups of 32, at least one, and fetches
// ahead.
type panelProduct func(c *Tile, p Panel, a Q8Panel, columns int, ahead []byte, s *Chains)

// A storedProduct is GemmStored over whole groups of 32, at least one.
type storedProduct func(c *Chains, w []byte, stride int, a Q8Panel, columns, rows int, ahead []byte)

// A gemvKernel is gemvGeneric of that many rows and groups, at least one of each.
type gemvKernel func(dst *float32, w *byte, stride, rows, groups int, a *byte)

// floatKernels are what a tier has for a type of weights without blocks.
type floatKernels struct {
	widen func(dst *float32, w *byte, n int)
	// gemv sets dst[r] to the sum over i < n of w[r,i]*x[i], for r < rows, at
	// least one, stride bytes apart.
	gemv func(dst *float32, w *byte, stride, rows, n int, x *float32)
}
