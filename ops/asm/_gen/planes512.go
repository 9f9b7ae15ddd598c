package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"

	"github.com/normswap/normswap/quant"
)

// Where 32 quants of a group lie side by side, a product of bits with a matrix for each
// 64-bit word (GFNI) takes those of two groups out of a register, each by its shift, and
// most bytes stay where they are.

// inPlanes reports whether widePlanes has the type.
func (w weightType) inPlanes() bool {
	return w.shape == nibbles256 || w.Items == 256 && w.Group == 16 && w.Codebook == nil && w.Levels == nil && w.Quants.Low.Run >= 32
}

// widePlanes is the step of those. A register has eight quants of groups 2*p and
// 2*p+1 of 32 in turn, as Q8x8.Interleaved has them; the sums of their products have two
// words for each half of a group.
func (k *gemvKernel) widePlanes(blocks []weights, acc vector) {
	q := k.Quants
	low, high := k.planes(blocks, q.Low), k.planes(blocks, q.High)
	var sums [2][]vector
	for p := range sums {
		sums[p] = zeroSums(len(blocks))
		for h := range 2 {
			c := low(p, h, 0)
			if k.hasHigh() {
				x := c
				c = high(p, h, q.Low.Bits)
				for b, c := range c {
					VPTERNLOGD(U8(0xf8), x[b], k.lowBits, c)
				}
			}
			k.fetch(fetchedAtOnce)
			for b, c := range c {
				VPDPBUSD(k.q8x8(b, q8x8Interleaved+128*p+64*h), c, sums[p][b])
			}
		}
	}
	dots := mapped(sums[0], func(vector) vector { return ZMM() })
	for b, d := range dots {
		VSHUFPS(U8(0x88), sums[1][b], sums[0][b], d)
		VSHUFPS(U8(0xdd), sums[1][b], sums[0][b], sums[0][b])
		VPADDD(sums[0][b], d, d)
	}
	if k.Group == 16 {
		k.addHalves(blocks, dots, acc)
		return
	}
	for _, d := range dots {
		VSHUFI64X2(U8(0xd8), d, d, d) // the first halves of all groups, then the second
	}
	k.addWide(dots, scaleMinWide(blocks), acc, VFNMADD231PS)
}

// planes returns a function that gives half h of the integers of the groups 2*p and
// 2*p+1 and, in the upper half of a register, of those four behind them, the given
// number of bits higher than they are. Low ones have other bits beside them if high ones
// follow.
func (k *gemvKernel) planes(blocks []weights, f quant.Field) func(p, h, to int) []vector {
	type source struct{ even, odd [2]int }
	sources := map[source][2][]vector{}
	at := func(g int) [2]int { // of groups g and 4+g
		lo, _ := k.place(f, k.Items, 32*g)
		hi, _ := k.place(f, k.Items, 32*(4+g))
		return [2]int{lo, hi}
	}
	load := func(at [2]int) []vector {
		return each(blocks, func(block weights) vector {
			v := ZMM()
			switch at[1] {
			case at[0] + 32:
				VMOVDQU64(block(at[0]), v)
			case at[0]:
				VBROADCASTI64X4(block(at[0]), v)
			default:
				VMOVDQU64(block(at[0]), asY(v))
				VINSERTI64X4(U8(1), block(at[1]), v, v)
			}
			return v
		})
	}
	return func(p, h, to int) []vector {
		from := source{at(2 * p), at(2*p + 1)}
		x, ok := sources[from]
		if !ok {
			even := load(from.even)
			odd := even
			if from.odd != from.even {
				odd = load(from.odd)
			}
			for i, unpack := range []func(...Op){VPUNPCKLQDQ, VPUNPCKHQDQ} {
				for b := range even {
					v := ZMM()
					unpack(odd[b], even[b], v)
					x[i] = append(x[i], v)
				}
			}
			sources[from] = x
		}
		if shift, same := k.shift(f, p); same && k.hasHigh() && to == 0 {
			if shift == 0 {
				return x[h]
			}
			return mapped(x[h], func(x vector) vector { v := ZMM(); VPSRLW(U8(shift), x, v); return v })
		}
		matrix := k.matrix(f, p, to)
		return mapped(x[h], func(x vector) vector { v := ZMM(); VGF2P8AFFINEQB(U8(0), matrix, x, v); return v })
	}
}

// shift returns the lowest bit of the integers of group 2*p, and whether the others beside
// them have the same.
func (k *gemvKernel) shift(f quant.Field, p int) (bit int, same bool) {
	_, bit = k.place(f, k.Items, 32*2*p)
	for _, g := range []int{2*p + 1, 2*p + 4, 2*p + 5} {
		if _, b := k.place(f, k.Items, 32*g); b != bit {
			return 0, false
		}
	}
	return bit, true
}

// matrix returns the matrices that take integers of a field, of two groups in turn, to
// the given bit: byte 7-n of a word has the bit that becomes bit n.
func (k *gemvKernel) matrix(f quant.Field, p, to int) vector {
	var t [64]byte
	same := true
	for i := range 8 {
		_, bit := k.place(f, k.Items, 32*(i/4*4+2*p+i%2))
		for n := to; n < to+f.Bits; n++ {
			t[8*i+7-n] = 1 << (bit + n - to)
		}
		same = same && [8]byte(t[8*i:]) == [8]byte(t[i%2*8:])
	}
	m := byteTable(t)
	v, ok := k.held[m]
	if !ok {
		v = ZMM()
		if same {
			VBROADCASTI32X4(m, v)
		} else {
			VMOVDQU64(m, v)
		}
		k.held[m] = v
	}
	return v
}

// holdPlanes loads what widePlanes takes quants out with: loads are what it waits for.
func (k *gemvKernel) holdPlanes() {
	q := k.Quants
	for p := range 2 {
		if _, same := k.shift(q.Low, p); !same || !k.hasHigh() {
			k.matrix(q.Low, p, 0)
		}
		if k.hasHigh() {
			k.matrix(q.High, p, q.Low.Bits)
		}
	}
	if k.hasHigh() {
		k.lowBits = avx512.repeat(uint32(1<<q.Low.Bits-1) * 0x01010101)
	}
}

// addHalves adds the sums of groups of 16 to the chains.
func (k *gemvKernel) addHalves(blocks []weights, dots []vector, acc vector) {
	k.subtractAbove(dots)
	ints := k.wideBytes(blocks, chainOrder, k.Scales, k.Mins)
	for i, d := range dots {
		VCVTDQ2PS(d, d)
		x := XMM()
		if k.HasMin() {
			VPBROADCASTD(blocks[i](k.D.At), x) // D and M, side by side
		} else {
			VPBROADCASTW(blocks[i](k.D.At), x)
		}
		VCVTPH2PS(x, x)
		var factors [2]vector
		for n := range ints {
			if n > 0 {
				VMOVSHDUP(x, x)
			}
			factors[n] = YMM()
			VBROADCASTSS(x, factors[n])
		}
		for h, d := range []vector{asY(d), above([]vector{d})[0]} {
			for n := range ints {
				b, f := ints[n][i], YMM()
				if h > 0 {
					VPSRLDQ(U8(8), b, b)
				}
				VPMOVSXBD(b, f)
				VCVTDQ2PS(f, f)
				VMULPS(factors[n], f, f)
				if n == 0 {
					VMULPS(k.q8x8(i, q8x8HalfScale+32*h), f, f)
					VFMADD231PS(f, d, acc)
				} else {
					VFNMADD231PS(k.q8x8(i, q8x8ScaledHalfSum+32*h), f, acc)
				}
			}
		}
	}
}
