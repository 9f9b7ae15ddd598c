package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/x86"
)

// unpackFields emits what unpacks a row of a panel of any fields, its quants so much
// above their value: as bytes, or as two nibbles.
func unpackFields(name string, f weightType, above, planes int) {
	TEXT(name, NOSPLIT, "func(q *int8, scale, min *float32, w *byte, blocks int)")
	Doc(fmt.Sprintf("%s unpacks that many blocks, at least one, to a row of a panel, quants %d above their value.", name, above))
	Pragma("noescape")
	q, scale, min := pointer("q"), pointer("scale"), pointer("min")
	w, blocks := pointer("w"), integer("blocks")
	r := newReader(f, above)
	loop("block", blocks, func() {
		for i := range f.Items / 32 {
			c, to := r.quants(func(disp int) Mem { return w.Offset(disp) }, i), q.Offset(32*i*panelRows*planes)
			switch {
			case planes > 1:
				high := YMM()
				VPSRLW(U8(4), c, high)
				VPAND(table(0x0f0f0f0f), c, c)
				VPAND(table(0x0f0f0f0f), high, high)
				VMOVDQU(c, to)
				VMOVDQU(high, to.Offset(32))
			case f.Group == 16:
				VMOVDQU(c.AsX(), to)
				VEXTRACTI128(U8(1), c, to.Offset(16*panelRows))
			default:
				VMOVDQU(c, to)
			}
		}
		r.rowScales(w, scale, min)
		ADDQ(U32(f.Bytes), w.Base)
		ADDQ(U32(f.Items*panelRows*planes), q.Base)
		for _, p := range []Mem{scale, min} {
			ADDQ(U32(f.Items/f.Group*64), p.Base)
		}
	})
	VZEROUPPER()
	RET()
}

// unpack2 emits what unpacks a row of a panel.
func unpack2(f weightType) {
	name := "unpackRow" + f.Name + "AVX2"
	TEXT(name, NOSPLIT, "func(q *int8, scale, min *float32, w *byte, blocks int)")
	Doc(name+" unpacks that many blocks, at least one, to a row of a panel. Quants stay as they are stored,",
		"not negative; those of 8 bits, 128 above their value, become two nibbles, the high ones 32 bytes behind the low ones.")
	Pragma("noescape")
	q, scale, min := pointer("q"), pointer("scale"), pointer("min")
	w, blocks := pointer("w"), integer("blocks")
	k := &gemvKernel{isa: avx2}
	mask := k.constant(0x0f0f0f0f)
	bytes := f.Items * panelRows
	store := func(column int, c vector) {
		to := q.Offset(column * panelRows)
		if f.Group == 32 {
			VMOVDQU(c, to)
			return
		}
		VMOVDQU(c.AsX(), to)
		VEXTRACTI128(U8(1), c, q.Offset((column+16)*panelRows))
	}
	loop("block", blocks, func() {
		switch f.shape {
		case bytes32:
			lo, hi := YMM(), YMM()
			VMOVDQU(table(0x80808080), lo)
			VPXOR(w.Offset(f.Quants.Low.At), lo, lo)
			VPSRLW(U8(4), lo, hi)
			VPAND(mask, lo, lo)
			VPAND(mask, hi, hi)
			store(0, lo)
			VMOVDQU(hi, q.Offset(32))
			bytes = 2 * f.Items * panelRows
		case nibbles256:
			quantsNibbles256(f, w, mask, store)
		case sixes256:
			quantsSixes256(f, w, mask, store)
		case nibbles32:
			lo, hi := YMM(), XMM()
			clearing(x86.VMOVDQU(w.Offset(f.Quants.Low.At), lo.AsX()))
			VPSRLW(U8(4), lo.AsX(), hi)
			VINSERTI128(U8(1), hi, lo, lo)
			VPAND(mask, lo, lo)
			if f.hasHigh() {
				x := YMM()
				VPBROADCASTD(w.Offset(f.Quants.High.At), x)
				VPSHUFB(table(0, 0, 0x01010101, 0x01010101, 0x02020202, 0x02020202, 0x03030303, 0x03030303), x, x)
				VPAND(table(0x08040201, 0x80402010), x, x)
				VPCMPEQB(table(0x08040201, 0x80402010), x, x)
				VPAND(table(0x10101010), x, x)
				VPOR(x, lo, lo)
			}
			store(0, lo)
		}
		scales2(f, w, scale, min)
		ADDQ(U32(f.Bytes), w.Base)
		ADDQ(U32(bytes), q.Base)
		for _, p := range []Mem{scale, min} {
			ADDQ(U32(f.Items/f.Group*64), p.Base)
		}
	})
	VZEROUPPER()
	RET()
}

// scales2 unpacks the scales and mins of a block of one row.
func scales2(f weightType, w, scale, min Mem) {
	half := func(disp int) vector { // to all lanes
		x, y := XMM(), YMM()
		VPBROADCASTW(w.Offset(disp), x)
		VCVTPH2PS(x, y)
		return y
	}
	switch f.shape {
	case sixes256:
		d := half(f.D.At)
		for i := range 2 {
			s := YMM()
			VPMOVSXBD(w.Offset(f.Scales.Low.At+8*i), s)
			VCVTDQ2PS(s, s)
			VMULPS(d, s, s)
			scatter(s, scale.Offset(8*64*i), 64, 256)
		}
	case nibbles256:
		s, m := scaleMin(func(disp int) Mem { return w.Offset(disp) })
		VMULPS(half(f.D.At), s, s)
		VMULPS(half(f.M.At), m, m)
		VXORPS(table(0x80000000), m, m)
		scatter(s, scale, 64, 256)
		scatter(m, min, 64, 256)
	default:
		VMOVSS(half(f.D.At).AsX(), scale)
		if f.HasMin() {
			VMOVSS(half(f.M.At).AsX(), min)
		}
	}
}

// scatter stores the lanes of v, those of each half step bytes apart, from the
// second half on at high.
func scatter(v vector, to Mem, step, high int) {
	x := v.AsX()
	for half := range 2 {
		if half > 0 {
			x = XMM()
			VEXTRACTF128(U8(1), v, x)
		}
		VMOVSS(x, to.Offset(high*half))
		for i := 1; i < 4; i++ {
			VEXTRACTPS(U8(i), x, to.Offset(high*half+step*i))
		}
	}
}

func quantsNibbles256(f weightType, w Mem, mask vector, store func(int, vector)) {
	at, bits := f.Quants.Low.At, YMM()
	if f.hasHigh() {
		VMOVDQU(w.Offset(f.Quants.High.At), bits)
	}
	for i := range 4 {
		lo, hi := YMM(), YMM()
		VMOVDQU(w.Offset(at+32*i), lo)
		VPSRLW(U8(4), lo, hi)
		for h, c := range []vector{lo, hi} {
			VPAND(mask, c, c)
			if f.hasHigh() {
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

func quantsSixes256(f weightType, w Mem, mask vector, store func(int, vector)) {
	for i := range 8 {
		half, part := i/4, i%4
		c, p := YMM(), YMM()
		VMOVDQU(w.Offset(f.Quants.Low.At+64*half+32*(part%2)), c)
		if part >= 2 {
			VPSRLW(U8(4), c, c)
		}
		VMOVDQU(w.Offset(f.Quants.High.At+32*half), p)
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
