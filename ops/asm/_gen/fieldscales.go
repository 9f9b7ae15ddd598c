package main

import (
	"log"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"

	"github.com/normswap/normswap/quant"
)

// scales returns the scales of eight groups of a row of blocks, and their mins; of
// 16 groups in two vectors. The groups of each are in order, or, by chains, those
// with an even number come first.
func (r *reader) scales(row weights, byChains bool) (scale, min []vector) {
	switch s := r.Scales; {
	case s.Bits() == 0 && r.D.Bits == 8:
		return []vector{r.halfE8M0(row)}, nil
	case s.Bits() == 0:
		return []vector{r.blockScales(row)}, nil
	case r.D.Bits == 0:
		return r.ue4m3(row, byChains), nil
	case s.Low.Run == 1:
		v := r.runs1(row)
		VCVTDQ2PS(v, v)
		VMULPS(r.half(row, r.D.At), v, v)
		return []vector{v}, nil
	}
	widen := func(b vector, factor vector) (v []vector) {
		if byChains {
			VPSHUFB(table(0x06040200, 0x07050301, 0x0e0c0a08, 0x0f0d0b09), b, b)
		}
		for h := range 2 {
			f := YMM()
			if h > 0 {
				VPSRLDQ(U8(8), b, b)
			}
			VPMOVSXBD(b, f)
			VCVTDQ2PS(f, f)
			VMULPS(factor, f, f)
			v = append(v, f)
		}
		return v
	}
	scale = widen(r.ints(row, r.Scales.Low, r.Scales.High, r.Scales.Zero), r.half(row, r.D.At))
	if r.HasMin() {
		m := r.half(row, r.M.At)
		VXORPS(table(0x80000000), m, m)
		min = widen(r.ints(row, r.Mins.Low, r.Mins.High, r.Mins.Zero), m)
	}
	return scale, min
}

// half returns a vector full of a half-precision number.
func (r *reader) half(row weights, at int) vector {
	x, y := XMM(), YMM()
	VPBROADCASTW(row(at), x)
	VCVTPH2PS(x, y)
	return y
}

// blockScales returns D of eight groups.
func (r *reader) blockScales(row weights) vector {
	if r.Items == 32 {
		return gather(row, r.Bytes, r.D.At)
	}
	x, y := XMM(), YMM()
	VPBROADCASTW(row(r.D.At), x)
	for b := 1; b < 256/r.Items; b++ { // of the words from here on
		t := XMM()
		VPBROADCASTW(row(b*r.Bytes+r.D.At), t)
		VPBLENDW(U8(0xff<<(b*r.Items/32)&0xff), t, x, x)
	}
	VCVTPH2PS(x, y)
	return y
}

// halfE8M0 returns half of D of eight blocks of 32.
func (r *reader) halfE8M0(row weights) vector {
	if r.Items != 32 {
		log.Fatalf("gen: no kernel reads scales like those of %s", r.Name)
	}
	x, e := XMM(), YMM()
	VMOVDQU(row(r.D.At), x)
	for i := 1; i < 8; i++ {
		VPBLENDW(U8(1<<i), row(r.Bytes*i+r.D.At-2*i), x, x)
	}
	VPMOVZXWD(x, e)
	VPAND(table(0xff), e, e)
	return avx2.exponents(e)
}

// exponents returns 2^(e-128).
func (t isa) exponents(e vector) vector {
	// Numbers with e of 0 and 1 are denormal.
	two, small := t.reg(), t.reg()
	VPMINUD(table(2), e, two)
	VPBROADCASTD(table(0x00200000), small)
	VPSLLVD(two, small, small)
	VPADDD(table(0xffffffff), e, e)
	VPSLLD(U8(23), e, e)
	VPMAXSD(small, e, e)
	return e
}

// ue4m3 returns half of the numbers of 16 groups.
func (r *reader) ue4m3(row weights, byChains bool) (v []vector) {
	x := XMM()
	VMOVD(row(r.Scales.Low.At), x)
	for b := 1; b < 256/r.Items; b++ {
		VPINSRD(U8(b), row(b*r.Bytes+r.Scales.Low.At), x, x)
	}
	if byChains {
		VPSHUFB(table(0x06040200, 0x07050301, 0x0e0c0a08, 0x0f0d0b09), x, x)
	}
	for h := range 2 {
		if h > 0 {
			VPSRLDQ(U8(8), x, x)
		}
		v = append(v, halfUE4M3(x))
	}
	return v
}

// halfUE4M3 returns half of the numbers in eight bytes. 0x7f is none, and bit 7 not
// used. The bits of a number are those of one in half precision, times 2^-8.
func halfUE4M3(x vector) vector {
	h, none, f := XMM(), XMM(), YMM()
	VPMOVZXBW(x, h)
	VPCMPEQW(table(0x007f007f), h, none)
	VPANDN(h, none, h)
	VPAND(table(0x007f007f), h, h)
	VPSLLW(U8(7), h, h)
	VCVTPH2PS(h, f)
	VMULPS(table(math.Float32bits(0x1p7)), f, f)
	return f
}

// runs1 returns the scales of eight groups that lie one after the other, bit by
// bit, in a word or less.
func (r *reader) runs1(row weights) vector {
	var sum vector
	to := 0
	for _, f := range []struct{ At, Bits int }{{r.Scales.Low.At, r.Scales.Low.Bits}, {r.Scales.High.At, r.Scales.High.Bits}} {
		var from [8]uint32
		for g := range from {
			from[g] = uint32(f.Bits * g)
		}
		v := YMM()
		VPBROADCASTD(row(f.At), v)
		VPSRLVD(table(from[:]...), v, v)
		VPAND(table(1<<f.Bits-1), v, v)
		if to > 0 {
			VPSLLD(U8(to), v, v)
			VPADDD(sum, v, v)
		}
		sum, to = v, to+f.Bits
	}
	VPSUBD(table(uint32(r.Scales.Zero)), sum, sum)
	return sum
}

// ints returns 16 integers of a block, a byte each.
func (r *reader) ints(row weights, low, high quant.Field, zero int) vector {
	v := XMM()
	switch {
	case low.Run == 16:
		VMOVDQU(row(low.At), v)
		shiftRight(low.Shift, v)
	case low.Run == 8 && low.Bits == 4:
		t := XMM()
		VMOVQ(row(low.At), v)
		VPSRLW(U8(4), v, t)
		VPUNPCKLQDQ(t, v, v)
	default:
		log.Fatalf("gen: no kernel reads scales like those of %s", r.Name)
	}
	VPAND(table((1<<low.Bits-1)*0x01010101), v, v)
	if high.Bits > 0 {
		if high.Run != 4 || high.Bits != 2 {
			log.Fatalf("gen: no kernel reads scales like those of %s", r.Name)
		}
		t := XMM()
		VPBROADCASTD(row(high.At), t)
		VPSRLVD(table(0, 2, 4, 6), t, t)
		VPAND(table(0x03030303), t, t)
		VPSLLW(U8(low.Bits), t, t)
		VPOR(t, v, v)
	}
	if zero > 0 {
		VPSUBB(table(uint32(zero)*0x01010101), v, v)
	}
	return v
}

// rowScales stores the scales and mins of a block of one row of a panel.
func (r *reader) rowScales(w, scale, min Mem) {
	row := func(disp int) Mem { return w.Offset(disp) }
	switch {
	case r.Scales.Bits() > 0 && r.Items == 256:
		s, m := r.scales(row, false)
		for h, v := range s {
			scatter(v, scale.Offset(8*64*h), 64, 256)
		}
		for h, v := range m {
			scatter(v, min.Offset(8*64*h), 64, 256)
		}
	case r.Scales.Bits() > 0: // four numbers in UE4M3
		x := XMM()
		VMOVD(row(r.Scales.Low.At), x)
		x = halfUE4M3(x).AsX().(vector)
		VMOVSS(x, scale)
		for i := 1; i < r.Items/r.Group; i++ {
			VEXTRACTPS(U8(i), x, scale.Offset(64*i))
		}
	default:
		var d vector
		if r.D.Bits == 8 {
			x := YMM()
			VPBROADCASTB(row(r.D.At), x)
			VPAND(table(0xff), x, x)
			d = avx2.exponents(x)
		} else {
			d = r.half(row, r.D.At)
		}
		for i := range r.Items / r.Group {
			VMOVSS(d.AsX(), scale.Offset(64*i))
		}
	}
}
