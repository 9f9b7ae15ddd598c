package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// quantize2 is quantize512 with eight lanes.
func quantize2() {
	TEXT("quantizeAVX2", NOSPLIT, "func(q *int8, scale, scaledSum *float32, sum, halfSum *int32, x *float32, groups int)")
	Doc("quantizeAVX2 is quantizeGeneric of that many groups, at least one.")
	Pragma("noescape")
	q, scale, scaledSum := pointer("q"), pointer("scale"), pointer("scaledSum")
	sum, halfSum, x, groups := pointer("sum"), pointer("halfSum"), pointer("x"), integer("groups")
	k := &gemvKernel{isa: avx2}
	abs, order := k.constant(0x7fffffff), YMM()
	VMOVDQU(wordTable("packed", 0, 4, 1, 5, 2, 6, 3, 7), order)
	c127, tiny := XMM(), XMM()
	VMOVSS(constant(0x42fe0000), c127) // 127
	VMOVSS(constant(0x1f800000), tiny) // 2^-64
	loop("group", groups, func() {
		var v [4]vector
		m, t := YMM(), YMM()
		for i := range v {
			v[i] = YMM()
			VMOVUPS(x.Offset(32*i), v[i])
			if i == 0 {
				VPAND(v[i], abs, m)
				continue
			}
			VPAND(v[i], abs, t)
			VPMAXUD(t, m, m)
		}
		VEXTRACTI128(U8(1), m, t.AsX())
		VPMAXUD(t.AsX(), m.AsX(), m.AsX())
		for _, swap := range []int{0x4e, 0xb1} {
			VPSHUFD(U8(swap), m.AsX(), t.AsX())
			VPMAXUD(t.AsX(), m.AsX(), m.AsX())
		}
		amax, s, some, inv, nan := m.AsX(), XMM(), XMM(), XMM(), XMM()
		VSUBSS(amax, amax, nan)
		VMULSS(constant(0x3c010204), amax, s) // 1/127
		VADDSS(nan, s, s)
		VMOVSS(s, scale)
		VCMPSS(U8(5), tiny, amax, some) // not less than: true for NaN
		VDIVSS(amax, c127, inv)
		VANDPS(some, inv, inv)
		VBROADCASTSS(inv, t)
		for i := range v {
			VMULPS(t, v[i], v[i])
			VCVTPS2DQ(v[i], v[i])
		}
		VPACKSSDW(v[1], v[0], v[0])
		VPACKSSDW(v[3], v[2], v[2])
		VPACKSSWB(v[2], v[0], v[0])
		VPERMD(v[0], order, v[0])
		VMOVDQU(v[0], q)
		acc := YMM()
		VMOVDQU(table(0x01010101), acc)
		VPMADDUBSW(v[0], acc, acc)
		VPMADDWD(table(0x00010001), acc, acc)
		// The first words of both halves become the sums of 16 quants.
		for _, swap := range []int{0x4e, 0xb1} {
			VPSHUFD(U8(swap), acc, t)
			VPADDD(t, acc, acc)
		}
		u := XMM()
		VEXTRACTI128(U8(1), acc, u)
		VMOVD(acc.AsX(), halfSum)
		VMOVD(u, halfSum.Offset(4))
		VPADDD(u, acc.AsX(), acc.AsX())
		VMOVD(acc.AsX(), sum)
		VCVTDQ2PS(acc.AsX(), u)
		VMULSS(s, u, u)
		VMOVSS(u, scaledSum)
		ADDQ(U8(32), q.Base)
		for _, p := range []Mem{scale, scaledSum, sum} {
			ADDQ(U8(4), p.Base)
		}
		ADDQ(U8(8), halfSum.Base)
		ADDQ(U32(128), x.Base)
	})
	VZEROUPPER()
	RET()
}

// shuffle2 makes the orders of the quants of eight groups that the products of one row read.
func shuffle2() {
	TEXT("shuffleAVX2", NOSPLIT, "func(e *byte)")
	Doc("shuffleAVX2 is shuffleGeneric.")
	Pragma("noescape")
	e := pointer("e")
	groups := make([]vector, 8)
	for g := range groups {
		groups[g] = YMM()
		VMOVUPS(e.Offset(q8x8Q+32*g), groups[g])
	}
	for k := range 4 {
		for half, halves := range []uint8{0x20, 0x31} {
			v := YMM()
			VPERM2F128(U8(halves), groups[k+4], groups[k], v)
			VMOVUPS(v, e.Offset(q8x8Paired+64*k+32*half))
		}
	}
	for k := range 4 {
		for half := range 2 {
			v := YMM()
			[]func(...Op){VPUNPCKLQDQ, VPUNPCKHQDQ}[k%2](groups[4*half+k/2*2+1], groups[4*half+k/2*2], v)
			VMOVUPS(v, e.Offset(q8x8Interleaved+64*k+32*half))
		}
	}
	words := transposed8(groups)
	for k, n := range [8]int{0, 2, 1, 3, 4, 6, 5, 7} {
		VMOVUPS(words[n], e.Offset(q8x8Transposed+32*k))
	}
	VZEROUPPER()
	RET()
}
