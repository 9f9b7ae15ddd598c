package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func columnsFamily() {
	sumColumns2("sumColumnsAVX2", 32, 1, false)
	sumColumns2("sumColumnsNibblesAVX2", 32, 2, false)
	sumColumns2("sumColumnsMinAVX2", 32, 1, true)
	sumColumns2("sumColumnsSub16AVX2", 16, 1, false)
	sumColumns2("sumColumnsSub16MinAVX2", 16, 1, true)
}

// sumColumns2 adds rows of a panel to sums in float64, which stay in registers
// for a group of columns. With two planes, quants are two nibbles.
func sumColumns2(name string, group, planes int, min bool) {
	TEXT(name, NOSPLIT, "func(sum *float64, q *int8, scale, min *float32, groups, rows int, offset int32)")
	Doc(name+" is sumColumnsGeneric of that many groups and rows, at least one of each,",
		"with quants that are stored offset above their value.")
	Pragma("noescape")
	sum, q, scale, mins := pointer("sum"), pointer("q"), pointer("scale"), pointer("min")
	groups := integer("groups")
	r, at, left, offset := GP64(), GP64(), GP64(), YMM()
	VMOVD(Load(Param("offset"), GP32()), offset.AsX())
	VPBROADCASTD(offset.AsX(), offset)
	loop("group", groups, func() {
		acc := avx2.regs(group / 4)
		for i, a := range acc {
			VMOVUPD(sum.Offset(32*i), a)
		}
		XORQ(r, r)
		MOVQ(q.Base, at)
		MOVQ(param("rows"), left)
		loop("row", left, func() {
			s, l := YMM(), YMM()
			VBROADCASTSS(Mem{Base: scale.Base, Index: r, Scale: 4}, s)
			if min {
				VBROADCASTSS(Mem{Base: mins.Base, Index: r, Scale: 4}, l)
			}
			for i := range group / 8 {
				v, lo, hi := YMM(), YMM(), XMM()
				VPMOVSXBD(Mem{Base: at, Disp: 8 * i}, v)
				if planes > 1 {
					VPMOVSXBD(Mem{Base: at, Disp: group + 8*i}, lo)
					VPSLLD(U8(4), lo, lo)
					VPADDD(lo, v, v)
				}
				VPSUBD(offset, v, v)
				VCVTDQ2PS(v, v)
				if min {
					VFMADD213PS(l, s, v)
				} else {
					VMULPS(s, v, v)
				}
				VEXTRACTF128(U8(1), v, hi)
				VCVTPS2PD(v.AsX(), lo)
				VADDPD(lo, acc[2*i], acc[2*i])
				VCVTPS2PD(hi, lo)
				VADDPD(lo, acc[2*i+1], acc[2*i+1])
			}
			INCQ(r)
			ADDQ(U8(planes*group), at)
		})
		for i, a := range acc {
			VMOVUPD(a, sum.Offset(32*i))
		}
		ADDQ(U32(8*group), sum.Base)
		ADDQ(U32(panelRows*planes*group), q.Base)
		for _, p := range []reg.Register{scale.Base, mins.Base} {
			ADDQ(U8(4*panelRows), p)
		}
	})
	VZEROUPPER()
	RET()
}
