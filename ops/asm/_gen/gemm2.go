package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// A gemm2Form is a kind of panel that [unpack2] makes. The sums of products of
// unsigned codes with signed activations stay in 16 bits for a while: that
// they need no sign of their own, and few wider sums, is what makes it fast.
type gemm2Form struct {
	name   string
	group  int
	low    bool
	planes int // 2: a code is two nibbles, low and high
	fit    int // how many products of four columns, in pairs, 16 bits hold the sum of
	offset int // the codes are this much above their value
}

var gemm2Forms = []gemm2Form{
	{name: "Q8_0", group: 32, planes: 2, fit: 8, offset: 128},
	{name: "Q4_0", group: 32, planes: 1, fit: 8, offset: 8},
	{name: "Q5_0", group: 32, planes: 1, fit: 4, offset: 16},
	{name: "Low4", group: 32, planes: 1, fit: 8, low: true},
	{name: "Low5", group: 32, planes: 1, fit: 4, low: true},
	{name: "Q6_K", group: 16, planes: 1, fit: 2, offset: 32},
}

// gemm2 multiplies a panel with a tile, a few rows of weights at a time, in
// two vectors of activation rows each. Otherwise it is gemm512.
func gemm2(f gemm2Form) {
	name := "gemm" + f.name + "AVX2"
	TEXT(name, NOSPLIT, "func(c *float32, q *int8, scale, low *float32, tq *uint32, tscale, tlow *float32, thalf *uint32, columns int, chains *float32)")
	Doc(name + " is gemmGeneric over so many columns, whole groups of 32, at least one.")
	Pragma("noescape")
	const vecs = 2
	rows, steps := 4, f.group/4
	if f.planes > 1 || f.fit < steps {
		rows = 2 // each row has two sums, or sums of both widths
	}
	q, scale := pointer("q"), pointer("scale")
	tq, tscale := pointer("tq"), pointer("tscale")
	var lows, tlow, thalf Mem
	if f.low {
		lows, tlow = pointer("low"), pointer("tlow")
	} else {
		thalf = pointer("thalf")
	}
	end, sums := integer("columns"), pointer("chains")
	ADDQ(end, end) // 64 bytes for 32 columns
	i, chain, to, left := GP64(), GP64(), GP64(), GP64()
	XORQ(i, i)
	ones, high := YMM(), YMM()
	VPBROADCASTD(table(0x00010001), ones)
	if f.planes > 1 {
		VPBROADCASTD(table(0x00100010), high)
	}
	tile := func(m Mem, scale uint8, disp int) Mem {
		return Mem{Base: m.Base, Index: i, Scale: scale, Disp: disp}
	}
	block := func(label string, first bool) {
		for sub := range 32 / f.group {
			// What the offset of the codes adds, in the whole group or a half.
			var excess [vecs]vector
			if f.offset > 0 {
				take := uint32(-f.offset) & 0xffff
				switch take *= 0x00010001; {
				case f.group == 16 && sub == 0:
					take &= 0xffff
				case f.group == 16:
					take &= 0xffff0000
				}
				for v := range excess {
					excess[v] = YMM()
					VMOVDQU(table(take), excess[v])
					VPMADDWD(tile(thalf, 1, 32*v), excess[v], excess[v])
				}
			}
			LEAQ(Mem{Base: chain, Disp: sub * chains / 2 * chainBytes}, to)
			MOVQ(U32(panelRows/rows), left)
			loop(label+[]string{"rows", "rows16"}[sub], left, func() {
				dot := f.dots(rows, func(r, k int) Mem { return q.Offset(r*f.group + 4*k) },
					func(k, v int) Mem { return tile(tq, 8, (sub*steps+k)*64+32*v) }, ones, high)
				for r := range dot {
					s, l := YMM(), YMM()
					VBROADCASTSS(scale.Offset(4*r), s)
					if f.low {
						VBROADCASTSS(lows.Offset(4*r), l)
					}
					for v, d := range dot[r] {
						at, p := Mem{Base: to, Disp: 64*r + 32*v}, YMM()
						if f.offset > 0 {
							VPADDD(excess[v], d, d)
						}
						VMULPS(tile(tscale, 1, 32*v), s, p)
						VCVTDQ2PS(d, d)
						if first {
							VMULPS(p, d, d)
						} else {
							VFMADD213PS(at, p, d)
						}
						if f.low {
							VFMADD231PS(tile(tlow, 1, 32*v), l, d)
						}
						VMOVUPS(d, at)
					}
				}
				ADDQ(U32(rows*f.planes*f.group), q.Base)
				ADDQ(U8(4*rows), scale.Base)
				if f.low {
					ADDQ(U8(4*rows), lows.Base)
				}
				ADDQ(U32(64*rows), to)
			})
		}
		ADDQ(U8(64), i)
	}
	avx2.turns(f.group, i, end, chain, sums, block)
	avx2.sumChains(sums)
	VZEROUPPER()
	RET()
}

// dots returns the sums of the products of a group, for so many rows and two
// vectors of activation rows. q is where four codes of a row are, or, with two
// planes, of half a row; t is where the activations for them are.
func (f gemm2Form) dots(rows int, q, t func(k, v int) Mem, ones, high vector) [][2]vector {
	part, dot := make([][2]vector, rows*f.planes), make([][2]vector, rows)
	for k := range f.group / 4 {
		var a [2]vector
		for v := range a {
			a[v] = YMM()
			VMOVDQU(t(k, v), a[v])
		}
		for r := range part {
			w := YMM()
			VPBROADCASTD(q(r, k), w)
			for v := range a {
				p := YMM()
				VPMADDUBSW(a[v], w, p)
				if k%f.fit == 0 {
					part[r][v] = p
				} else {
					VPADDW(p, part[r][v], part[r][v])
				}
			}
		}
		if (k+1)%f.fit != 0 {
			continue
		}
		for r := range part {
			for v, p := range part[r] {
				factor := ones
				if r%f.planes > 0 {
					factor = high
				}
				VPMADDWD(factor, p, p)
				switch {
				case k < f.fit && r%f.planes == 0:
					dot[r/f.planes][v] = p
				default:
					VPADDD(p, dot[r/f.planes][v], dot[r/f.planes][v])
				}
			}
		}
	}
	return dot
}
