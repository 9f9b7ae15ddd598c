package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/x86"
)

// A blockFormat says how to read 16 rows of stored blocks at a time.
type blockFormat struct {
	name         string
	items, bytes int
	group        int  // codes that share a scale
	offset       int  // the codes that are read are this much above their value
	low          bool // a group has a low
	step         func(w weightRows) step
}

// A step is what a turn of the loop over a row reads.
type step struct {
	parts []part
	// scale and low return, for the group of 16 rows that has the given
	// column, the scales and the lows.
	scale, low func(column int) vector
}

// A part is a number of sums that are made together.
type part struct {
	sums []sum
	// codes returns the vectors of codes of row r, in the order of the sums'
	// columns.
	codes func(r int) []vector
}

// A sum is that of the products of one or more vectors of 32 codes. Of each
// it gives the columns that the low and the high 16 codes begin at. If these
// are in different groups, there are two sums, in the low and the high lanes.
type sum [][2]int

var blockFormats = []blockFormat{
	{name: "Q8_0", items: 32, bytes: 34, group: 32, offset: 128, step: stepQ8_0},
	{name: "Q4_0", items: 32, bytes: 18, group: 32, offset: 8,
		step: func(w weightRows) step { return stepNibbles(w, 2, 0, -1) }},
	{name: "Q4_1", items: 32, bytes: 20, group: 32, low: true,
		step: func(w weightRows) step { return stepNibbles(w, 4, 0, 2) }},
	{name: "Q5_0", items: 32, bytes: 22, group: 32, offset: 16,
		step: func(w weightRows) step { return stepNibbles(w, 6, 2, -1) }},
	{name: "Q5_1", items: 32, bytes: 24, group: 32, low: true,
		step: func(w weightRows) step { return stepNibbles(w, 8, 4, 2) }},
	{name: "Q4_K", items: 256, bytes: 144, group: 32, low: true,
		step: func(w weightRows) step { return stepK(w, 16, 0) }},
	{name: "Q5_K", items: 256, bytes: 176, group: 32, low: true,
		step: func(w weightRows) step { return stepK(w, 48, 16) }},
	{name: "Q6_K", items: 256, bytes: 210, group: 16, offset: 32, step: stepQ6_K},
}

// whole is the sum over the 32 columns from the given one.
func whole(column int) sum { return sum{{column, column + 16}} }

func load(m Mem) vector {
	v := YMM()
	VMOVDQU32(m, v)
	return v
}

// halves returns a function that reads the half-precision number at the same
// place of each row.
func halves(w weightRows, disp int) func(int) vector {
	return func(int) vector { return gatherHalves(w, disp) }
}

func stepQ8_0(w weightRows) step {
	flip := avx2.repeat(0x80808080)
	return step{
		parts: []part{{[]sum{whole(0)}, func(r int) []vector {
			c := YMM()
			VPXORD(w.at(r, 2), flip, c)
			return []vector{c}
		}}},
		scale: halves(w, 0),
	}
}

// stepNibbles reads a block of 16 bytes of nibbles at the given place, with a
// word of fifth bits and a minimum if their places are positive.
func stepNibbles(w weightRows, nibbles, fifths, low int) step {
	mask, bit := avx2.repeat(0x0f0f0f0f), avx2.repeat(0x10101010)
	return step{
		parts: []part{{[]sum{whole(0)}, func(r int) []vector {
			x, c := XMM(), load16(w.at(r, nibbles))
			VPSRLW(U8(4), c.AsX(), x)
			VINSERTI32X4(U8(1), x, c, c)
			VPANDD(mask, c, c)
			if fifths > 0 {
				k := K()
				KMOVD(w.at(r, fifths), k)
				VPADDB(bit, c, k, c)
			}
			return []vector{c}
		}}},
		scale: halves(w, 0),
		low:   halves(w, low),
	}
}

// gatherQuads returns the four words at the same place of each row.
func gatherQuads(w weightRows, disp int) [4]vector {
	// Lane l of a[j] is row 4*l+j.
	var a [4]vector
	for j := range a {
		lo, hi := load16(w.at(j, disp)), load16(w.at(8+j, disp))
		VINSERTI32X4(U8(1), w.at(12+j, disp), hi, hi)
		clearing(x86.VINSERTI32X4(U8(1), w.at(4+j, disp), lo, lo))
		a[j] = ZMM()
		VINSERTI64X4(U8(1), hi, lo.AsZ(), a[j])
	}
	op := func(op func(...Op), x, y vector) vector { t := ZMM(); op(y, x, t); return t }
	lo0, hi0 := op(VPUNPCKLDQ, a[0], a[1]), op(VPUNPCKHDQ, a[0], a[1])
	lo1, hi1 := op(VPUNPCKLDQ, a[2], a[3]), op(VPUNPCKHDQ, a[2], a[3])
	return [4]vector{
		op(VPUNPCKLQDQ, lo0, lo1), op(VPUNPCKHQDQ, lo0, lo1),
		op(VPUNPCKLQDQ, hi0, hi1), op(VPUNPCKHQDQ, hi0, hi1),
	}
}

// wordHalves converts the low 16 bits of each word from half precision.
func wordHalves(v vector) vector {
	y, z := YMM(), ZMM()
	VPMOVDW(v, y)
	VCVTPH2PS(y, z)
	return z
}

// byteOf returns a table for VPSHUFB that moves byte i of each word to its
// place, zero-extended.
func byteOf(i int) vector {
	m, ok := byteTables[i]
	if !ok {
		var w [4]uint32
		for k := range w {
			w[k] = 0x80808000 | uint32(4*k+i)
		}
		m = wordTable(fmt.Sprint("byte", i), w[:]...)
		byteTables[i] = m
	}
	v := ZMM()
	VBROADCASTI32X4(m, v)
	return v
}

var byteTables = map[int]Mem{}

// stepK reads a block of Q4_K, or, with fifth bits, Q5_K.
func stepK(w weightRows, nibbles, fifths int) step {
	mask, bit := avx2.repeat(0x0f0f0f0f), avx2.repeat(0x10101010)
	h := gatherQuads(w, 0)
	d := wordHalves(h[0])
	VPSRLD(U8(16), h[0], h[0])
	m := wordHalves(h[0])
	VXORPS(avx512.repeat(0x80000000), m, m)
	// Scales, then minima, of the groups 0 to 3 and 4 to 7, a byte each.
	six, four, two := avx512.repeat(0x3f3f3f3f), avx512.repeat(0x0f0f0f0f), avx512.repeat(0x30303030)
	high := func(v vector) vector { // the last two bits of each byte, in their place
		t := ZMM()
		VPSRLD(U8(2), v, t)
		VPANDD(two, t, t)
		return t
	}
	scales, minima := [2]vector{h[1], ZMM()}, [2]vector{h[2], ZMM()}
	hs, hm := high(h[1]), high(h[2])
	VPANDD(four, h[3], scales[1])
	VPORD(hs, scales[1], scales[1])
	VPSRLD(U8(4), h[3], minima[1])
	VPANDD(four, minima[1], minima[1])
	VPORD(hm, minima[1], minima[1])
	VPANDD(six, h[1], h[1])
	VPANDD(six, h[2], h[2])
	times := func(codes [2]vector, factor vector) func(int) vector {
		return func(column int) vector {
			g, t := column/32, ZMM()
			VPSHUFB(byteOf(g%4), codes[g/4], t)
			VCVTDQ2PS(t, t)
			VMULPS(factor, t, t)
			return t
		}
	}
	s := step{scale: times(scales, d), low: times(minima, m)}
	for i := range 4 {
		s.parts = append(s.parts, part{[]sum{whole(64 * i), whole(64*i + 32)}, func(r int) []vector {
			lo, hi := load(w.at(r, nibbles+32*i)), YMM()
			VPSRLW(U8(4), lo, hi)
			VPANDD(mask, lo, lo)
			VPANDD(mask, hi, hi)
			if fifths > 0 {
				for k, c := range []vector{lo, hi} {
					have := K()
					VPTESTMB(w.at(r, fifths), avx2.repeat(0x01010101<<(2*i+k)), have)
					VPADDB(bit, c, have, c)
				}
			}
			return []vector{lo, hi}
		}})
	}
	return s
}

func stepQ6_K(w weightRows) step {
	low, high := avx2.repeat(0x0f0f0f0f), avx2.repeat(0x30303030)
	scales := gatherQuads(w, 192)
	d := gatherHalves(w, 208)
	s := step{scale: func(column int) vector {
		g, t := column/16, ZMM()
		VPSLLD(U8(24-8*(g%4)), scales[g/4], t)
		VPSRAD(U8(24), t, t)
		VCVTDQ2PS(t, t)
		VMULPS(d, t, t)
		return t
	}}
	for i := range 4 {
		half, top := i/2, i%2 == 1 // top: the high nibbles and the upper pairs
		from := 128*half + 64*(i%2)
		s.parts = append(s.parts, part{[]sum{whole(from), whole(from + 32)}, func(r int) []vector {
			pairs := load(w.at(r, 128+32*half))
			var c []vector
			for k := range 2 {
				q, p := YMM(), YMM()
				if top {
					VMOVDQU32(w.at(r, 64*half+32*k), q)
					VPSRLW(U8(4), q, q)
				} else {
					VMOVDQU32(w.at(r, 64*half+32*k), q)
				}
				switch {
				case top && k == 0:
					VPANDD(high, pairs, p)
				case top:
					VPSRLW(U8(2), pairs, p)
					VPANDD(high, p, p)
				default:
					VPSLLW(U8(4-2*k), pairs, p)
					VPANDD(high, p, p)
				}
				VPTERNLOGD(U8(0xf8), low, q, p) // p | q & low
				c = append(c, p)
			}
			return c
		}})
	}
	return s
}
