package main

import (
	"log"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/x86"

	"github.com/normswap/normswap/quant"
)

// A reader takes quants and scales out of a row by the layout of its blocks, in
// AVX2: whatever has no kernel written for its shape.
type reader struct {
	weightType
	above  int // quants are read so much above their value
	levels vector
	digits vector // Ternary: what the next digits come from, 128 above
	mask   uint32 // of quants, if a register holds it
	held   vector
	loaded map[int]loadedField // by the field's place
}

// A loadedField is 32 bytes that the next groups are in too.
type loadedField struct {
	at int
	vector
}

// newReader loads the levels.
func newReader(w weightType, above int) *reader {
	r := &reader{weightType: w, above: above, loaded: map[int]loadedField{}}
	if w.table() {
		r.levels = YMM()
		VMOVDQU(w.levelTable(above), r.levels)
	}
	return r
}

// table reports whether levels must be looked up.
func (w weightType) table() bool { return len(w.Levels) > 2 }

// levelTable returns where 32 bytes are: twice the levels, so much above their value.
func (w weightType) levelTable(above int) Mem {
	var words [4]uint32
	for i, l := range w.Levels {
		words[i/4] |= uint32(uint8(int(l)+above)) << (i % 4 * 8)
	}
	return table(words[:]...)
}

// step is the distance of two levels that need no table, as a power of two.
func (w weightType) step() int {
	if len(w.Levels) == 2 {
		if w.Levels[0] != -1 || w.Levels[1] != 1 {
			log.Fatalf("gen: no kernel has the two levels of %s", w.Name)
		}
		return 1
	}
	return 0
}

// zero is what integers that need no table are above their value.
func (w weightType) zero() int {
	if len(w.Levels) == 2 || w.Coding == quant.Ternary {
		return 1
	}
	return w.Quants.Zero
}

// quants returns the 32 quants of group i of the row, in order. Groups are read
// from the first to the last of a block.
func (r *reader) quants(row weights, i int) vector {
	var q vector
	if r.Coding == quant.Ternary {
		q = r.ternary(row, i)
	} else {
		q = r.field(row, r.Quants.Low, i, r.step())
		if r.hasHigh() {
			VPOR(r.field(row, r.Quants.High, i, r.Quants.Low.Bits), q, q)
		}
	}
	switch add := r.above - r.zero(); {
	case r.table():
		VPSHUFB(q, r.levels, q)
	case add > 0:
		VPADDB(table(uint32(add)*0x01010101), q, q)
	case add < 0:
		VPSUBB(table(uint32(-add)*0x01010101), q, q)
	}
	return q
}

// field returns the integers of a group, to bits higher than they are.
func (r *reader) field(row weights, f quant.Field, i, to int) vector {
	per := r.Items / 32
	g, base := i%per, i/per*r.Bytes+f.At
	v, x := YMM(), XMM()
	mask := uint32((1<<f.Bits-1)<<to) * 0x01010101
	switch inRun := f.Run * 8 / f.Bits; {
	case f.Run >= 32:
		at := base + 32*g/inRun*f.Run + 32*g%f.Run
		from := r.loaded[f.At]
		if g == 0 || from.at != at {
			from = loadedField{at, YMM()}
			VMOVDQU(row(at), from.vector)
			r.loaded[f.At] = from
		}
		v = shifted(f.Shift+f.Bits*(32*g%inRun/f.Run)-to, from.vector)
	case f.Run == 16 && f.Bits == 4:
		clearing(x86.VMOVDQU(row(base+16*g), v.AsX()))
		VPSRLW(U8(4), v.AsX(), x)
		VINSERTI128(U8(1), x, v, v)
		shiftRight(-to, v)
	case f.Run == 8 && f.Bits == 4:
		lo, hi := XMM(), XMM()
		VMOVDQU(row(base+16*g), lo)
		VPSRLW(U8(4), lo, hi)
		VPUNPCKHQDQ(hi, lo, x)
		clearing(x86.VPUNPCKLQDQ(hi, lo, v.AsX()))
		VINSERTI128(U8(1), x, v, v)
		shiftRight(-to, v)
	case f.Run == 1 && f.Bits == 2:
		// Of the eight bits of each word, four go up by 12, and of each four, two by 6.
		VPMOVZXBD(row(base+8*g), v)
		for _, move := range []struct {
			by   uint64
			keep uint32
		}{{12, 0x000f000f}, {6, 0x03030303}} {
			t := YMM()
			VPSLLD(U8(move.by), v, t)
			VPOR(t, v, v)
			VPAND(table(move.keep), v, v)
		}
		shiftRight(-to, v)
	case f.Run == 1 && f.Bits == 1:
		own := table(0x08040201, 0x80402010)
		VPBROADCASTD(row(base+4*g), v)
		VPSHUFB(table(0, 0, 0x01010101, 0x01010101, 0x02020202, 0x02020202, 0x03030303, 0x03030303), v, v)
		VPAND(own, v, v)
		VPCMPEQB(own, v, v)
	default:
		log.Fatalf("gen: no kernel reads fields like those of %s", r.Name)
	}
	masked := YMM()
	if mask == r.mask {
		VPAND(r.held, v, masked)
	} else {
		VPAND(table(mask), v, masked)
	}
	return masked
}

// shifted is v after shiftRight.
func shifted(n int, v vector) vector {
	if n == 0 {
		return v
	}
	s := YMM()
	if n > 0 {
		VPSRLW(U8(n), v, s)
	} else {
		VPSLLW(U8(-n), v, s)
	}
	return s
}

// shiftRight moves the bits of words; what comes from neighbors is to be masked.
func shiftRight(n int, v vector) {
	switch {
	case n > 0:
		VPSRLW(U8(n), v, v)
	case n < 0:
		VPSLLW(U8(-n), v, v)
	}
}

// ternary returns the digits of a group. A byte is a fraction, of which
// multiplying by 3 moves the next digit above the point; 128 more than it is after
// that still 128 more, of 256, and signed numbers can be compared.
func (r *reader) ternary(row weights, i int) vector {
	next := func(v vector) vector {
		t := YMM()
		VPADDB(v, v, t)
		VPADDB(v, t, t)
		return t
	}
	flip := table(0x80808080)
	x := YMM()
	switch {
	case i == 0: // five digits of 32 bytes
		VMOVDQU(row(0), x)
		VPXOR(flip, x, x)
	case i < 5:
		x = next(r.digits)
	case i == 5: // five of 16 bytes, two at a time
		VBROADCASTI128(row(32), x)
		VPXOR(flip, x, x)
		VPBLENDD(U8(0xf0), next(x), x, x)
	case i == 6:
		x = next(next(r.digits))
	default: // and four of four bytes
		fifth, d := next(next(r.digits)), YMM()
		VPBROADCASTD(row(48), d)
		VPXOR(flip, d, d)
		VPBLENDD(U8(0xaa), next(d), d, d)
		VPBLENDD(U8(0xcc), next(next(d)), d, x)
		VPBLENDD(U8(0x0f), fifth, x, x)
	}
	r.digits = x
	one, two := YMM(), YMM()
	VPCMPGTB(table(0x01010101*(85^0x80)), x, one)  // above 85: a digit of 1 or more
	VPCMPGTB(table(0x01010101*(170^0x80)), x, two) // above 170: of 2
	digit := YMM()
	VPXOR(digit, digit, digit)
	VPSUBB(one, digit, digit)
	VPSUBB(two, digit, digit)
	return digit
}

// fields is the step of all types without one for their shape.
func (k *gemvKernel) fields() gemvStep {
	k.above = k.above2()
	signed := k.table() && k.above == 0
	product, ones := k.products(), k.constant(0x00010001)
	r := newReader(k.weightType, k.above)
	if k.Coding == quant.Integers {
		r.mask = uint32((1<<k.Quants.Low.Bits-1)<<k.step()) * 0x01010101
		r.held = k.constant(r.mask)
	}
	return func(row weights, acc vector) {
		dot := func(i int) vector {
			c := r.quants(row, i)
			if !signed {
				return product([]vector{c}, k.quants[i:])
			}
			s := YMM()
			VMOVDQU(k.quants[i], s)
			VPSIGNB(c, s, s)
			VPABSB(c, c)
			VPMADDUBSW(s, c, c)
			VPMADDWD(ones, c, c)
			return c
		}
		if k.Group == 32 {
			dots := k.sum8(dot)
			scale, _ := r.scales(row, true)
			k.add(0, dots, scale[0], acc)
			return
		}
		scale, min := r.scales(row, true)
		for h := range 2 {
			dots := k.sum4(func(i int) vector { return dot(4*h + i) })
			k.add(h, dots, scale[h], acc)
			if min != nil {
				VFMADD231PS(k.at.Offset(q8x8ScaledHalfSum+32*h), min[h], acc)
			}
		}
	}
}
