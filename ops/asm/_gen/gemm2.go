package main

import (
	"fmt"
	"log"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// A gemm2Form is a kind of panel that [unpack2] makes. The sums of products of
// unsigned quants with signed activations stay in 16 bits for a while: that
// they need no sign of their own, and few wider sums, is what makes it fast.
type gemm2Form struct {
	weightType // one that has this form
}

// fit is how many products of four columns, in pairs, 16 bits hold the sum of:
// eight of nibbles, half of that for each bit more.
func (f gemm2Form) fit() int { return 8 >> (f.panelBits()/f.planes() - 4) }

// gemm2Forms are the forms of all types.
func gemm2Forms() (forms []gemm2Form) {
	zero := map[string]int{}
	for _, w := range weightTypes {
		name := w.form2()
		if z, seen := zero[name]; seen {
			if z != w.panelAbove() {
				log.Fatalf("gen: products of form %q have two zero points, %d and %s's", name, z, w.Name)
			}
			continue
		}
		zero[name] = w.panelAbove()
		forms = append(forms, gemm2Form{w})
	}
	return forms
}

// gemm2 multiplies a panel with a tile, a few rows of weights at a time, in
// two vectors of activation rows each, or one. Otherwise it is gemm512.
func gemm2(f gemm2Form, vecs int) {
	name := "gemm" + fewRows(8*vecs) + f.form2() + "AVX2"
	TEXT(name, NOSPLIT, "func(c *float32, q *int8, scale, min *float32, aq *uint32, ascale, asum *float32, ahalf *uint32, columns int, chains *float32, ahead *byte, step int)")
	Doc(name+" is gemmGeneric over that many columns, whole groups of 32, at least one,",
		fmt.Sprintf("for %d activation rows. For each group it fetches step bytes from ahead on.", 8*vecs))
	Pragma("noescape")
	rows, steps, planes := 4, f.Group/4, f.planes()
	if planes > 1 || f.fit() < steps {
		rows = 2 // each row has two sums, or sums of both widths
	}
	fetch := fetcher()
	q, scale := pointer("q"), pointer("scale")
	aq, ascale := pointer("aq"), pointer("ascale")
	var mins, asum, ahalf Mem
	if f.HasMin() {
		mins = pointer("min")
	}
	if f.HasMin() && f.Group == 32 {
		asum = pointer("asum")
	} else {
		ahalf = pointer("ahalf")
	}
	end := integer("columns")
	ADDQ(end, end) // 64 bytes for 32 columns
	i, chain, to, left := GP64(), GP64(), GP64(), GP64()
	XORQ(i, i)
	ones, high := YMM(), YMM()
	VPBROADCASTD(table(0x00010001), ones)
	if planes > 1 {
		VPBROADCASTD(table(0x00100010), high)
	}
	tile := func(m Mem, scale uint8, disp int) Mem {
		return Mem{Base: m.Base, Index: i, Scale: scale, Disp: disp}
	}
	block := func(label string, first bool) {
		fetch(label)
		for sub := range 32 / f.Group {
			// What the zero point of the quants adds, in the whole group or a half.
			excess := make([]vector, vecs)
			if f.panelAbove() > 0 {
				take := uint32(-f.panelAbove()) & 0xffff
				switch take *= 0x00010001; {
				case f.Group == 16 && sub == 0:
					take &= 0xffff
				case f.Group == 16:
					take &= 0xffff0000
				}
				for v := range excess {
					excess[v] = YMM()
					VMOVDQU(table(take), excess[v])
					VPMADDWD(tile(ahalf, 1, 32*v), excess[v], excess[v])
				}
			}
			halves := make([]vector, vecs) // sums of half a group, times the scales
			if f.HasMin() && f.Group == 16 {
				for v := range halves {
					h := YMM()
					VMOVDQU(tile(ahalf, 1, 32*v), h)
					if sub == 0 {
						VPSLLD(U8(16), h, h)
					}
					VPSRAD(U8(16), h, h)
					VCVTDQ2PS(h, h)
					VMULPS(tile(ascale, 1, 32*v), h, h)
					halves[v] = h
				}
			}
			LEAQ(Mem{Base: chain, Disp: sub * chains / 2 * chainBytes}, to)
			MOVQ(U32(panelRows/rows), left)
			loop(label+[]string{"rows", "rows16"}[sub], left, func() {
				dot := f.dots(rows, vecs, func(r, k int) Mem { return q.Offset(r*f.Group + 4*k) },
					func(k, v int) Mem { return tile(aq, 8, (sub*steps+k)*64+32*v) }, ones, high)
				for r := range dot {
					s, l := YMM(), YMM()
					VBROADCASTSS(scale.Offset(4*r), s)
					if f.HasMin() {
						VBROADCASTSS(mins.Offset(4*r), l)
					}
					for v, d := range dot[r][:vecs] {
						at, p := Mem{Base: to, Disp: 64*r + 32*v}, YMM()
						if f.panelAbove() > 0 {
							VPADDD(excess[v], d, d)
						}
						VMULPS(tile(ascale, 1, 32*v), s, p)
						VCVTDQ2PS(d, d)
						if first {
							VMULPS(p, d, d)
						} else {
							VFMADD213PS(at, p, d)
						}
						switch {
						case f.HasMin() && f.Group == 16:
							VFMADD231PS(halves[v], l, d)
						case f.HasMin():
							VFMADD231PS(tile(asum, 1, 32*v), l, d)
						}
						VMOVUPS(d, at)
					}
				}
				ADDQ(U32(rows*planes*f.Group), q.Base)
				ADDQ(U8(4*rows), scale.Base)
				if f.HasMin() {
					ADDQ(U8(4*rows), mins.Base)
				}
				ADDQ(U32(64*rows), to)
			})
		}
		ADDQ(U8(64), i)
	}
	avx2.rounds(f.Group, U32(chainBytes), i, end, chain, block)
	avx2.sumChains(pointer("c"), pointer("chains"), panelRows, 8*vecs)
	VZEROUPPER()
	RET()
}

// dots returns the sums of the products of a group, for that many rows and
// vectors of activation rows. q is where four quants of a row are, or, with two
// planes, of half a row; t is where the activations for them are.
func (f gemm2Form) dots(rows, vecs int, q, t func(k, v int) Mem, ones, high vector) [][2]vector {
	planes, fit := f.planes(), min(f.fit(), f.Group/4)
	part, dot := make([][2]vector, rows*planes), make([][2]vector, rows)
	for k := range f.Group / 4 {
		a := make([]vector, vecs)
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
				if k%fit == 0 {
					part[r][v] = p
				} else {
					VPADDW(p, part[r][v], part[r][v])
				}
			}
		}
		if (k+1)%fit != 0 {
			continue
		}
		for r := range part {
			for v, p := range part[r][:vecs] {
				factor := ones
				if r%planes > 0 {
					factor = high
				}
				VPMADDWD(factor, p, p)
				switch {
				case k < fit && r%planes == 0:
					dot[r/planes][v] = p
				default:
					VPADDD(p, dot[r/planes][v], dot[r/planes][v])
				}
			}
		}
	}
	return dot
}
