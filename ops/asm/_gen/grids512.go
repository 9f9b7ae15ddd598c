package main

import (
	"math"
	"math/bits"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/normswap/normswap/quant"
)

// Where there are not too many points, the wide kernels look 32 points up at a time, in tables of 64 that instructions
// permute by: each point is a word that has the ranks of its magnitudes, of two
// bits or three. A rank and a sign below are an index to the quants. The
// registers that are multiplied are those of the wide kernels of other types.

// A wideBook is what blocks have.
type wideBook struct {
	// numbers are those of 32 points of each block. Words 2*d and 2*d+1, d =
	// 8*s+g, are the points s and 2+s of group g, or, of points of four quants, the
	// points 4*j+2*s and the next for register j.
	numbers [][]vector
	// ninth sets a mask of the bits from 8 on, if the words do not have them.
	ninth func(m reg.Register, block, j, bit int)
	// signs are, in word 8*s+g from bit step*j on, those of the eight quants of group g
	// from 16*j+8*s on.
	signs   []vector
	step    int
	factors []vector // scales of the groups
}

// points is the number of points.
func (w weightType) points() int { return len(w.Codebook.Points()) / w.Codebook.Width }

// magnitudes are those that points have, ascending.
func (w weightType) magnitudes() []int8 {
	var have [128]bool
	for _, q := range w.Codebook.Points() {
		have[q] = true
	}
	var all []int8
	for q, ok := range have {
		if ok {
			all = append(all, int8(q))
		}
	}
	return all
}

func (k *gemvKernel) wideRanks(blocks []weights, acc vector) {
	b := k.wideBook(blocks)
	magnitudes := k.magnitudes()
	rankBits := 2
	if len(magnitudes) > 4 {
		rankBits = 3
	}
	var values [64]byte
	for i := range values {
		v := int(magnitudes[min(i%(1<<rankBits), len(magnitudes)-1)])
		if i>>rankBits&1 != 0 {
			v = -v
		}
		values[i] = byte(k.aboveValue() + v)
	}
	var sums [][]vector
	var ranks []vector
	for m := range 4 {
		j, t := m/2, m%2
		if m%2 == 0 && j < len(b.numbers) {
			ranks = k.lookUp(b, j)
		}
		if m == 0 || m == 2 && k.Group == 16 {
			sums = append(sums, zeroSums(len(blocks)))
		}
		q := multishift(perByte(0, func(_, g, _, n int) int {
			if k.Codebook.Width == 8 {
				return g%2*32 + 16*j + (4*t+n)*rankBits
			}
			return g%2*32 + 16*t + n*rankBits
		}), ranks)
		signs := multishift(perByte(0, func(_, g, _, n int) int { return (g%2*32 + b.step*j + 4*t + n - rankBits) & 63 }), b.signs)
		rank, table := avx512.repeat((1<<rankBits-1)*0x01010101), resident(byteTable(values))
		for i, q := range q {
			VPTERNLOGD(U8(0xe4), rank, signs[i], q) // q where rank has bits, else signs
			VPERMB(table, q, q)
		}
		k.addProducts(sums[len(sums)-1], m, q)
	}
	if k.Group == 16 {
		k.addWide16(sums[0], sums[1], b.factors, acc)
		return
	}
	k.addWide(sums[0], b.factors, acc, nil)
}

// lookUp returns the words of 32 points of each block, those of register j.
func (k *gemvKernel) lookUp(b wideBook, j int) []vector {
	numbers, words := b.numbers[j], symbol("ranks"+k.Name)
	top := bits.Len(uint(k.points())) - 2
	masks := map[int][]reg.Register{}
	test := func(bit int) {
		for i, n := range numbers {
			m := K()
			if bit >= 8 && b.ninth != nil {
				b.ninth(m, i, j, bit)
			} else {
				VPTESTMW(avx512.repeat(0x00010001<<bit), n, m)
			}
			masks[bit] = append(masks[bit], m)
		}
	}
	for bit := 6; bit < top; bit++ {
		test(bit) // the last one is used once
	}
	// find takes those from the given point on, of as many as the bits up to the
	// given one number.
	var find func(from, bit int) []vector
	find = func(from, bit int) []vector {
		if bit < 6 {
			low := resident(words.Offset(2 * from))
			return mapped(numbers, func(n vector) vector {
				v := ZMM()
				VMOVDQA64(n, v)
				VPERMI2W(words.Offset(2*from+64), low, v)
				return v
			})
		}
		v, above := find(from, bit-1), find(from+1<<bit, bit-1)
		if masks[bit] == nil {
			test(bit)
		}
		for i := range v {
			VMOVDQU16(above[i], masks[bit][i], v[i])
		}
		return v
	}
	return find(0, top)
}

// wideBook emits what finds the parts of blocks.
func (k *gemvKernel) wideBook(blocks []weights) wideBook {
	b := wideBook{step: 8}
	load := func(op func(...Op), at int) []vector {
		return each(blocks, func(block weights) vector { v := ZMM(); op(block(at), v); return v })
	}
	// take returns the bytes of 64 that f gives, and with a mask 0 for the odd ones.
	even := reg.Register(nil)
	take := func(x []vector, f func(s, g, n int) int) []vector {
		from := resident(perByte(0, func(s, g, _, n int) int { return f(s, g, n) }))
		return mapped(x, func(x vector) vector {
			v := ZMM()
			if even != nil {
				VPERMB_Z(x, from, even, v)
			} else {
				VPERMB(x, from, v)
			}
			return v
		})
	}
	evenBytes := func() { even = K(); KMOVQ(quad(0x5555555555555555), even) }
	switch k.Type {
	case quant.IQ2_XXS:
		x := load(VMOVDQU64, 2)
		words := resident(perByte(0, func(_, g, _, n int) int { return max(0, 2*g+1-64*n) }))
		u := mapped(x, func(x vector) vector { v := ZMM(); VPERMD(x, words, v); return v })
		b.signs = wideSevens(u)
		b.factors = mapped(u, func(u vector) vector { v := ZMM(); VPSRLD(U8(27), u, v); return v })
		evenBytes()
		b.numbers = [][]vector{take(x, func(s, g, n int) int { return 8*g + s + n })}
	case quant.IQ3_XXS:
		u := load(VBROADCASTI64X4, 66)
		b.signs = wideSevens(u)
		b.factors = mapped(u, func(u vector) vector { v := ZMM(); VPSRLD(U8(27), u, v); return v })
		x := load(VMOVDQU64, 2)
		evenBytes()
		for j := range 2 {
			b.numbers = append(b.numbers, take(x, func(s, g, n int) int { return 8*g + 4*j + 2*s + n/2 }))
		}
	case quant.IQ2_XS:
		x := take(load(VMOVDQU64, 2), func(s, g, n int) int { return 8*g + 2*s + 4*(n/2) + n%2 })
		b.numbers, b.step = [][]vector{x}, 16
		b.signs = wideCompleted(mapped(x, func(x vector) vector { v := ZMM(); VPSRLW(U8(9), x, v); return v }))
		b.factors = k.wideNibbles(load(VPBROADCASTQ, 66))
	case quant.IQ3_S:
		signs := load(VBROADCASTI64X4, 74)
		b.signs = take(signs, func(s, g, n int) int { return 4*g + s + 2*(n%2) })
		x := load(VMOVDQU64, 2)
		evenBytes()
		for j := range 2 {
			b.numbers = append(b.numbers, take(x, func(s, g, n int) int { return 8*g + 4*j + 2*s + n/2 }))
		}
		b.ninth = func(m reg.Register, i, j, _ int) {
			v := ZMM()
			VPBROADCASTQ(blocks[i](66), v)
			VPSHUFB(resident(perByte(0, func(_, g, _, _ int) int { return g })), v, v)
			VPTESTMW(perByte(0, func(s, _, _, n int) int { return (1 - n%2) << (4*j + 2*s + n/2) }), v, m)
		}
		b.factors = k.wideNibbles(load(VPBROADCASTD, 106))
	}
	d := each(blocks, func(block weights) vector { v := YMM(); VPBROADCASTW(block(k.D.At), v); return v })
	d = mapped(d, func(d vector) vector { v := ZMM(); VCVTPH2PS(d, v); return v })
	if k.Codebook.Step != 1 {
		step := avx512.repeat(math.Float32bits(k.Codebook.Step))
		for _, d := range d {
			VMULPS(step, d, d)
		}
	}
	mask(30, b.factors)
	one := avx512.repeat(1)
	for _, f := range b.factors {
		VPORD(one, f, f)
	}
	scaled(b.factors, func(i int) vector { return d[i] })
	return b
}

// wideNibbles returns twice the scales, in bits 1 to 4 of words, of broadcast
// nibbles: of groups of 16 in the order of the chains, or of 32.
func (k *gemvKernel) wideNibbles(x []vector) []vector {
	return multishift(perByte(0, func(s, g, _, n int) int {
		if k.Group == 16 {
			g = 8*s + g%4*2 + g/4
		}
		return (4*g - 1) & 63
	}), x)
}

// wideSevens returns the signs of words of four times seven bits.
func wideSevens(u []vector) []vector {
	x := multishift(perByte(0, func(s, g, _, n int) int { return g%2*32 + 7*(s+n%2*2) }), u)
	mask(0x7f7f7f7f, x)
	return wideCompleted(x)
}

// wideCompleted sets the eighth bit of bytes so that an even number is set.
func wideCompleted(x []vector) []vector {
	four, parity := avx512.repeat(0x0f0f0f0f), ZMM()
	VBROADCASTI32X4(table(0x00808000, 0x80000080, 0x80000080, 0x00808000), parity)
	y := mapped(x, func(x vector) vector { v := ZMM(); VPSRLW(U8(4), x, v); return v })
	for i, y := range y {
		VPTERNLOGD(U8(0x28), four, x[i], y) // (y ^ x) & four
		VPSHUFB(y, parity, y)
		VPORD(y, x[i], x[i])
	}
	return x
}
