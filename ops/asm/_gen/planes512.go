package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"

	"github.com/normswap/normswap/quant"
)

// Where 32 quants of a group lie side by side, two groups come out of a register by a
// shift and a mask. Their products are added up across a register, which takes fewer
// instructions of the kind that moves bytes than to bring the quants to the places
// that the other wide kernels have them at.

// inPlanes reports whether widePlanes has the type.
func (w weightType) inPlanes() bool {
	return w.Items == 256 && w.Group == 16 && w.Codebook == nil && w.Quants.Low.Run >= 32
}

// widePlanes is the step of 16 groups of 16: groups i and 4+i of 32 are the halves of a
// register, as Q8x8.Alternating has them.
func (k *gemvKernel) widePlanes(blocks []weights, acc vector) {
	q := k.Quants
	low, high := k.planes512(blocks, q.Low, 0), k.planes512(blocks, q.High, q.Low.Bits)
	lowBits := avx512.repeat(uint32(1<<q.Low.Bits-1) * 0x01010101)
	highBits := lowBits
	if k.hasHigh() {
		highBits = avx512.repeat(uint32(1<<q.High.Bits-1) << q.Low.Bits * 0x01010101)
	}
	dot := func(i int) []vector {
		c := mapped(low(i), func(x vector) vector { v := ZMM(); VPANDD(lowBits, x, v); return v })
		for b, h := range high(i) {
			VPTERNLOGD(U8(0xf8), highBits, h, c[b])
		}
		sums := zeroSums(len(blocks))
		for b, c := range c {
			VPDPBUSD(k.q8x8(b, q8x8Alternating+64*i), c, sums[b])
		}
		return sums
	}
	fold := func(lo, hi func(...Op), a, b []vector) []vector {
		for i := range a {
			t := ZMM()
			lo(b[i], a[i], t)
			hi(b[i], a[i], a[i])
			VPADDD(t, a[i], a[i])
		}
		return a
	}
	a := fold(VPUNPCKLDQ, VPUNPCKHDQ, dot(0), dot(1))
	b := fold(VPUNPCKLDQ, VPUNPCKHDQ, dot(2), dot(3))
	dots := fold(VPUNPCKLQDQ, VPUNPCKHQDQ, a, b)
	if k.above > 0 {
		for i, d := range dots {
			off := resident(k.q8x8(i, q8x8HalfSum))
			k.timesAbove(off)
			VPSUBD(off, d, d)
		}
	}
	ints := k.wideBytes(blocks, chainOrder, k.Scales, k.Mins)
	at := []int{k.D.At, k.M.At}
	for i, d := range dots {
		VCVTDQ2PS(d, d)
		x := XMM()
		if k.HasMin() {
			VPBROADCASTD(blocks[i](k.D.At), x) // D and M, side by side
		} else {
			VPBROADCASTW(blocks[i](at[0]), x)
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
		high := above([]vector{d})[0]
		for h, d := range []vector{asY(d), high} {
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

// planes512 returns a function that gives the integers of groups i and 4+i, to bits
// higher than they are, among other bits; nothing of an absent field.
func (k *gemvKernel) planes512(blocks []weights, f quant.Field, to int) func(i int) []vector {
	type source struct{ lo, hi, apart int }
	sources := map[source][]vector{}
	return func(i int) []vector {
		if f.Bits == 0 {
			return nil
		}
		lo, bit := k.place(f, k.Items, 32*i)
		hi, bitHi := k.place(f, k.Items, 32*(i+4))
		from := source{lo, hi, bitHi - bit}
		x, ok := sources[from]
		if !ok {
			x = each(blocks, func(block weights) vector {
				v := ZMM()
				switch hi {
				case lo + 32:
					VMOVDQU64(block(lo), v)
				case lo:
					VBROADCASTI64X4(block(lo), v)
				default:
					VMOVDQU64(block(lo), asY(v))
					VINSERTI64X4(U8(1), block(hi), v, v)
				}
				if from.apart > 0 {
					VPSRLVQ(perHalf(from.apart), v, v)
				}
				return v
			})
			sources[from] = x
		}
		if bit == to {
			return x
		}
		return mapped(x, func(x vector) vector {
			v := ZMM()
			if bit > to {
				VPSRLW(U8(bit-to), x, v)
			} else {
				VPSLLW(U8(to-bit), x, v)
			}
			return v
		})
	}
}

// perHalf returns a table of 64-bit words: 0 in the lower half, n in the upper one.
func perHalf(n int) Mem { return perQuad(func(s, _ int) int { return s * n }) }
