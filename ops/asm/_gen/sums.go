package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"

	"github.com/normswap/normswap/quant"
)

// fits16 reports whether the products of half a group add up to 16 bits.
func (k *gemvKernel) fits16() bool {
	top := k.above + k.weightType.largest()
	if k.Levels == nil && k.Coding == quant.Integers {
		top = 1<<k.Quants.Bits() - 1
	}
	return k.shape != bytes32 && (k.above > 0 || k.HasMin()) && top*128*k.Group/2 < 1<<15
}

// addWords adds what folds: words of 16 bits, if sums of a group fit, or of 32.
func (k *gemvKernel) addWords(ops ...Op) {
	if k.fits16() {
		VPADDW(ops...)
	} else {
		VPADDD(ops...)
	}
}

// words returns the words of 32 bits of a sum.
func (k *gemvKernel) words(sum vector) vector {
	if k.fits16() {
		VPMADDWD(k.ones, sum, sum)
	}
	return sum
}

// products returns a function that gives the sums of four products each of unsigned
// quants, at most 127 in the mean of neighbours, and signed activations: in eight words,
// or in halves of them if addWords adds those.
func (k *gemvKernel) products() func(quants []vector, activations []Op) vector {
	k.ones = k.constant(0x00010001)
	return func(quants []vector, activations []Op) vector {
		d := quants[0]
		VPMADDUBSW(activations[0], d, d)
		for i, c := range quants[1:] {
			VPMADDUBSW(activations[i+1], c, c)
			VPADDW(c, d, d)
		}
		if !k.fits16() {
			VPMADDWD(k.ones, d, d)
		}
		return d
	}
}

// fold adds what the operations take from a and b, and leaves it in a.
func (k *gemvKernel) fold(lo, hi func(...Op), a, b vector) vector {
	t := YMM()
	lo(b, a, t)
	hi(b, a, a)
	k.addWords(t, a, a)
	return a
}

// sum4 adds up the four words of each half of four registers: the low half has
// the sums of the low halves.
func (k *gemvKernel) sum4(leaf func(i int) vector) vector { return k.words(k.folded4(leaf)) }

func (k *gemvKernel) folded4(leaf func(i int) vector) vector {
	a := leaf(0)
	a = k.fold(VPUNPCKLDQ, VPUNPCKHDQ, a, leaf(1))
	b := leaf(2)
	b = k.fold(VPUNPCKLDQ, VPUNPCKHDQ, b, leaf(3))
	return k.fold(VPUNPCKLQDQ, VPUNPCKHQDQ, a, b)
}

// sum8 adds up the words of eight registers.
func (k *gemvKernel) sum8(leaf func(i int) vector) vector {
	a := k.folded4(leaf)
	b := k.folded4(func(i int) vector { return leaf(4 + i) })
	t := YMM()
	VPERM2I128(U8(0x20), b, a, t)
	VPERM2I128(U8(0x31), b, a, a)
	k.addWords(t, a, a)
	return k.words(a)
}
