package main

import (
	"fmt"
	"log"

	"github.com/normswap/normswap/quant"
)

// A weightType is a type of weights that the integer kernels read: a row of the
// table of package quant.
type weightType struct {
	Type quant.Type
	quant.Format
	quant.Layout
	shape shape
}

// A shape is how the parts of a block lie to each other. Kernels are written for
// a shape and take from the layout where the parts are.
type shape int

const (
	unknown    shape = iota
	bytes32          // 32 quants of a byte: Q8_0
	nibbles32        // 32 nibbles, with a word of fifth bits and a min or without: Q4_0, Q4_1, Q5_0, Q5_1
	nibbles256       // 256 nibbles, with fifth bits or without, six-bit scales and mins: Q4_K, Q5_K
	sixes256         // 256 quants of four and two bits, scales of a byte for 16: Q6_K
	grids256         // 256 quants in points of a codebook: IQ1, IQ2, IQ3
)

// weightTypes are those that package quant has a layout for.
var weightTypes = func() (all []weightType) {
	for _, t := range quant.Types() {
		l, ok := t.Layout()
		f, _ := t.Format()
		if shape := shapeOf(f, l); ok && shape != unknown {
			all = append(all, weightType{t, f, l, shape})
		}
	}
	return all
}()

func shapeOf(f quant.Format, l quant.Layout) shape {
	// The layout less the places of its parts.
	bits := func(f quant.Field) quant.Field { f.At = 0; return f }
	low, high := bits(l.Quants.Low), bits(l.Quants.High)
	none, halfPrecision := quant.Field{}, quant.Field{Bits: 16, Run: 2}
	plain := l.Group == f.Items && l.Levels == nil && l.Coding == quant.Integers && bits(l.D) == halfPrecision && l.ScaleMin == none && l.Scales.Bits() == 0
	switch {
	case l.Codebook != nil:
		return grids256
	case plain && f.Items == 32 && low == quant.Field{Bits: 8, Run: 32} && l.Quants.Zero == 0 && !l.HasMin():
		return bytes32
	case plain && f.Items == 32 && low == quant.Field{Bits: 4, Run: 16} && (high == none || high == quant.Field{Bits: 1, Run: 1}):
		return nibbles32
	case f.Items == 256 && l.Group == 32 && low == quant.Field{Bits: 4, Run: 32} && (high == none || high == quant.Field{Bits: 1, Run: 32}) &&
		l.D.At == 0 && l.M.At == 2 && l.ScaleMin == quant.Field{At: 4, Bits: 6, Run: 12} && l.Quants.Zero == 0:
		return nibbles256 // one load has all scales and mins
	case f.Items == 256 && l.Group == 16 && low == quant.Field{Bits: 4, Run: 64} && high == quant.Field{Bits: 2, Run: 32} &&
		bits(l.D) == halfPrecision && bits(l.Scales.Low) == quant.Field{Bits: 8, Run: 16} && l.Scales.High == none && !l.HasMin():
		return sixes256
	}
	return unknown
}

// aboveValue is how much more than its value a quant is as the kernels read it:
// without a sign.
func (w weightType) aboveValue() int {
	if w.shape == bytes32 {
		return 128
	}
	return w.Quants.Zero
}

// hasHigh reports whether quants have bits in a second field.
func (w weightType) hasHigh() bool { return w.Quants.High.Bits > 0 }

// form names what a panel's product depends on: that of groups of 32, with a
// min or without, or of 16.
func (w weightType) form() string {
	switch {
	case w.Group == 16 && !w.HasMin():
		return "Sub16"
	case w.Group == 32 && w.HasMin():
		return "Min"
	case w.Group == 32:
		return ""
	}
	log.Fatalf("gen: no product of groups of %d like those of %s", w.Group, w.Name)
	return ""
}

// form2 is form for AVX2, whose products depend on the number of bits too.
func (w weightType) form2() string { return fmt.Sprint(w.form(), "Bits", w.Quants.Bits()) }

// sumColumnsForm is the form of AVX2's sums of columns.
func (w weightType) sumColumnsForm() string {
	if w.shape == bytes32 {
		return "Nibbles"
	}
	return w.form()
}
