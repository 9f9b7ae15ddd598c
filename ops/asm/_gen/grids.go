package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
	"github.com/mmcloughlin/avo/x86"

	"github.com/normswap/normswap/quant"
)

// The types with a codebook (quant.Codebook) differ in how the numbers of
// points, the signs and the scales of a block are found: [weightType.book].
// What is done with them is the same for all.

// symbol is where a variable of package asm is.
func symbol(name string) Mem { return Mem{Symbol: Symbol{Name: "·" + name}, Base: reg.StaticBase} }

// A gridKernel takes blocks of 256 apart.
type gridKernel struct {
	weightType
	points           reg.GPVirtual // the points, whose quants are bytes
	local            Mem           // for each of gridBlocks, numbers of points of 16 bits, then 32 bytes of signs
	spread, own, one vector        // constants of signs
}

// gridBlocks is how many blocks are read before their points are looked up: what is
// written to memory for it takes long to come back.
const gridBlocks = 4

const localBytes, localSigns = 160, 128

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

func newGridKernel(w weightType) *gridKernel {
	k := &gridKernel{weightType: w, points: GP64(), local: AllocLocal(gridBlocks * localBytes)}
	LEAQ(symbol(w.grid()).Offset(gridPad), k.points)
	k.spread, k.own, k.one = YMM(), YMM(), YMM()
	VMOVDQU(table(0, 0, 0x01010101, 0x01010101, 0x02020202, 0x02020202, 0x03030303, 0x03030303), k.spread)
	VMOVDQU(table(0x08040201, 0x80402010), k.own)
	VMOVDQU(table(0x01010101), k.one)
	return k
}

// gridPad is how many bytes there are before the points and behind them.
const gridPad = 16

// grid names the variable with the points of a type.
func (w weightType) grid() string {
	if w.Codebook.Shift {
		return "gridIQ1"
	}
	return "grid" + w.Name
}

// ymm returns a register that an operation has set from m.
func ymm(op any, m ...Op) vector {
	v := YMM()
	switch op := op.(type) {
	case func(a, b Op):
		op(m[0], v)
	case func(a, b, c Op):
		op(m[0], m[1], v)
	case func(...Op):
		op(append(m, v)...)
	}
	return v
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
			VPAND(table(0x01ff01ff), w, w)
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
				VPSHUFB(table(0x80008000, 0x80008000, 0x80018001, 0x80018001, 0x80028002, 0x80028002, 0x80038003, 0x80038003), w, w)
				VPMULLW(table(0x00400100, 0x00040010), w, w)
			})
		}
		storedSigns(34)
		b.scales = func() [2]vector { return scaled(nibbleScales16(row(74))...) }
	case quant.IQ3_S:
		local()
		own := table(0x00020001, 0x00080004, 0x00200010, 0x00800040, 0x02000100, 0x08000400, 0x20001000, 0x80004000)
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
				VPSHUFB(table(0x01000100, 0x01000100, 0x03020302, 0x03020302, 0x05040504, 0x05040504, 0x07060706, 0x07060706), w, w)
				VPBLENDW(U8(0x88), ymm(VPSRLW, U8(1), w), w, w)
				VPMULLW(table(0x00200100, 0x00010004), w, w)
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
				VPSRLVD(table(0, 6, 16, 22, 3, 9, 19, 25), v[h], v[h])
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
		VMULPS(table(math.Float32bits(k.Codebook.Step)), d, d)
	}
	return d
}

// numbers stores the numbers of 16 points, from the given one: low bytes from
// byte at of the block on, and above them the masked bits of what high loads.
func (b *book) numbers(row weights, from, at int, mask uint32, high func(w vector)) {
	w := YMM()
	high(w)
	VPAND(table(mask), w, w)
	VPOR(ymm(VPMOVZXBW, row(at+from)), w, w)
	VMOVDQU(w, b.local.Offset(2*from))
}

// sevens returns the four times seven low bits of each word, a byte each.
func sevens(u vector) vector {
	x := ymm(VPAND, table(0x7f), u)
	for i := 1; i < 4; i++ {
		t := ymm(VPSLLD, U8(i), u)
		VPAND(table(0x7f<<(8*i)), t, t)
		VPOR(t, x, x)
	}
	return x
}

// completed sets the eighth bit of bytes so that an even number is set.
func completed(x vector) vector {
	y, parity := ymm(VPSRLW, U8(4), x), ymm(VMOVDQU, table(0x00808000, 0x80000080, 0x80000080, 0x00808000))
	VPXOR(x, y, y)
	VPAND(table(0x0f0f0f0f), y, y)
	VPSHUFB(y, parity, y)
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
	VPAND(table(mask), s, s)
	VPOR(table(1), s, s)
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
	VPOR(table(0x01010101), low, low)
	VPOR(table(0x01010101), high, high)
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
	VPOR(table(1), s, s)
	return s
}

// point emits what finds point i.
func (k *gridKernel) point(b *book, i int) Mem {
	n := GP64()
	if b.wide {
		MOVWQZX(b.number(i), n)
	} else {
		MOVBQZX(b.number(i), n)
	}
	return Mem{Base: k.points, Index: n, Scale: uint8(k.Codebook.Width)}
}

// quants returns the points of group g of 32: magnitudes, or with a shift, 16
// more than the quants would be that are one more.
func (k *gridKernel) quants(b *book, g int) vector {
	point := func(i int) Mem { return k.point(b, i) }
	words := k.Codebook.Width / 4
	var halves [2]vector
	for h := range halves {
		c := YMM()
		x := c.AsX()
		first := (8*g + 4*h) / words
		if words == 1 {
			clearing(x86.VMOVD(point(first), x))
		} else {
			clearing(x86.VMOVQ(point(first), x))
		}
		for i := 1; i < 4/words; i++ {
			// Each is in its words of a load that begins so much before it.
			clearing(x86.VPBLENDD(U8((1<<words-1)<<(i*words)), point(first+i).Offset(-4*words*i), x, x))
		}
		halves[h] = c
	}
	VINSERTI128(U8(1), halves[1].AsX(), halves[0], halves[0])
	return halves[0]
}

// negative returns bytes of -1 for the signs of group g that are set, else 0.
func (k *gridKernel) negative(b *book, g int) vector {
	m := ymm(VPBROADCASTD, b.signs(g))
	VPSHUFB(k.spread, m, m)
	if !k.Codebook.Shift { // else a byte is 0 or -1
		VPAND(k.own, m, m)
		VPCMPEQB(k.own, m, m)
	}
	return m
}

// grids multiplies magnitudes with activations that have the signs, and shifted
// quants as they are. It returns the step for some blocks, one behind the other.
func (k *gemvKernel) grids() gemv512Step {
	grid := newGridKernel(k.weightType)
	k.above = 0
	if k.Codebook.Shift {
		k.above = 16
	}
	product := k.products()
	return func(k *gemvKernel, blocks []weights, acc vector) {
		var books []*book
		for i, block := range blocks {
			books = append(books, grid.read(i, block))
		}
		for i, b := range books {
			leaf := func(g int) vector {
				c := grid.quants(b, g)
				var a Op = k.q8x8(i, q8x8Q+32*g)
				switch {
				case b.signs == nil:
				case k.Codebook.Shift:
					m := grid.negative(b, g)
					VPADDB(m, c, c)
					VPADDB(m, c, c)
				default:
					m, s := grid.negative(b, g), ymm(VMOVDQU, a)
					VPOR(grid.one, m, m)
					VPSIGNB(m, s, s)
					a = s
				}
				return product([]vector{c}, []Op{a})
			}
			// The sums wait where the numbers of points were.
			if k.Group == 32 {
				VMOVDQU(sum8(leaf), b.local)
				continue
			}
			for h := range 2 {
				VMOVDQU(sum4(func(i int) vector { return leaf(4*h + i) }), b.local.Offset(32*h))
			}
		}
		for i, b := range books {
			of := *k
			of.at = k.q8x8(i, 0)
			of.load()
			for h, scale := range b.scales() {
				if scale == nil {
					break
				}
				dots := ymm(VMOVDQU, b.local.Offset(32*h))
				if b.down != nil {
					down := b.down()
					VPAND(of.at.Offset(q8x8Sum), down, down)
					VPADDD(down, down, down)
					VPSUBD(down, dots, dots)
				}
				of.add(h, dots, scale, acc)
			}
		}
	}
}

// unpackGrid emits what unpacks a row of a panel.
func unpackGrid(f weightType) {
	name := "unpackRow" + f.Name + "AVX2"
	TEXT(name, NOSPLIT, "func(q *int8, scale *float32, w *byte, blocks int, zero *uint32)")
	Doc(name+" unpacks that many blocks, at least one, to a row of a panel. Zero is 32 bytes that are added",
		"to the quants.")
	Pragma("noescape")
	q, scale, w, blocks, zero := pointer("q"), pointer("scale"), pointer("w"), integer("blocks"), pointer("zero")
	k := newGridKernel(f)
	loop("block", blocks, func() {
		b := k.read(0, func(disp int) Mem { return w.Offset(disp) })
		if b.signs == nil {
			b.storeSigns(b.down())
		}
		for g := range 8 {
			c := k.quants(b, g)
			m := k.negative(b, g)
			if f.Codebook.Shift {
				VPADDB(m, c, c)
				VPADDB(m, c, c)
				VPSUBB(table(0x10101010), c, c)
			} else {
				VPXOR(m, c, c)
				VPSUBB(m, c, c)
			}
			VPADDB(zero, c, c)
			to := q.Offset(32 * g * panelRows)
			if f.Group == 32 {
				VMOVDQU(c, to)
				continue
			}
			VMOVDQU(c.AsX(), to)
			VEXTRACTI128(U8(1), c, to.Offset(16*panelRows))
		}
		scales := b.scales()
		for h := range 32 / f.Group {
			if f.Group == 32 {
				scatter(scales[h], scale, 64, 256)
			} else {
				scatter(scales[h], scale.Offset(512*h), 128, 64)
			}
		}
		ADDQ(U32(f.Bytes), w.Base)
		ADDQ(U32(f.Items*panelRows), q.Base)
		ADDQ(U32(f.Items/f.Group*64), scale.Base)
	})
	VZEROUPPER()
	RET()
}

// compensate512 emits what finds the compensation of a panel.
func compensate512(group int) {
	name := map[int]string{32: "compensate32AVX512", 16: "compensate16AVX512"}[group]
	TEXT(name, NOSPLIT, "func(comp *int32, q *int8, groups int)")
	Doc(name + " sets comp to -128 times the sums of the quants of that many groups of a panel, at least one.")
	Pragma("noescape")
	comp, q, groups := pointer("comp"), pointer("q"), integer("groups")
	bias, order := avx512.repeat(0x80808080), ZMM()
	// Word 4*l+i of sums is of row 4*i+l, or of row 8*(l/2)+2*i+l%2.
	row := func(l, i int) int { return 4*i + l }
	if group == 32 {
		row = func(l, i int) int { return l/2*8 + 2*i + l%2 }
	}
	var from [64]byte
	for l := range 4 {
		for i := range 4 {
			from[4*row(l, i)] = byte(4*l + i)
		}
	}
	VMOVDQU32(byteTable(from), order)
	loop("group", groups, func() {
		four := func(at int) vector {
			leaf := func(i int) vector {
				d := ZMM()
				zero(d)
				c := ZMM()
				VMOVDQU32(q.Offset(at+64*i), c)
				VPDPBUSD(c, bias, d)
				return d
			}
			fold := func(lo, hi func(...Op), a, b vector) vector {
				t := ZMM()
				lo(b, a, t)
				hi(b, a, a)
				VPADDD(t, a, a)
				return a
			}
			a := fold(VPUNPCKLDQ, VPUNPCKHDQ, leaf(0), leaf(1))
			b := fold(VPUNPCKLDQ, VPUNPCKHDQ, leaf(2), leaf(3))
			return fold(VPUNPCKLQDQ, VPUNPCKHQDQ, a, b)
		}
		sum := four(0)
		if group == 32 {
			// Lanes are the halves of rows: those of 2*i, of 2*i+1, then of 8 more.
			a, b := sum, four(256)
			sum = ZMM()
			VSHUFI32X4(U8(0x88), b, a, sum)
			VSHUFI32X4(U8(0xdd), b, a, a)
			VPADDD(a, sum, sum)
		}
		VPERMD(sum, order, sum)
		d := ZMM()
		zero(d)
		VPSUBD(sum, d, d)
		VMOVDQU32(d, comp)
		ADDQ(U32(group*panelRows), q.Base)
		ADDQ(U8(64), comp.Base)
	})
	VZEROUPPER()
	RET()
}
