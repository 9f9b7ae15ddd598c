package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/x86"

	"github.com/normswap/normswap/quant"
)

// A book is what a block has.
type book struct {
	local  Mem
	number func(i int) Mem // of point i, in a byte, or in 16 bits if that is wide
	wide   bool
	signs  func(g int) Mem // of the quants of group g of 32: four bytes; nil if down has them
	down   func() vector   // the groups whose quants are one less than their points, not one more
	// scales returns the scales of the groups; of groups of 16, 0, 2, 4, 6, 1, 3, 5,
	// 7, then those from 8.
	scales func() [2]vector
}

// storeSigns stores the signs.
func (b *book) storeSigns(signs vector) {
	VMOVDQU(signs, b.local.Offset(localSigns))
	b.signs = func(g int) Mem { return b.local.Offset(localSigns + 4*g) }
}

// read emits what finds the parts of a block, number i of gridBlocks.
func (k *gridKernel) read(i int, row weights) *book {
	b := &book{local: k.local.Offset(i * localBytes)}
	bytesAt := func(at, group, step int) { b.number = func(i int) Mem { return row(at + i/group*step + i%group) } }
	local := func() { b.wide, b.number = true, func(i int) Mem { return b.local.Offset(2 * i) } }
	storedSigns := func(at int) { b.signs = func(g int) Mem { return row(at + 4*g) } }
	// scaled returns the scales of numbers times two plus one, in words.
	scaled := func(numbers ...vector) (scales [2]vector) {
		d := k.factor(row)
		for h, n := range numbers {
			VCVTDQ2PS(n, n)
			VMULPS(d, n, n)
			scales[h] = n
		}
		return scales
	}
	switch k.Type {
	case quant.IQ2_XXS:
		bytesAt(2, 4, 8)
		words := func() vector {
			u, high := ymm(VMOVDQU, row(2)), ymm(VMOVDQU, row(34))
			VSHUFPS(U8(0xdd), high, u, u)
			VPERMQ(U8(0xd8), u, u)
			return u
		}
		b.storeSigns(completed(sevens(words())))
		b.scales = func() [2]vector { return scaled(oddScales(words())) }
	case quant.IQ3_XXS:
		bytesAt(2, 64, 0)
		words := func() vector { return ymm(VMOVDQU, row(66)) }
		b.storeSigns(completed(sevens(words())))
		b.scales = func() [2]vector { return scaled(oddScales(words())) }
	case quant.IQ2_XS:
		local()
		var signs [2]vector
		for h := range signs {
			w := ymm(VMOVDQU, row(2+32*h))
			signs[h] = ymm(VPSRLW, U8(9), w)
			VPAND(held(0x01ff01ff), w, w)
			VMOVDQU(w, b.local.Offset(32*h))
		}
		VPACKUSWB(signs[1], signs[0], signs[0])
		VPERMQ(U8(0xd8), signs[0], signs[0])
		b.storeSigns(completed(signs[0]))
		b.scales = func() [2]vector { return scaled(nibbleScales16(row(66))...) }
	case quant.IQ2_S:
		local()
		for h := range 2 {
			b.numbers(row, 16*h, 2, 0x03000300, func(w vector) {
				VPBROADCASTD(row(66+4*h), w)
				VPSHUFB(held(0x80008000, 0x80008000, 0x80018001, 0x80018001, 0x80028002, 0x80028002, 0x80038003, 0x80038003), w, w)
				VPMULLW(held(0x00400100, 0x00040010), w, w)
			})
		}
		storedSigns(34)
		b.scales = func() [2]vector { return scaled(nibbleScales16(row(74))...) }
	case quant.IQ3_S:
		local()
		own := held(0x00020001, 0x00080004, 0x00200010, 0x00800040, 0x02000100, 0x08000400, 0x20001000, 0x80004000)
		for h := range 4 {
			b.numbers(row, 16*h, 2, 0x01000100, func(w vector) {
				VPBROADCASTW(row(66+2*h), w)
				VPAND(own, w, w)
				VPCMPEQW(own, w, w)
			})
		}
		storedSigns(74)
		b.scales = func() [2]vector { return scaled(nibbleScales32(row(106))) }
	case quant.IQ1_S:
		local()
		for h := range 2 {
			b.numbers(row, 16*h, 2, 0x07000700, func(w vector) {
				VPBROADCASTQ(row(34+8*h), w)
				VPSHUFB(held(0x01000100, 0x01000100, 0x03020302, 0x03020302, 0x05040504, 0x05040504, 0x07060706, 0x07060706), w, w)
				VPBLENDW(U8(0x88), ymm(VPSRLW, U8(1), w), w, w)
				VPMULLW(held(0x00200100, 0x00010004), w, w)
			})
		}
		b.down = func() vector {
			v := ymm(VPMOVSXWD, row(34))
			VPSRAD(U8(31), v, v)
			return v
		}
		b.scales = func() [2]vector {
			v := ymm(VPMOVZXWD, row(34))
			VPSRLD(U8(11), v, v)
			odd(v, 14)
			return scaled(v)
		}
	case quant.IQ1_M:
		local()
		var signs [2]vector
		for h := range signs {
			b.numbers(row, 16*h, 0, 0x07000700, func(w vector) {
				VPMOVZXBD(row(32+8*h), w)
				t := ymm(VPSLLD, U8(20), w)
				VPSLLD(U8(8), w, w)
				VPOR(t, w, w)
				signs[h] = ymm(VPSLLW, U8(4), w)
				VPSRAW(U8(15), signs[h], signs[h])
			})
		}
		VPACKSSWB(signs[1], signs[0], signs[0])
		VPERMQ(U8(0xd8), signs[0], signs[0])
		b.storeSigns(signs[0])
		b.scales = func() [2]vector {
			var v [2]vector
			for h := range v {
				v[h] = ymm(VPBROADCASTD, row(48+4*h))
				VPSRLVD(held(0, 6, 16, 22, 3, 9, 19, 25), v[h], v[h])
				VPADDD(v[h], v[h], v[h])
				odd(v[h], 14)
			}
			return scaled(v[:]...)
		}
	}
	return b
}

// factor returns the scale of a block, times Codebook.Step, in each lane.
func (k *gridKernel) factor(row weights) vector {
	d, x := YMM(), XMM()
	if k.D.Bits > 0 {
		VPBROADCASTW(row(k.D.At), x)
	} else {
		// IQ1_M: the product moves four high nibbles to the highest 16 bits.
		n, m := GP64(), GP64()
		MOVQ(U64(0xf000f000f000f000), n)
		ANDQ(row(48), n)
		MOVQ(U64(1<<36|1<<24|1<<12|1), m)
		IMULQ(m, n)
		SHRQ(U8(48), n)
		VMOVD(n.As32(), x)
		VPBROADCASTW(x, x)
	}
	VCVTPH2PS(x, d)
	if k.Codebook.Step != 1 {
		VMULPS(held(math.Float32bits(k.Codebook.Step)), d, d)
	}
	return d
}

// numbers stores the numbers of 16 points, from the given one: low bytes from
// byte at of the block on, and above them the masked bits of what high loads.
func (b *book) numbers(row weights, from, at int, mask uint32, high func(w vector)) {
	w := YMM()
	high(w)
	VPAND(held(mask), w, w)
	VPOR(ymm(VPMOVZXBW, row(at+from)), w, w)
	VMOVDQU(w, b.local.Offset(2*from))
}

// sevens returns the four times seven low bits of each word, a byte each.
func sevens(u vector) vector {
	x := ymm(VPAND, held(0x7f), u)
	for i := 1; i < 4; i++ {
		t := ymm(VPSLLD, U8(i), u)
		VPAND(held(0x7f<<(8*i)), t, t)
		VPOR(t, x, x)
	}
	return x
}

// completed sets the eighth bit of bytes so that an even number is set.
func completed(x vector) vector {
	y := ymm(VPSRLW, U8(4), x)
	VPXOR(x, y, y)
	VPAND(held(0x0f0f0f0f), y, y)
	VPSHUFB(y, held(0x00808000, 0x80000080, 0x80000080, 0x00808000), y)
	VPOR(y, x, x)
	return x
}

// oddScales returns twice the highest four bits of words, plus one.
func oddScales(u vector) vector {
	s := ymm(VPSRLD, U8(27), u)
	odd(s, 30)
	return s
}

// odd makes words whose masked bits are twice a number twice that and one.
func odd(s vector, mask uint32) {
	VPAND(held(mask), s, s)
	VPOR(held(1), s, s)
}

// nibbleScales returns bytes of twice the low and high nibbles at m, plus one.
func nibbleScales(m Mem) (low, high vector) {
	low, high = YMM(), YMM()
	clearing(x86.VMOVQ(m, low.AsX()))
	VPSRLW(U8(3), low, high)
	VPADDB(low, low, low)
	odd(low, 0x1e1e1e1e)
	odd(high, 0x1e1e1e1e)
	return low, high
}

// nibbleScales16 returns those of groups of 16.
func nibbleScales16(m Mem) []vector {
	low, high := nibbleScales(m)
	VPOR(held(0x01010101), low, low)
	VPOR(held(0x01010101), high, high)
	VPUNPCKLDQ(high, low, low)
	s := []vector{ymm(VPMOVZXBD, low.AsX())}
	VPUNPCKHQDQ(low, low, low)
	return append(s, ymm(VPMOVZXBD, low.AsX()))
}

// nibbleScales32 returns those of groups of 32.
func nibbleScales32(m Mem) vector {
	low, high := nibbleScales(m)
	VPUNPCKLBW(high, low, low)
	s := ymm(VPMOVZXBD, low.AsX())
	VPOR(held(1), s, s)
	return s
}

var heldTables = map[Mem]vector{}

// held returns a register with a table, loaded where it is wanted first after
// [release].
func held(words ...uint32) vector {
	m := table(words...)
	v, ok := heldTables[m]
	if !ok {
		v = ymm(VMOVDQU, m)
		heldTables[m] = v
	}
	return v
}

// release forgets which registers have tables.
func release() { clear(heldTables) }
