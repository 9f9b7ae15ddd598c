package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/x86"
)

// A step is what an iteration of the loop over a row reads.
type step struct {
	parts []part
	// scale and min return, for the group of 16 rows that has the given
	// column, the scales and the mins.
	scale, min func(column int) vector
}

// A part is a number of sums that are made together.
type part struct {
	sums []sum
	// quants returns the vectors of quants of row r, in the order of the sums'
	// columns.
	quants func(r int) []vector
}

// A sum is that of the products of one or more vectors of 32 quants. Of each
// it gives the columns that the low and the high 16 quants begin at. If these
// are in different groups, there are two sums, in the low and the high lanes.
type sum [][2]int

// stepOf returns the step for a type's shape.
func (f weightType) stepOf(w weightRows) step {
	return map[shape]func(weightRows) step{
		bytes32: f.stepBytes32, nibbles32: f.stepNibbles32, nibbles256: f.stepNibbles256, sixes256: f.stepSixes256,
	}[f.shape](w)
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

func (f weightType) stepBytes32(w weightRows) step {
	flip := avx2.repeat(0x80808080)
	return step{
		parts: []part{{[]sum{whole(0)}, func(r int) []vector {
			c := YMM()
			VPXORD(w.at(r, f.Quants.Low.At), flip, c)
			return []vector{c}
		}}},
		scale: halves(w, f.D.At),
	}
}

func (f weightType) stepNibbles32(w weightRows) step {
	mask, bit := avx2.repeat(0x0f0f0f0f), avx2.repeat(0x10101010)
	return step{
		parts: []part{{[]sum{whole(0)}, func(r int) []vector {
			x, c := XMM(), load16(w.at(r, f.Quants.Low.At))
			VPSRLW(U8(4), c.AsX(), x)
			VINSERTI32X4(U8(1), x, c, c)
			VPANDD(mask, c, c)
			if f.hasHigh() {
				k := K()
				KMOVD(w.at(r, f.Quants.High.At), k)
				VPADDB(bit, c, k, c)
			}
			return []vector{c}
		}}},
		scale: halves(w, f.D.At),
		min:   halves(w, f.M.At),
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

func (f weightType) stepNibbles256(w weightRows) step {
	mask, bit := avx2.repeat(0x0f0f0f0f), avx2.repeat(0x10101010)
	h := gatherQuads(w, 0)
	d := wordHalves(h[0])
	VPSRLD(U8(16), h[0], h[0])
	m := wordHalves(h[0])
	VXORPS(avx512.repeat(0x80000000), m, m)
	// Scales, then mins, of the groups 0 to 3 and 4 to 7, a byte each.
	six, four, two := avx512.repeat(0x3f3f3f3f), avx512.repeat(0x0f0f0f0f), avx512.repeat(0x30303030)
	high := func(v vector) vector { // the last two bits of each byte, in their place
		t := ZMM()
		VPSRLD(U8(2), v, t)
		VPANDD(two, t, t)
		return t
	}
	scales, mins := [2]vector{h[1], ZMM()}, [2]vector{h[2], ZMM()}
	hs, hm := high(h[1]), high(h[2])
	VPANDD(four, h[3], scales[1])
	VPORD(hs, scales[1], scales[1])
	VPSRLD(U8(4), h[3], mins[1])
	VPANDD(four, mins[1], mins[1])
	VPORD(hm, mins[1], mins[1])
	VPANDD(six, h[1], h[1])
	VPANDD(six, h[2], h[2])
	times := func(ints [2]vector, factor vector) func(int) vector {
		return func(column int) vector {
			g, t := column/32, ZMM()
			VPSHUFB(byteOf(g%4), ints[g/4], t)
			VCVTDQ2PS(t, t)
			VMULPS(factor, t, t)
			return t
		}
	}
	s := step{scale: times(scales, d), min: times(mins, m)}
	for i := range 4 {
		s.parts = append(s.parts, part{[]sum{whole(64 * i), whole(64*i + 32)}, func(r int) []vector {
			lo, hi := load(w.at(r, f.Quants.Low.At+32*i)), YMM()
			VPSRLW(U8(4), lo, hi)
			VPANDD(mask, lo, lo)
			VPANDD(mask, hi, hi)
			if f.hasHigh() {
				for k, c := range []vector{lo, hi} {
					have := K()
					VPTESTMB(w.at(r, f.Quants.High.At), avx2.repeat(0x01010101<<(2*i+k)), have)
					VPADDB(bit, c, have, c)
				}
			}
			return []vector{lo, hi}
		}})
	}
	return s
}

func (f weightType) stepSixes256(w weightRows) step {
	lowAt, highAt := f.Quants.Low.At, f.Quants.High.At
	low, high := avx2.repeat(0x0f0f0f0f), avx2.repeat(0x30303030)
	scales := gatherQuads(w, f.Scales.Low.At)
	d := gatherHalves(w, f.D.At)
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
			pairs := load(w.at(r, highAt+32*half))
			var c []vector
			for k := range 2 {
				q, p := YMM(), YMM()
				if top {
					VMOVDQU32(w.at(r, lowAt+64*half+32*k), q)
					VPSRLW(U8(4), q, q)
				} else {
					VMOVDQU32(w.at(r, lowAt+64*half+32*k), q)
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
