package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/x86"
)

func unpackFamily() {
	for _, f := range weightTypes {
		switch f.shape {
		case grids256, digits256:
			unpackGrid(f)
		case fields:
			unpackFields("unpackRow"+f.Name+"AVX2", f, f.panelAbove(), f.planes())
			unpackFields("signedRow"+f.Name+"AVX2", f, 0, 1)
		default:
			unpack512(f)
			unpack2(f)
		}
	}
	compensate512(32)
	compensate512(16)
}

// rowSums adds up, for each of 16 rows, the words of the n vectors that leaf
// makes. It returns two registers for each vector, with the sums of the low
// halves and of the high ones.
func rowSums(n int, leaf func(r int) []vector) (lo, hi []vector) {
	fold := func(lo, hi func(...Op), a, b []vector) []vector {
		for i := range a {
			t := YMM()
			lo(b[i], a[i], t)
			hi(b[i], a[i], a[i])
			clearing(x86.VPADDD(t, a[i], a[i]))
		}
		return a
	}
	var quads [4][]vector // for four rows, the sums of the low halves, then of the high ones
	for i := range quads {
		var pairs [2][]vector
		for k := range pairs {
			a := leaf(4*i + 2*k)
			pairs[k] = fold(VPUNPCKLDQ, VPUNPCKHDQ, a, leaf(4*i+2*k+1))
		}
		quads[i] = fold(VPUNPCKLQDQ, VPUNPCKHQDQ, pairs[0], pairs[1])
	}
	for i := range n {
		a, b, even, odd := ZMM(), ZMM(), ZMM(), ZMM()
		VINSERTI64X4(U8(1), quads[1][i], quads[0][i].AsZ(), a)
		VINSERTI64X4(U8(1), quads[3][i], quads[2][i].AsZ(), b)
		VSHUFI32X4(U8(0x88), b, a, even)
		VSHUFI32X4(U8(0xdd), b, a, odd)
		lo, hi = append(lo, even), append(hi, odd)
	}
	return lo, hi
}

// gatherHalves returns the half-precision numbers at the same place of each
// row.
func gatherHalves(w weightRows, disp int) vector {
	var halves [2]vector
	for i := range halves {
		x := XMM()
		zero(x)
		for r := range 8 {
			clearing(x86.VPINSRW(U8(r), w.at(8*i+r, disp), x, x))
		}
		halves[i] = x
	}
	y, z := YMM(), ZMM()
	VINSERTI32X4(U8(1), halves[1], halves[0].AsY(), y)
	VCVTPH2PS(y, z)
	return z
}

// unpack512 unpacks 16 rows of weights to a panel.
func unpack512(f weightType) {
	name := "unpack" + f.Name + "AVX512"
	TEXT(name, NOSPLIT, "func(q *int8, scale, min *float32, comp *int32, w *byte, stride, blocks int)")
	Doc(name + " is unpackGeneric of 16 rows, and sets comp to -128 times the sum of the quants.")
	Pragma("noescape")
	q, scale, min, comp := pointer("q"), pointer("scale"), pointer("min"), pointer("comp")
	w, blocks := loadWeightRows(), integer("blocks")
	bias, offset := avx2.repeat(0x80808080), avx2.repeat(uint32(f.aboveValue())*0x01010101)
	loop("block", blocks, func() {
		s := f.stepOf(w)
		for _, p := range s.parts {
			lo, hi := rowSums(len(p.sums), func(r int) []vector {
				quants := p.quants(r)
				var dots []vector
				for i, columns := range p.sums {
					c, d, to := quants[i], YMM(), columns[0][0]
					if f.aboveValue() > 0 {
						VPSUBB(offset, c, c)
					}
					zero(d)
					VPDPBUSD(c, bias, d)
					if f.Group == 32 {
						VMOVDQU32(c, q.Offset(to*panelRows+32*r))
					} else {
						VMOVDQU32(c.AsX(), q.Offset(to*panelRows+16*r))
						VEXTRACTI32X4(U8(1), c, q.Offset((to+16)*panelRows+16*r))
					}
					dots = append(dots, d)
				}
				return dots
			})
			for i, columns := range p.sums {
				g := columns[0][0] / f.Group
				dots := []vector{lo[i], hi[i]}
				if f.Group == 32 {
					VPADDD(hi[i], lo[i], lo[i])
					dots = dots[:1]
				}
				for k, d := range dots {
					t := ZMM()
					zero(t)
					VPSUBD(d, t, d)
					VMOVDQU32(d, comp.Offset(64*(g+k)))
					VMOVUPS(s.scale((g+k)*f.Group), scale.Offset(64*(g+k)))
					if f.HasMin() {
						VMOVUPS(s.min((g+k)*f.Group), min.Offset(64*(g+k)))
					}
				}
			}
		}
		w.advance(f.Bytes)
		ADDQ(U32(f.Items*panelRows), q.Base)
		for _, p := range []Mem{scale, min, comp} {
			ADDQ(U32(f.Items/f.Group*64), p.Base)
		}
	})
	VZEROUPPER()
	RET()
}

// compensate512 emits what finds the compensation of a panel.
func compensate512(group int) {
	name := map[int]string{32: "compensate32AVX512", 16: "compensate16AVX512"}[group]
	TEXT(name, NOSPLIT, "func(comp *int32, q *int8, groups int)")
	Doc(name + " sets comp to -128 times the sums of the quants of that many groups of a panel, at least one.")
	Pragma("noescape")
	comp, q, groups := pointer("comp"), pointer("q"), integer("groups")
	bias, order := avx512.repeat(0x80808080), ZMM()
	// Word 4*l+i of sums is of row 4*i+l, or of row 8*(l/2)+2*i+l%2.
	row := func(l, i int) int { return 4*i + l }
	if group == 32 {
		row = func(l, i int) int { return l/2*8 + 2*i + l%2 }
	}
	var from [64]byte
	for l := range 4 {
		for i := range 4 {
			from[4*row(l, i)] = byte(4*l + i)
		}
	}
	VMOVDQU32(byteTable(from), order)
	loop("group", groups, func() {
		four := func(at int) vector {
			leaf := func(i int) vector {
				d := ZMM()
				zero(d)
				c := ZMM()
				VMOVDQU32(q.Offset(at+64*i), c)
				VPDPBUSD(c, bias, d)
				return d
			}
			fold := func(lo, hi func(...Op), a, b vector) vector {
				t := ZMM()
				lo(b, a, t)
				hi(b, a, a)
				VPADDD(t, a, a)
				return a
			}
			a := fold(VPUNPCKLDQ, VPUNPCKHDQ, leaf(0), leaf(1))
			b := fold(VPUNPCKLDQ, VPUNPCKHDQ, leaf(2), leaf(3))
			return fold(VPUNPCKLQDQ, VPUNPCKHQDQ, a, b)
		}
		sum := four(0)
		if group == 32 {
			// Lanes are the halves of rows: those of 2*i, of 2*i+1, then of 8 more.
			a, b := sum, four(256)
			sum = ZMM()
			VSHUFI32X4(U8(0x88), b, a, sum)
			VSHUFI32X4(U8(0xdd), b, a, a)
			VPADDD(a, sum, sum)
		}
		VPERMD(sum, order, sum)
		d := ZMM()
		zero(d)
		VPSUBD(sum, d, d)
		VMOVDQU32(d, comp)
		ADDQ(U32(group*panelRows), q.Base)
		ADDQ(U8(64), comp.Base)
	})
	VZEROUPPER()
	RET()
}
