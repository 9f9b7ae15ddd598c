package main

import (
	"log"
	"math"
	"math/bits"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
	"github.com/mmcloughlin/avo/x86"

	"github.com/normswap/normswap/quant"
)

// The wide kernels of types with a codebook look 64 points up at a time, in tables of 128
// bytes that instructions permute by: a byte has the digits of two or four quants, as many
// bits as their magnitudes follow from by a product with a matrix of bits (GFNI). Byte i
// of a register belongs to the quants from 4*i on, and each of four registers has one of
// those four, as Q8x8.Strided has the activations: so the products of 16 quants in a row
// add up where they are. Signs choose which activations are negated.

// points is the number of points.
func (w weightType) points() int { return len(w.Codebook.Points()) / w.Codebook.Width }

// digitBits is how many bits the digit of a quant has.
func (w weightType) digitBits() int { return 16 / w.Codebook.Width }

// affine returns how magnitudes follow from digits: one is m, and each bit of the digit
// that is set changes the bits of a mask. The first of these has its highest bit alone
// among them, and so on: bits of a magnitude, less those of m, are the digit.
func (w weightType) affine() (m byte, masks []byte) {
	m = byte(w.Codebook.Points()[0])
	for _, q := range w.Codebook.Points() {
		v := byte(q) ^ m
		for _, mask := range masks {
			v = min(v, v^mask)
		}
		if v == 0 {
			continue
		}
		for i, mask := range masks {
			masks[i] = min(mask, mask^v)
		}
		masks = append(masks, v)
	}
	if len(masks) > w.digitBits() {
		log.Fatalf("gen: magnitudes of %s are no affine function of %d bits", w.Name, w.digitBits())
	}
	return m, masks
}

var digitTables = map[string]Mem{}

// digits is where the table with byte n of all points is.
func (w weightType) digits(n int) Mem {
	if t, ok := digitTables[w.Name]; ok {
		return t.Offset(n * w.points())
	}
	t := make([]byte, 2*w.points())
	m, masks := w.affine()
	for i, q := range w.Codebook.Points() {
		at := i % w.Codebook.Width * w.digitBits()
		for bit, mask := range masks {
			if top := byte(1) << (bits.Len8(mask) - 1); (byte(q)^m)&top != 0 {
				t[at/8*w.points()+i/w.Codebook.Width] |= 1 << (at%8 + bit)
			}
		}
	}
	digitTables[w.Name] = bytesTable("digits"+w.Name, t)
	return w.digits(n)
}

// magnitudes is the matrix, and what is added to it, that take the digit of quant q of
// four to the magnitude.
func (w weightType) magnitudes(q int) (matrix Mem, add U8) {
	m, masks := w.affine()
	at := q * w.digitBits() % 8
	return bytes64(func(i int) int {
		row := 0
		for bit, mask := range masks {
			row |= int(mask) >> (7 - i%8) & 1 << (at + bit)
		}
		return row
	}), U8(m)
}

// ownSigns is a table of the signs of quant q of the four of each byte.
func ownSigns(q int) Mem { return bytes64(func(i int) int { return 1 << (q + i%2*4) }) }

// holdDigits loads the lower half of each 128 bytes of the tables, and what every block
// needs again and again.
func (k *gemvKernel) holdDigits() {
	hold := func(m Mem) { k.held[m] = resident(m) }
	for n := range 2 {
		for i := 0; i < k.points(); i += 128 {
			hold(k.digits(n).Offset(i))
		}
	}
	if k.points() > 512 {
		return // there are no more registers
	}
	for q := range 4 {
		m, _ := k.magnitudes(q)
		hold(m)
		hold(ownSigns(q))
	}
}

// kept returns a register with a table, held or loaded.
func (k *gemvKernel) kept(m Mem) vector {
	if v, ok := k.held[m]; ok {
		return v
	}
	return resident(m)
}

// A numbered is 64 numbers of points: the lower eight bits, and masks of all bits from
// the seventh on.
type numbered struct {
	low  vector
	bits []reg.Register
}

// number returns numbers with masks of the bits above the lower eight.
func number(low vector, above ...reg.Register) numbered {
	seventh := K()
	VPMOVB2M(low, seventh)
	return numbered{low, append([]reg.Register{seventh}, above...)}
}

// lookUp returns byte n of the points.
func (k *gemvKernel) lookUp(x numbered, n int) vector {
	// find takes those from the given point on, of as many as that many masks tell apart.
	var find func(from, masks int) vector
	find = func(from, masks int) vector {
		if masks == 0 {
			m, v := k.digits(n).Offset(from), ZMM()
			VMOVDQA64(x.low, v)
			VPERMI2B(m.Offset(64), k.held[m], v)
			return v
		}
		v := find(from, masks-1)
		VMOVDQU8(find(from+64<<masks, masks-1), x.bits[masks-1], v)
		return v
	}
	return find(0, bits.Len(uint(k.points()/128))-1)
}

// A wideBook is what some blocks have, for each of them.
type wideBook struct {
	digits  [][]vector // byte i: of the quants from 4*i on; of two quants each, if there are two
	signs   []vector   // byte i: of the eight quants from 8*(i/2) on
	factors []vector   // scales of the groups, in the order of the chains
}

// wideGrids is the step of those types.
func (k *gemvKernel) wideGrids(blocks []weights, acc vector) {
	k.above = 0
	b := k.wideBook(blocks)
	sums := zeroSums(len(blocks))
	nothing := ZMM()
	zero(nothing)
	for q := range 4 {
		var quants []vector
		m, add := k.magnitudes(q)
		for _, digits := range b.digits[:len(blocks)] {
			v := ZMM()
			VGF2P8AFFINEQB(add, k.kept(m), digits[q*k.digitBits()/8], v)
			quants = append(quants, v)
		}
		k.fetch(fetchedAtOnce)
		for i, c := range quants {
			negative, a := K(), resident(k.q8x8(i, q8x8Strided+64*q))
			VPTESTMB(k.kept(ownSigns(q)), b.signs[i], negative)
			VPSUBB(a, nothing, negative, a)
			VPDPBUSD(a, c, sums[i])
		}
	}
	if k.Group == 16 {
		// Word 2*g+s has half s of group g.
		order := resident(wordsOf(4, chainOrder))
		for i, s := range sums {
			VPERMD(s, order, s)
			VCVTDQ2PS(s, s)
			VMULPS(k.q8x8(i, q8x8HalfScale), b.factors[i], b.factors[i])
		}
		highSums, highFactors := above(sums), above(b.factors)
		for i := range sums {
			VFMADD231PS(asY(b.factors[i]), asY(sums[i]), acc)
			VFMADD231PS(highFactors[i], highSums[i], acc)
		}
		return
	}
	first, last := sums[0], sums[len(sums)-1]
	dots, odd := ZMM(), ZMM()
	VSHUFPS(U8(0x88), last, first, dots)
	VSHUFPS(U8(0xdd), last, first, odd)
	VPADDD(odd, dots, dots)
	dots = inTurn(dots)
	VCVTDQ2PS(dots, dots)
	for i, d := range bothHalves(dots)[:len(blocks)] {
		VMULPS(k.q8x8(i, q8x8Scale), b.factors[i], b.factors[i])
		VFMADD231PS(b.factors[i], d, acc)
	}
}

// Two blocks share registers: pairs have, in 128 bits, two 32-bit words of the first and
// two of the second, or eight bytes of both. A block alone is both.

// inTurn returns the words of a pair, those of the first block, then the others.
func inTurn(x vector) vector {
	v := ZMM()
	VPERMD(x, resident(wordsOf(4, func(i int) int { return i%8/2*4 + i/8*2 + i%2 })), v)
	return v
}

// bothHalves returns both halves of a register.
func bothHalves(x vector) []vector { return []vector{asY(x), above([]vector{x})[0]} }

// doubled returns the bytes of a pair, each twice, by block.
func doubled(x vector) []vector {
	low, high := ZMM(), ZMM()
	VPUNPCKLBW(x, x, low)
	VPUNPCKHBW(x, x, high)
	return []vector{low, high}
}

// evenly returns the pair of 256 bits of both registers.
func evenly(first, last vector) vector {
	v := ZMM()
	VMOVDQA64(first, v)
	VPERMT2Q(last, resident(perQuad(func(s, p int) int { return 2*s + p/2 + p%2*8 })), v)
	return v
}

// wideBook emits what finds the parts of up to two blocks.
func (k *gemvKernel) wideBook(blocks []weights) (b wideBook) {
	first, last := blocks[0], blocks[len(blocks)-1]
	// both loads a register of the first block, and of the last one.
	both := func(at int, load func(m Mem) vector) (x, y vector) {
		x = load(first(at))
		if y = x; len(blocks) > 1 {
			y = load(last(at))
		}
		return x, y
	}
	permuted := func(x vector, from func(i int) int) vector {
		v := ZMM()
		VPERMB(x, resident(bytes64(from)), v)
		return v
	}
	// of8 takes numbers of points of eight quants, a pair, apart.
	of8 := func(x numbered) {
		b.digits = [][]vector{{ZMM()}, {ZMM()}}
		low, high := k.lookUp(x, 0), k.lookUp(x, 1)
		VPUNPCKLBW(high, low, b.digits[0][0])
		VPUNPCKHBW(high, low, b.digits[1][0])
	}
	// of4 takes those of points of four.
	of4 := func(number func(block weights) numbered) {
		for _, block := range blocks {
			x := number(block)
			b.digits = append(b.digits, []vector{k.lookUp(x, 0), k.lookUp(x, 1)})
		}
	}
	// sevens takes a pair of words of four times seven bits of signs and a scale.
	sevens := func(u vector) {
		x := multishift(bytes64(func(i int) int { return i%8/4*32 + i%4*7 }), []vector{u})
		b.signs = doubled(wideCompleted(x[0]))
		v := ZMM()
		VPSRLD(U8(27), u, v)
		b.factors = bothHalves(inTurn(v))
	}
	// nibbles takes scales in the order of the chains.
	scales, order := k.inChains()
	nibbles := func(at int) {
		broadcast := map[isa]func(...Op){avx2: VPBROADCASTD, avx512: VPBROADCASTQ}[scales]
		b.factors = each(blocks, func(block weights) vector {
			v, from := scales.reg(), scales.reg()
			broadcast(block(at), v)
			VMOVDQU64(bytes64(func(i int) int { return (4*order(i/4) - 1) & 63 }), from)
			VPMULTISHIFTQB(v, from, v)
			return v
		})
	}
	switch k.Type {
	case quant.IQ2_XXS:
		x, y := both(2, resident)
		numbers, u := ZMM(), ZMM()
		VSHUFPS(U8(0x88), y, x, numbers)
		VSHUFPS(U8(0xdd), y, x, u)
		of8(number(numbers))
		sevens(u)
	case quant.IQ3_XXS:
		x, y := both(66, load32)
		of4(func(block weights) numbered { return number(resident(block(2))) })
		sevens(evenly(x, y))
	case quant.IQ2_XS:
		x, y := both(2, resident)
		low, high := ZMM(), ZMM()
		for odd, v := range []vector{low, high} {
			VMOVDQU64(bytes64(func(i int) int { return i%16/8*64 + i/16*16 + i%8*2 + odd }), v)
			VPERMI2B(y, x, v)
		}
		eighth := K()
		VPTESTMB(avx512.repeat(0x01010101), high, eighth)
		of8(number(low, eighth))
		VPSRLW(U8(1), high, high)
		b.signs = doubled(wideCompleted(high))
		nibbles(66)
	case quant.IQ2_S:
		x, y := both(2, resident)
		high, odd := ZMM(), K()
		KMOVQ(quad(0xaa), odd)
		VPBROADCASTQ(first(66), high)
		VPBROADCASTQ(last(66), odd, high)
		high = multishift(bytes64(func(i int) int { return 2 * (i/16*8 + i%8) }), []vector{high})[0]
		eighth, ninth := K(), K()
		VPTESTMB(avx512.repeat(0x01010101), high, eighth)
		VPTESTMB(avx512.repeat(0x02020202), high, ninth)
		of8(number(evenly(x, y), eighth, ninth))
		for _, x := range []vector{x, y}[:len(blocks)] {
			b.signs = append(b.signs, permuted(x, func(i int) int { return 32 + i/2 }))
		}
		nibbles(74)
	case quant.IQ3_S:
		of4(func(block weights) numbered {
			eighth := K()
			KMOVQ(block(66), eighth)
			return number(resident(block(2)), eighth)
		})
		b.signs = each(blocks, func(block weights) vector { return permuted(load32(block(74)), func(i int) int { return i / 2 }) })
		nibbles(106)
	}
	b.factors = b.factors[:len(blocks)]
	for i, f := range b.factors {
		VPANDD(scales.repeat(30), f, f)
		VPORD(scales.repeat(1), f, f)
		VCVTDQ2PS(f, f)
		d := scales.reg()
		VPBROADCASTW(blocks[i](k.D.At), scales.half(d))
		VCVTPH2PS(scales.half(d), d)
		if k.Codebook.Step != 1 {
			VMULPS(scales.repeat(math.Float32bits(k.Codebook.Step)), d, d)
		}
		VMULPS(d, f, f)
	}
	return b
}

// load32 returns a register with 32 bytes in its low half.
func load32(m Mem) vector {
	v := ZMM()
	clearing(x86.VMOVDQU64(m, v.AsY()))
	return v
}

// wideCompleted keeps seven bits of each byte and sets the eighth so that an even number
// is set.
func wideCompleted(x vector) vector {
	mask(0x7f7f7f7f, []vector{x})
	four, parity, y := avx512.repeat(0x0f0f0f0f), ZMM(), ZMM()
	VBROADCASTI32X4(table(0x00808000, 0x80000080, 0x80000080, 0x00808000), parity)
	VPSRLW(U8(4), x, y)
	VPTERNLOGD(U8(0x28), four, x, y) // (y ^ x) & four
	VPSHUFB(y, parity, y)
	VPORD(y, x, x)
	return x
}
