package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

func transposeFamily() {
	transpose512()
	epilogue512("epilogueAVX512", "epilogueGeneric", transposed16)
	epilogue512("epilogueRowsAVX512", "epilogueRowsGeneric", func(r []vector) []vector { return r })
	transpose2()
	epilogue2()
}

// transposed16 returns the columns of 16 rows of 16 words. It uses the rows up.
func transposed16(r []vector) []vector {
	pairs := func(op func(...Op), a, b vector) vector { t := ZMM(); op(b, a, t); return t }
	t := make([]vector, 16)
	for i := 0; i < 16; i += 2 {
		t[i], t[i+1] = pairs(VPUNPCKLDQ, r[i], r[i+1]), pairs(VPUNPCKHDQ, r[i], r[i+1])
	}
	// q[4*i+j] has in lane l column 4*l+j of the rows 4*i to 4*i+3.
	q := make([]vector, 16)
	for i := 0; i < 16; i += 4 {
		q[i], q[i+1] = pairs(VPUNPCKLQDQ, t[i], t[i+2]), pairs(VPUNPCKHQDQ, t[i], t[i+2])
		q[i+2], q[i+3] = pairs(VPUNPCKLQDQ, t[i+1], t[i+3]), pairs(VPUNPCKHQDQ, t[i+1], t[i+3])
	}
	lanes := func(sel int, a, b vector) vector { t := ZMM(); VSHUFI32X4(U8(sel), b, a, t); return t }
	c := make([]vector, 16)
	for j := range 4 {
		even0, odd0 := lanes(0x88, q[j], q[4+j]), lanes(0xdd, q[j], q[4+j])
		even1, odd1 := lanes(0x88, q[8+j], q[12+j]), lanes(0xdd, q[8+j], q[12+j])
		c[j], c[8+j] = lanes(0x88, even0, even1), lanes(0xdd, even0, even1)
		c[4+j], c[12+j] = lanes(0x88, odd0, odd1), lanes(0xdd, odd0, odd1)
	}
	return c
}

func transpose512() {
	TEXT("transposeAVX512", NOSPLIT, "func(dst, src *uint32, stride, rows, cols int, flip uint32)")
	Doc("transposeAVX512 is transposeGeneric, with 0 < rows <= 16.")
	Pragma("noescape")
	dst, src, stride, rows, cols := pointer("dst"), pointer("src"), integer("stride"), integer("rows"), integer("cols")
	SHLQ(U8(2), stride)
	flip, all, m := ZMM(), K(), GP32()
	VPBROADCASTD(Load(Param("flip"), GP32()), flip)
	MOVL(U32(0xffffffff), m)
	BZHIL(rows.As32(), m, m)
	have := K()
	KMOVW(m, have)
	KXNORW(all, all, all)
	Label("block")
	CMPQ(cols, U8(0))
	JE(LabelRef("done"))
	mask := K()
	KMOVW(all, mask)
	CMPQ(cols, U8(16))
	JGE(LabelRef("whole"))
	MOVL(U32(0xffffffff), m)
	BZHIL(cols.As32(), m, m)
	KMOVW(m, mask)
	Label("whole")
	// Rows that are not there read the last one instead.
	p, next := GP64(), GP64()
	MOVQ(src.Base, p)
	r := make([]vector, 16)
	for i := range r {
		if i > 0 {
			LEAQ(Mem{Base: p, Index: stride, Scale: 1}, next)
			CMPQ(rows, U8(i))
			CMOVQGT(next, p)
		}
		r[i] = ZMM()
		VMOVDQU32_Z(Mem{Base: p}, mask, r[i])
	}
	for i, c := range transposed16(r) {
		VMOVDQA32_Z(c, have, c)
		VPXORD(flip, c, c)
		CMPQ(cols, U8(i))
		JE(LabelRef("done"))
		VMOVDQU32(c, dst.Offset(64*i))
	}
	ADDQ(U32(16*64), dst.Base)
	ADDQ(U8(64), src.Base)
	SUBQ(U8(16), cols)
	JMP(LabelRef("block"))
	Label("done")
	VZEROUPPER()
	RET()
}

// epilogue512 makes of the rows of c what is written to those of dst.
func epilogue512(name, definition string, turn func([]vector) []vector) {
	TEXT(name, NOSPLIT, "func(dst *float32, stride int, c *float32, rows, lanes int, bias, mean *float32, add bool)")
	Doc(name + " is " + definition + ", with 0 < rows <= 16, 0 < lanes <= 16. It reads whole rows of c, 16 of them.")
	Pragma("noescape")
	dst, stride, c, rows, lanes := pointer("dst"), integer("stride"), pointer("c"), integer("rows"), integer("lanes")
	bias, mean := pointer("bias"), pointer("mean")
	SHLQ(U8(2), stride)
	// What is not to be added is masked out, and read from where it can be.
	m, none := GP32(), GP32()
	MOVL(U32(0xffffffff), m)
	BZHIL(rows.As32(), m, m)
	XORL(none, none)
	have, biased, hasMean, added := K(), K(), K(), K()
	KMOVW(m, have)
	choose := func(k Op, test func()) {
		t := GP32()
		MOVL(m, t)
		test()
		CMOVLEQ(none, t)
		KMOVW(t, k)
	}
	choose(biased, func() { TESTQ(bias.Base, bias.Base) })
	choose(hasMean, func() { TESTQ(mean.Base, mean.Base) })
	a := Load(Param("add"), GP8())
	choose(added, func() { TESTB(a, a) })
	b := ZMM()
	TESTQ(bias.Base, bias.Base)
	CMOVQEQ(c.Base, bias.Base)
	TESTQ(mean.Base, mean.Base)
	CMOVQEQ(c.Base, mean.Base)
	VMOVUPS_Z(bias, biased, b)
	r := make([]vector, 16)
	for i := range r {
		r[i] = ZMM()
		VMOVUPS(c.Offset(64*i), r[i])
	}
	for i, v := range turn(r) {
		VADDPS(dst, v, added, v)
		VADDPS(b, v, biased, v)
		VSUBPS_BCST(mean.Offset(4*i), v, hasMean, v)
		VMOVUPS(v, have, dst)
		if i < 15 {
			ADDQ(stride, dst.Base)
			CMPQ(lanes, U8(i+1))
			JE(LabelRef("done"))
		}
	}
	Label("done")
	VZEROUPPER()
	RET()
}
