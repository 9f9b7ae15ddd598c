package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

func dotQ8Family() {
	for _, t := range []isa{avx2, avx512} {
		t.dotQ8()
	}
}

// dotQ8 keeps 16 sums in one or two registers.
func (t isa) dotQ8() {
	TEXT("dotQ8"+t.name, NOSPLIT, "func(dst *float32, q *int8, scale, c *float32, rows, groups int)")
	Doc("dotQ8" + t.name + " is dotQ8Generic of that many rows of groups, at least one of each.")
	Pragma("noescape")
	dst, q, scale := pointer("dst"), pointer("q"), pointer("scale")
	rows, left, c := integer("rows"), GP64(), Mem{Base: GP64()}
	n := 16 / t.lanes
	sum := t.regs(n)
	loop("row", rows, func() {
		zero(sum...)
		MOVQ(param("c"), c.Base)
		MOVQ(param("groups"), left)
		loop("group", left, func() {
			s := t.reg()
			VBROADCASTSS(scale, s)
			for i, acc := range sum {
				low, high := t.reg(), t.reg()
				VPMOVSXBD(q.Offset(i*t.lanes), low)
				VPMOVSXBD(q.Offset(16+i*t.lanes), high)
				VCVTDQ2PS(low, low)
				VCVTDQ2PS(high, high)
				VMULPS(c.Offset(i*t.size()), low, low)
				VFMADD231PS(c.Offset(64+i*t.size()), high, low)
				VFMADD231PS(s, low, acc)
			}
			ADDQ(U8(4), scale.Base)
			ADDQ(U8(32), q.Base)
			ADDQ(I32(128), c.Base)
		})
		// 16 sums become 8, 4, 2, 1.
		v, o := sum[0].AsX(), XMM()
		if t == avx512 {
			VADDPS(t.high(sum[0]), sum[0].AsY(), sum[0].AsY())
		} else {
			VADDPS(sum[1], sum[0], sum[0])
		}
		VEXTRACTF128(U8(1), sum[0].AsY(), o)
		VADDPS(o, v, v)
		for _, swap := range []int{0x4e, 0xb1} {
			VPSHUFD(U8(swap), v, o)
			VADDPS(o, v, v)
		}
		VMOVSS(v, dst)
		ADDQ(U8(4), dst.Base)
	})
	VZEROUPPER()
	RET()
}
