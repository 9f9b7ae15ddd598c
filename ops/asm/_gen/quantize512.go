package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/x86"
)

func quantizeFamily() {
	quantize512()
	quantize2()
	shuffle2()
	stride512()
}

func quantize512() {
	TEXT("quantizeAVX512", NOSPLIT, "func(q *int8, scale, scaledSum *float32, sum, halfSum *int32, x *float32, groups int)")
	Doc("quantizeAVX512 is quantizeGeneric of that many groups, at least one.")
	Pragma("noescape")
	q, scale, scaledSum := pointer("q"), pointer("scale"), pointer("scaledSum")
	sum, halfSum, x, groups := pointer("sum"), pointer("halfSum"), pointer("x"), integer("groups")
	abs, ones := avx512.repeat(0x7fffffff), avx2.repeat(0x01010101)
	c127, inv127, tiny := XMM(), XMM(), XMM()
	VMOVSS(constant(0x42fe0000), c127)   // 127
	VMOVSS(constant(0x3c010204), inv127) // 1/127
	VMOVSS(constant(0x1f800000), tiny)   // 2^-64
	loop("group", groups, func() {
		x0, x1, m0, m1 := ZMM(), ZMM(), ZMM(), ZMM()
		VMOVUPS(x, x0)
		VMOVUPS(x.Offset(64), x1)
		VPANDD(x0, abs, m0)
		VPANDD(x1, abs, m1)
		VPMAXUD(m1, m0, m0)
		VEXTRACTI64X4(U8(1), m0, m1.AsY())
		VPMAXUD(m1.AsY(), m0.AsY(), m0.AsY())
		VEXTRACTI128(U8(1), m0.AsY(), m1.AsX())
		VPMAXUD(m1.AsX(), m0.AsX(), m0.AsX())
		for _, swap := range []int{0x4e, 0xb1} {
			VPSHUFD(U8(swap), m0.AsX(), m1.AsX())
			VPMAXUD(m1.AsX(), m0.AsX(), m0.AsX())
		}
		amax, s, some, inv := m0.AsX(), XMM(), K(), XMM()
		zeroOrNaN := XMM()
		VSUBSS(amax, amax, zeroOrNaN)
		VMULSS(inv127, amax, s)
		VADDSS(zeroOrNaN, s, s)
		VMOVSS(s, scale)
		VCMPSS(U8(5), tiny, amax, some) // not less than: true for NaN
		VDIVSS_Z(amax, c127, some, inv)
		VBROADCASTSS(inv, m1)
		VMULPS(m1, x0, x0)
		VMULPS(m1, x1, x1)
		VCVTPS2DQ(x0, x0)
		VCVTPS2DQ(x1, x1)
		lo, hi, acc, t := YMM(), XMM(), YMM(), XMM()
		clearing(x86.VPMOVSDB(x0, lo.AsX()))
		VPMOVSDB(x1, hi)
		VINSERTI128(U8(1), hi, lo, lo)
		VMOVDQU(lo, q)
		VPXOR(acc, acc, acc)
		VPDPBUSD(lo, ones, acc)
		// The first words of both halves become the sums of 16 quants.
		for _, swap := range []int{0x4e, 0xb1} {
			u := YMM()
			VPSHUFD(U8(swap), acc, u)
			VPADDD(u, acc, acc)
		}
		VEXTRACTI128(U8(1), acc, t)
		VMOVD(acc.AsX(), halfSum)
		VMOVD(t, halfSum.Offset(4))
		VPADDD(t, acc.AsX(), acc.AsX())
		VMOVD(acc.AsX(), sum)
		VCVTDQ2PS(acc.AsX(), t)
		VMULSS(s, t, t)
		VMOVSS(t, scaledSum)
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

// stride512 makes the order that the wide kernels of codebooks read.
func stride512() {
	TEXT("strideVBMI", NOSPLIT, "func(e *byte)")
	Doc("strideVBMI is strideGeneric.")
	Pragma("noescape")
	e := pointer("e")
	var q [4]vector
	for i := range q {
		q[i] = resident(e.Offset(q8x8Q + 64*i))
	}
	for k := range 4 {
		every := bytes64(func(i int) int { return (4*i + k) % 128 })
		low, high := resident(every), resident(every)
		VPERMI2B(q[1], q[0], low)
		VPERMI2B(q[3], q[2], high)
		VMOVDQU64(low.AsY(), e.Offset(q8x8Strided+64*k))
		VEXTRACTI64X4(U8(1), high, e.Offset(q8x8Strided+64*k+32))
	}
	VZEROUPPER()
	RET()
}
