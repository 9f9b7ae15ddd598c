package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// transposed8 returns the columns of eight rows of eight words. It uses the
// rows up.
func transposed8(r []vector) []vector {
	pairs := func(op func(...Op), a, b vector) vector { t := YMM(); op(b, a, t); return t }
	// t[i] has in each half the columns 2*(i%2) and 1+2*(i%2) of two rows, q[i]
	// the column i%4 of four.
	var t, q [8]vector
	for i := 0; i < 8; i += 2 {
		t[i], t[i+1] = pairs(VUNPCKLPS, r[i], r[i+1]), pairs(VUNPCKHPS, r[i], r[i+1])
	}
	for i := 0; i < 8; i += 4 {
		q[i], q[i+1] = pairs(VUNPCKLPD, t[i], t[i+2]), pairs(VUNPCKHPD, t[i], t[i+2])
		q[i+2], q[i+3] = pairs(VUNPCKLPD, t[i+1], t[i+3]), pairs(VUNPCKHPD, t[i+1], t[i+3])
	}
	c := make([]vector, 8)
	for i := range 4 {
		c[i], c[4+i] = YMM(), YMM()
		VPERM2F128(U8(0x20), q[4+i], q[i], c[i])
		VPERM2F128(U8(0x31), q[4+i], q[i], c[4+i])
	}
	return c
}

// transpose2 is transpose512 with eight rows and eight columns at a time.
func transpose2() {
	TEXT("transposeAVX2", NOSPLIT, "func(dst, src *uint32, stride, rows, cols int, flip uint32)")
	Doc("transposeAVX2 is transposeGeneric, with 0 < rows <= 16, and cols a multiple of eight, at least eight.")
	Pragma("noescape")
	dst, src, stride, rows, cols := pointer("dst"), pointer("src"), integer("stride"), integer("rows"), integer("cols")
	SHLQ(U8(2), stride)
	SHRQ(U8(3), cols)
	flip := YMM()
	VMOVD(Load(Param("flip"), GP32()), flip.AsX())
	VPBROADCASTD(flip.AsX(), flip)
	var have [2]vector // lanes that there are
	left, eight := GP64(), GP64()
	for h := range have {
		MOVQ(rows, left)
		if h > 0 {
			SUBQ(U8(8), left)
		}
		XORQ(eight, eight)
		CMPQ(left, eight)
		CMOVQLT(eight, left)
		MOVQ(U32(8), eight)
		CMPQ(left, eight)
		CMOVQGT(eight, left)
		have[h] = avx2.first(left).mask.(vector)
	}
	p, next := GP64(), GP64()
	loop("block", cols, func() {
		MOVQ(src.Base, p)
		for h := range have {
			// Rows that are not there read the last one instead.
			r := avx2.regs(8)
			for i := range r {
				if h+i > 0 {
					LEAQ(Mem{Base: p, Index: stride, Scale: 1}, next)
					CMPQ(rows, U8(8*h+i))
					CMOVQGT(next, p)
				}
				VMOVUPS(Mem{Base: p}, r[i])
			}
			for i, c := range transposed8(r) {
				VPAND(have[h], c, c)
				VPXOR(flip, c, c)
				VMOVUPS(c, dst.Offset(64*i+32*h))
			}
		}
		ADDQ(U8(32), src.Base)
		ADDQ(U32(8*64), dst.Base)
	})
	VZEROUPPER()
	RET()
}

// epilogue2 is epilogue512 for whole panels, in eight rows of activations and
// outputs at a time.
func epilogue2() {
	TEXT("epilogueAVX2", NOSPLIT, "func(dst *float32, stride int, c *float32, lanes int, bias, mean *float32, add bool)")
	Doc("epilogueAVX2 is epilogueGeneric of 16 rows, with 0 < lanes <= 16. It reads whole rows of c.")
	Pragma("noescape")
	dst, stride, c, bias, mean := pointer("dst"), integer("stride"), pointer("c"), pointer("bias"), pointer("mean")
	SHLQ(U8(2), stride)
	add := Load(Param("add"), GP8())
	// What changes nothing: -0 added, 0 subtracted.
	nothing := GP64()
	LEAQ(wordTable("negativeZeros", repeatWord(0x80000000, 16)...), nothing)
	TESTQ(bias.Base, bias.Base)
	CMOVQEQ(nothing, bias.Base)
	LEAQ(wordTable("zeros", repeatWord(0, 16)...), nothing)
	TESTQ(mean.Base, mean.Base)
	CMOVQEQ(nothing, mean.Base)
	to, left := GP64(), integer("lanes")
	Label("lanes")
	for h := range 2 {
		r := avx2.regs(8)
		for i := range r {
			VMOVUPS(c.Offset(64*(8*h+i)), r[i])
		}
		MOVQ(dst.Base, to)
		for i, v := range transposed8(r) {
			at, plain := Mem{Base: to, Disp: 32 * h}, fmt.Sprintf("plain%d_%d", h, i)
			TESTB(add, add)
			JE(LabelRef(plain))
			VADDPS(at, v, v)
			Label(plain)
			VADDPS(bias.Offset(32*h), v, v)
			s := YMM()
			VBROADCASTSS(mean.Offset(4*i), s)
			VSUBPS(s, v, v)
			VMOVUPS(v, at)
			if i < 7 {
				ADDQ(stride, to)
				CMPQ(left, U8(i+1))
				JE(LabelRef(fmt.Sprint("half", h)))
			}
		}
		Label(fmt.Sprint("half", h))
	}
	LEAQ(Mem{Base: dst.Base, Index: stride, Scale: 8}, dst.Base)
	ADDQ(U8(32), c.Base)
	ADDQ(U8(32), mean.Base)
	SUBQ(U8(8), left)
	JG(LabelRef("lanes"))
	VZEROUPPER()
	RET()
}

func repeatWord(w uint32, n int) []uint32 {
	v := make([]uint32, n)
	for i := range v {
		v[i] = w
	}
	return v
}
