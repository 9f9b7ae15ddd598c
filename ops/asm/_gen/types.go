package main

import (
	"fmt"
	"log"
	"math/bits"

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
	fields     shape = iota // any arrays of integers: see reader
	bytes32                 // 32 quants of a byte: Q8_0
	nibbles32               // 32 nibbles, with a word of fifth bits and a min or without: Q4_0, Q4_1, Q5_0, Q5_1
	nibbles256              // 256 nibbles, with fifth bits or without, six-bit scales and mins: Q4_K, Q5_K
	sixes256                // 256 quants of four and two bits, scales of a byte for 16: Q6_K
	grids256                // 256 quants in points of a codebook: IQ1
	digits256               // the like, of up to 1,024 points: IQ2, IQ3
)

// weightTypes are those that package quant has a layout for.
var weightTypes = func() (all []weightType) {
	for _, t := range quant.Types() {
		l, ok := t.Layout()
		f, _ := t.Format()
		if ok {
			all = append(all, weightType{t, f, l, shapeOf(f, l)})
		}
	}
	return all
}()

func shapeOf(f quant.Format, l quant.Layout) shape {
	// The layout less the places of its parts.
	less := func(f quant.Field) quant.Field { f.At = 0; return f }
	low, high := less(l.Quants.Low), less(l.Quants.High)
	none, halfPrecision := quant.Field{}, quant.Field{Bits: 16, Run: 2}
	plain := l.Group == f.Items && l.Levels == nil && l.Coding == quant.Integers && less(l.D) == halfPrecision && l.ScaleMin == none && l.Scales.Bits() == 0
	switch {
	case l.Codebook != nil && len(l.Codebook.Points()) <= 1024*l.Codebook.Width:
		return digits256
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
		less(l.D) == halfPrecision && less(l.Scales.Low) == quant.Field{Bits: 8, Run: 16} && l.Scales.High == none && !l.HasMin():
		return sixes256
	}
	return fields
}

// aboveValue is how much more than its value a quant is as the kernels of its shape
// read it: without a sign.
func (w weightType) aboveValue() int {
	if w.shape == bytes32 {
		return 128
	}
	return w.Quants.Zero
}

// largest is the largest magnitude of a quant.
func (w weightType) largest() int {
	top := 0
	for _, l := range w.Levels {
		top = max(top, int(l), -int(l))
	}
	switch {
	case w.Levels != nil:
		return top
	case w.Coding == quant.Ternary:
		return 1
	case w.shape == bytes32:
		return 127
	}
	return max(w.Quants.Zero, 1<<w.Quants.Bits()-1-w.Quants.Zero)
}

// above2 is how much more than its value a quant is in the products of fields with
// AVX2, which are of unsigned quants up to 127: 0 if it must have a sign.
func (w weightType) above2() int {
	switch {
	case !w.table():
		return w.zero()
	case w.largest() < 64:
		return 1 << bits.Len(uint(w.largest()))
	}
	return 0
}

// aboveWide is the like with AVX-512, for quants up to 255.
func (w weightType) aboveWide() int {
	if w.table() {
		return 1 << bits.Len(uint(w.largest()))
	}
	return w.zero()
}

// panelBits is how many bits the quants of a panel have with AVX2: enough, and no
// less than four. They are half of the range above their value, if there is no min.
func (w weightType) panelBits() int {
	if w.HasMin() || w.Codebook != nil {
		return max(4, w.Quants.Bits())
	}
	n := 4
	for w.largest() > 1<<(n-1) || w.largest() == 1<<(n-1) && w.Levels != nil {
		n++
	}
	return n
}

// planes is 2 if the quants of a panel are two nibbles, low and high.
func (w weightType) planes() int { return max(1, w.panelBits()/8*2) }

// panelAbove is how much more than their value the quants of a panel are with AVX2.
func (w weightType) panelAbove() int {
	if w.HasMin() {
		return 0
	}
	return 1 << (w.panelBits() - 1)
}

// hasHigh reports whether quants have bits in a second field.
func (w weightType) hasHigh() bool { return w.Quants.High.Bits > 0 }

// form names what a panel's product depends on: that of groups of 32, with a
// min or without, or of 16.
func (w weightType) form() string {
	switch {
	case w.Group == 16 && w.HasMin():
		return "Sub16Min"
	case w.Group == 16:
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
func (w weightType) form2() string { return fmt.Sprint(w.form(), "Bits", w.panelBits()) }

// sumColumnsForm is the form of AVX2's sums of columns.
func (w weightType) sumColumnsForm() string {
	if w.planes() > 1 {
		return "Nibbles"
	}
	return w.form()
}
