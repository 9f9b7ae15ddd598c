package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/x86"
)

// unpack2 emits what unpacks a row of a panel.
func unpack2(f blockFormat) {
	name := "unpackRow" + f.name + "AVX2"
	TEXT(name, NOSPLIT, "func(q *int8, scale, low *float32, w *byte, blocks int)")
	Doc(name+" unpacks so many blocks, at least one, to a row of a panel. Codes stay as they are stored,",
		"not negative; those of Q8_0, 128 above their value, become two nibbles, the high ones 32 bytes behind the low ones.")
	Pragma("noescape")
	q, scale, low := pointer("q"), pointer("scale"), pointer("low")
	w, blocks := pointer("w"), integer("blocks")
	k := &rowKernel{isa: avx2}
	mask := k.constant(0x0f0f0f0f)
	bytes := f.items * panelRows
	store := func(column int, c vector) {
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
			lo, hi := YMM(), YMM()
			VMOVDQU(table(0x80808080), lo)
			VPXOR(w.Offset(2), lo, lo)
			VPSRLW(U8(4), lo, hi)
			VPAND(mask, lo, lo)
			VPAND(mask, hi, hi)
			store(0, lo)
			VMOVDQU(hi, q.Offset(32))
			bytes = 2 * f.items * panelRows
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
		scales2(f, w, scale, low)
		ADDQ(U32(f.bytes), w.Base)
		ADDQ(U32(bytes), q.Base)
		for _, p := range []Mem{scale, low} {
			ADDQ(U32(f.items/f.group*64), p.Base)
		}
	})
	VZEROUPPER()
	RET()
}

// scales2 unpacks the scales and lows of a block of one row.
func scales2(f blockFormat, w, scale, low Mem) {
	half := func(disp int) vector { // to all lanes
		x, y := XMM(), YMM()
		VPBROADCASTW(w.Offset(disp), x)
		VCVTPH2PS(x, y)
		return y
	}
	switch {
	case f.name == "Q6_K":
		d := half(208)
		for i := range 2 {
			s := YMM()
			VPMOVSXBD(w.Offset(192+8*i), s)
			VCVTDQ2PS(s, s)
			VMULPS(d, s, s)
			scatter(s, scale.Offset(8*64*i))
		}
	case f.items == 256:
		s, m := scaleMin(func(disp int) Mem { return w.Offset(disp) })
		VMULPS(half(0), s, s)
		VMULPS(half(2), m, m)
		VXORPS(table(0x80000000), m, m)
		scatter(s, scale)
		scatter(m, low)
	default:
		VMOVSS(half(0).AsX(), scale)
		if f.low {
			VMOVSS(half(2).AsX(), low)
		}
	}
}

// scatter stores the lanes of v 64 bytes apart.
func scatter(v vector, to Mem) {
	x := v.AsX()
	for half := range 2 {
		if half > 0 {
			x = XMM()
			VEXTRACTF128(U8(1), v, x)
		}
		VMOVSS(x, to.Offset(256*half))
		for i := 1; i < 4; i++ {
			VEXTRACTPS(U8(i), x, to.Offset(256*half+64*i))
		}
	}
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
