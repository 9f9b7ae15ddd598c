package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/x86"
)

// unpack2 emits what unpacks the codes of a row of a panel.
func unpack2(f blockFormat) {
	name := "codes" + f.name + "AVX2"
	TEXT(name, NOSPLIT, "func(q *int8, w *byte, blocks int)")
	Doc(name + " unpacks the codes of so many blocks, at least one, to a row of a panel.")
	Pragma("noescape")
	q, w, blocks := pointer("q"), pointer("w"), integer("blocks")
	k := &rowKernel{isa: avx2}
	mask, offset := k.constant(0x0f0f0f0f), k.constant(uint32(f.offset)*0x01010101)
	store := func(column int, c vector) {
		if f.offset > 0 && f.name != "Q8_0" {
			VPSUBB(offset, c, c)
		}
		to := q.Offset(column * panelRows)
		if f.group == 32 {
			VMOVDQU(c, to)
			return
		}
		VMOVDQU(c.AsX(), to)
		VEXTRACTI128(U8(1), c, q.Offset((column+16)*panelRows))
	}
	loop("block", blocks, func() {
		switch f.name {
		case "Q8_0":
			c := YMM()
			VMOVDQU(w.Offset(2), c)
			store(0, c)
		case "Q4_K", "Q5_K":
			superCodes(f, w, mask, store)
		case "Q6_K":
			codesQ6_K(w, mask, store)
		default:
			// The codes are the last 16 bytes, the fifth bits the word before.
			lo, hi := YMM(), XMM()
			clearing(x86.VMOVDQU(w.Offset(f.bytes-16), lo.AsX()))
			VPSRLW(U8(4), lo.AsX(), hi)
			VINSERTI128(U8(1), hi, lo, lo)
			VPAND(mask, lo, lo)
			if f.name[1] == '5' {
				x := YMM()
				VPBROADCASTD(w.Offset(f.bytes-20), x)
				VPSHUFB(table(0, 0, 0x01010101, 0x01010101, 0x02020202, 0x02020202, 0x03030303, 0x03030303), x, x)
				VPAND(table(0x08040201, 0x80402010), x, x)
				VPCMPEQB(table(0x08040201, 0x80402010), x, x)
				VPAND(table(0x10101010), x, x)
				VPOR(x, lo, lo)
			}
			store(0, lo)
		}
		ADDQ(U32(f.bytes), w.Base)
		ADDQ(U32(f.items*panelRows), q.Base)
	})
	VZEROUPPER()
	RET()
}

func superCodes(f blockFormat, w Mem, mask vector, store func(int, vector)) {
	at, bits := 16, YMM()
	if f.name == "Q5_K" {
		at = 48
		VMOVDQU(w.Offset(16), bits)
	}
	for i := range 4 {
		lo, hi := YMM(), YMM()
		VMOVDQU(w.Offset(at+32*i), lo)
		VPSRLW(U8(4), lo, hi)
		for h, c := range []vector{lo, hi} {
			VPAND(mask, c, c)
			if f.name == "Q5_K" {
				t := YMM()
				if g := 2*i + h; g < 4 {
					VPSLLW(U8(4-g), bits, t)
				} else {
					VPSRLW(U8(g-4), bits, t)
				}
				VPAND(table(0x10101010), t, t)
				VPOR(t, c, c)
			}
			store(64*i+32*h, c)
		}
	}
}

func codesQ6_K(w Mem, mask vector, store func(int, vector)) {
	for i := range 8 {
		half, part := i/4, i%4
		c, p := YMM(), YMM()
		VMOVDQU(w.Offset(64*half+32*(part%2)), c)
		if part >= 2 {
			VPSRLW(U8(4), c, c)
		}
		VMOVDQU(w.Offset(128+32*half), p)
		if part < 2 {
			VPSLLW(U8(4-2*part), p, p)
		} else {
			VPSRLW(U8(2*part-4), p, p)
		}
		VPAND(table(0x30303030), p, p)
		VPAND(mask, c, c)
		VPOR(p, c, c)
		store(32*i, c)
	}
}

// quantize2 is quantize512 with eight lanes.
func quantize2() {
	TEXT("quantizeAVX2", NOSPLIT, "func(q *int8, scale, low *float32, sum, half *int32, x *float32, groups int)")
	Doc("quantizeAVX2 is quantizeGeneric of so many groups, at least one.")
	Pragma("noescape")
	q, scale, low := pointer("q"), pointer("scale"), pointer("low")
	sum, half, x, groups := pointer("sum"), pointer("half"), pointer("x"), integer("groups")
	k := &rowKernel{isa: avx2}
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
		// The first words of both halves become the sums of 16 codes.
		for _, swap := range []int{0x4e, 0xb1} {
			VPSHUFD(U8(swap), acc, t)
			VPADDD(t, acc, acc)
		}
		u := XMM()
		VEXTRACTI128(U8(1), acc, u)
		VMOVD(acc.AsX(), half)
		VMOVD(u, half.Offset(4))
		VPADDD(u, acc.AsX(), acc.AsX())
		VMOVD(acc.AsX(), sum)
		VCVTDQ2PS(acc.AsX(), u)
		VMULSS(s, u, u)
		VMOVSS(u, low)
		ADDQ(U8(32), q.Base)
		for _, p := range []Mem{scale, low, sum} {
			ADDQ(U8(4), p.Base)
		}
		ADDQ(U8(8), half.Base)
		ADDQ(U32(128), x.Base)
	})
	VZEROUPPER()
	RET()
}
