package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/x86"

	"github.com/normswap/normswap/quant"
)

// A window is a part of 256 weights of every block that bytes are taken out of: at
// most 128 bytes in registers, and what is behind them.
type window struct {
	k      *gemvKernel
	blocks []weights
	at     [2]int // where the registers begin
	head   [2][]vector
}

// together are the numbers of times eight groups that the wide steps take together:
// what registers hold.
func (w weightType) together() []int {
	switch {
	case w.shape == nibbles256 && !w.hasHigh():
		return []int{3, 2, 1}
	case w.inPlanes() || w.shape == digits256:
		return []int{2, 1}
	}
	return []int{4, 3, 2, 1}
}

// bytes is the size of 256 weights.
func (k *gemvKernel) bytes() int { return k.Bytes * 256 / k.Items }

// window loads the bytes lo to hi (exclusive), or as many as registers hold.
func (k *gemvKernel) window(blocks []weights, lo, hi int) *window {
	w := &window{k: k, blocks: blocks}
	last := max(0, k.bytes()-64)
	w.at[0] = min(lo, last)
	w.head[0] = w.load(w.at[0])
	if hi > w.at[0]+64 {
		w.at[1] = min(w.at[0]+64, last)
		w.head[1] = w.load(w.at[1])
	}
	return w
}

// load returns 64 bytes of every block, or what there is of them.
func (w *window) load(at int) []vector {
	if n := w.k.bytes(); n < 64 {
		have := K()
		KMOVQ(quad(1<<n-1), have)
		return each(w.blocks, func(block weights) vector { v := ZMM(); VMOVDQU8_Z(block(at), have, v); return v })
	}
	return loaded(w.blocks, at)
}

// take returns the bytes at the places in the table, 64 for every block.
func (w *window) take(places [64]int) []vector {
	last := w.k.bytes() - 64
	var t [64]byte
	var beyond uint64
	for i, p := range places {
		switch {
		case p >= w.at[0] && p < w.at[0]+64:
			t[i] = byte(p - w.at[0])
		case w.head[1] != nil && p >= w.at[1] && p < w.at[1]+64:
			t[i] = byte(64 + p - w.at[1])
		default:
			t[i] = byte(p - last)
			beyond |= 1 << i
		}
	}
	from := byteTable(t)
	if w.head[1] == nil {
		ctrl := resident(from)
		return mapped(w.head[0], func(x vector) vector { v := ZMM(); VPERMB(x, ctrl, v); return v })
	}
	v := residents(w.blocks, from)
	for i := range v {
		VPERMI2B(w.head[1][i], w.head[0][i], v[i])
	}
	if beyond != 0 {
		at, mask := resident(from), K()
		KMOVQ(quad(beyond), mask)
		for i, block := range w.blocks {
			VPERMB(block(last), at, mask, v[i])
		}
	}
	return v
}

// place returns where integer i of a field is, of 256 in a row: a byte and a bit.
func (w weightType) place(f quant.Field, items, i int) (at, bit int) {
	block, e := i/items*w.Bytes, i%items
	inRun := f.Run * 8 / f.Bits
	return block + f.At + e/inRun*f.Run + e%f.Run, f.Shift + e%inRun/f.Run*f.Bits
}

// A wideField takes integers of a field of every block.
type wideField struct {
	*window
	f     quant.Field
	items int                  // integers of the field in a block of weights
	taken map[[64]int][]vector // what was taken; only the last is kept
}

func (k *gemvKernel) wideField(blocks []weights, f quant.Field, items int) *wideField {
	lo, hi := 1<<30, 0
	for i := range 256 / k.Items * items {
		at, _ := k.place(f, items, i)
		lo, hi = min(lo, at), max(hi, at+1)
	}
	if k.Items < 256 {
		lo = 0 // scales are taken out of the same window
	}
	return &wideField{k.window(blocks, lo, hi), f, items, map[[64]int][]vector{}}
}

// integers returns a table of bits and what to take them from, so that byte i gets
// the integer that index gives, to bits higher than it is.
func (w *wideField) integers(to int, index func(i int) int) (bits Mem, from []vector) {
	var places [64]int
	var shifts [64]byte
	for i := range places {
		at, bit := w.k.place(w.f, w.items, index(i))
		places[i], shifts[i] = at, byte((i%8*8+bit-to)&63)
	}
	from, ok := w.taken[places]
	if !ok {
		from = w.take(places)
		w.taken[places] = from
	}
	return byteTable(shifts), from
}

// column is which of 256 weights byte i of register m is.
func column(m, i int) int { return 32*(i/4%8) + 4*(4*(m/2)+2*(i/32)+m%2) + i%4 }

// wideFields is the step of all types without one for their shape.
func (k *gemvKernel) wideFields(blocks []weights, acc vector) {
	k.above = k.aboveWide()
	if k.inPlanes() {
		k.widePlanes(blocks, acc)
		return
	}
	sums := [][]vector{zeroSums(len(blocks))}
	if k.Group == 16 {
		sums = append(sums, zeroSums(len(blocks)))
	}
	from := k.wideIntegers
	if k.Coding == quant.Ternary {
		from = k.wideTernary
	}
	quants, w := from(blocks)
	for m := range 4 {
		k.addProducts(sums[m/2%len(sums)], m, quants(m))
	}
	scale := k.wideScales(blocks, w)
	if k.Group == 16 {
		k.addWide16(sums[0], sums[1], scale, acc)
		return
	}
	k.addWide(sums[0], scale, acc, nil)
}

// wideIntegers returns a function that takes the quants of register m out of arrays
// of integers, and the window that they are in.
func (k *gemvKernel) wideIntegers(blocks []weights) (func(m int) []vector, *window) {
	q := k.Quants
	low := k.wideField(blocks, q.Low, k.Items)
	var high *wideField
	if k.hasHigh() {
		high = k.wideField(blocks, q.High, k.Items)
	}
	var levels vector
	if k.table() {
		levels = ZMM()
		VBROADCASTI32X4(k.levelTable(k.above), levels)
	}
	step := k.step()
	return func(m int) []vector {
		bits, from := low.integers(step, func(i int) int { return column(m, i) })
		c := multishift(bits, from)
		mask(uint32((1<<q.Low.Bits-1)<<step)*0x01010101, c)
		if high != nil {
			bits, from := high.integers(q.Low.Bits, func(i int) int { return column(m, i) })
			merge(uint32((1<<q.High.Bits-1)<<q.Low.Bits)*0x01010101, bits, from, c)
		}
		if k.table() {
			for _, c := range c {
				VPSHUFB(c, levels, c)
			}
		}
		return c
	}, low.window
}

// wideTernary is the like for digits in base 3; see the definition, and reader.ternary.
func (k *gemvKernel) wideTernary(blocks []weights) (func(m int) []vector, *window) {
	w := k.window(blocks, 0, k.Bytes)
	place := func(column int) (at, digit int) {
		switch {
		case column < 160:
			return column % 32, column / 32
		case column < 240:
			return 32 + column%16, (column - 160) / 16
		}
		return 48 + column%4, (column - 240) / 4
	}
	return func(m int) []vector {
		var places [64]int
		var powers [64]byte // of words
		for i := range places {
			at, digit := place(column(m, i))
			places[i] = at
			if i%2 == 0 {
				powers[i] = []byte{1, 3, 9, 27, 81}[digit]
			}
		}
		x, power := w.take(places), resident(byteTable(powers))
		even, odd, one := avx512.repeat(0x00ff00ff), avx512.repeat(0xff00ff00), avx512.repeat(0x01010101)
		first, second := avx512.repeat(85*0x01010101), avx512.repeat(170*0x01010101)
		return mapped(x, func(x vector) vector {
			f, q, some, more := ZMM(), ZMM(), K(), K()
			VPANDD(odd, x, f)
			VPMULLW(power, f, f)
			VPMULLW(power, x, x)
			VPTERNLOGD(U8(0xf8), even, x, f) // f | x & even
			VPCMPUB(U8(6), first, f, some)   // above 85: a digit of 1 or more
			VPCMPUB(U8(6), second, f, more)  // above 170: of 2
			VMOVDQU8_Z(one, some, q)
			VPADDB(one, q, more, q)
			return q
		})
	}, w
}

// chainOrder is the group of 16 that is i-th in the order of the chains.
func chainOrder(i int) int { return i%16/8*8 + i%4*2 + i%8/4 }

// inChains returns how wide the scales of the groups of 256 weights are, and which group
// is i-th in the order of the chains.
func (k *gemvKernel) inChains() (scales isa, order func(i int) int) {
	if k.Group == 16 {
		return avx512, chainOrder
	}
	return avx2, func(i int) int { return i % 8 }
}

// wideScales returns the scales of the groups of every block: 16 in the order of the
// chains, or eight in the lower half.
func (k *gemvKernel) wideScales(blocks []weights, w *window) []vector {
	scales, order := k.inChains()
	// words takes one byte for each 32-bit word.
	words := func(at func(g int) int, mask uint32) []vector {
		var places [64]int
		for i := range places {
			places[i] = at(order(i / 4))
		}
		m := scales.repeat(mask)
		return mapped(w.take(places), func(x vector) vector {
			v := scales.reg()
			if scales == avx2 {
				x = asY(x)
			}
			VPANDD(m, x, v)
			return v
		})
	}
	switch s := k.Scales; {
	case s.Bits() == 0 && k.D.Bits == 8:
		e := words(func(g int) int { return g*32/k.Items*k.Bytes + k.D.At }, 0xff)
		two, start, one := scales.repeat(2), scales.repeat(0x00200000), scales.repeat(1)
		return mapped(e, func(e vector) vector { // as exponents
			small := scales.reg()
			VPMINUD(two, e, small)
			VPSLLVD(small, start, small)
			VPSUBD(one, e, e)
			VPSLLD(U8(23), e, e)
			VPMAXSD(small, e, e)
			return e
		})
	case s.Bits() == 0 && k.Items == 256:
		return each(blocks, func(block weights) vector { return scales.halfOf(block(k.D.At)) })
	case s.Bits() == 0:
		var places [64]int
		for i := range places {
			places[i] = i/2%8*32/k.Items*k.Bytes + k.D.At + i%2
		}
		v := w.take(places)
		for _, v := range v {
			clearing(x86.VCVTPH2PS(v.AsX(), asY(v)))
		}
		return v
	case k.D.Bits == 0:
		// See halfUE4M3.
		var places [64]int
		for i := range places {
			places[i], _ = k.place(s.Low, k.Items/k.Group, order(i/2))
		}
		v := w.take(places)
		bytes, none, power := avx2.repeat(0x00ff00ff), avx2.repeat(0x007f007f), avx512.repeat(math.Float32bits(0x1p7))
		for _, v := range v {
			h, some := asY(v), K()
			VPANDD(bytes, h, h)
			VPCMPUW(U8(4), none, h, some) // not equal
			VPANDD(none, h, h)
			VMOVDQU16_Z(h, some, h)
			VPSLLW(U8(7), h, h)
			VCVTPH2PS(h, v)
		}
		for _, v := range v {
			VMULPS(power, v, v)
		}
		return v
	}
	ints := k.wideInts(blocks, scales, order, k.Scales)[0]
	d := each(blocks, func(block weights) vector { return scales.halfOf(block(k.D.At)) })
	scaled(ints, func(i int) vector { return d[i] })
	return ints
}

// halfOf returns a register full of a half-precision number.
func (t isa) halfOf(m Mem) vector {
	v := t.reg()
	VPBROADCASTW(m, t.half(v))
	VCVTPH2PS(t.half(v), v)
	return v
}

// wideInts returns arrays of integers of the groups of every block; one array that is
// absent at the end is left out.
func (k *gemvKernel) wideInts(blocks []weights, t isa, order func(int) int, arrays ...quant.Ints) (words [][]vector) {
	for _, bytes := range k.wideBytes(blocks, order, arrays...) {
		words = append(words, mapped(bytes, func(x vector) vector { v := t.reg(); VPMOVSXBD(x, v); return v }))
	}
	return words
}

// wideBytes is wideInts of a byte each.
func (k *gemvKernel) wideBytes(blocks []weights, order func(int) int, arrays ...quant.Ints) (bytes [][]vector) {
	groups, lo := k.Items/k.Group, k.Bytes-16
	for _, n := range arrays {
		for _, f := range []quant.Field{n.Low, n.High} {
			if f.Bits > 0 {
				lo = min(lo, f.At)
			}
		}
	}
	x := each(blocks, func(block weights) vector { v := XMM(); VMOVDQU32(block(lo), v); return v })
	shuffled := map[[64]byte][]vector{}
	integers := func(f quant.Field, to int) []vector {
		var places, shifts [64]byte
		whole := true // bits stay in their places
		for i := range places {
			at, bit := k.place(f, groups, order(i))
			places[i], shifts[i] = byte(at-lo), byte((i%8*8+bit-to)&63)
			whole = whole && bit == to
		}
		v, ok := shuffled[places]
		if !ok {
			p := XMM()
			VMOVDQU32(byteTable(places), p)
			v = mapped(x, func(x vector) vector { v := XMM(); VPSHUFB(p, x, v); return v })
			shuffled[places] = v
		}
		s, m := XMM(), XMM()
		if !whole {
			VMOVDQU32(byteTable(shifts), s)
		}
		VMOVDQU32(table(uint32((1<<f.Bits-1)<<to)*0x01010101), m)
		return mapped(v, func(x vector) vector {
			v := XMM()
			if !whole {
				VPMULTISHIFTQB(x, s, v)
				x = v
			}
			VPANDD(m, x, v)
			return v
		})
	}
	for _, n := range arrays {
		if n.Low.Bits == 0 {
			continue
		}
		v := integers(n.Low, 0)
		if n.High.Bits > 0 {
			for i, h := range integers(n.High, n.Low.Bits) {
				VPORD(h, v[i], v[i])
			}
		}
		if n.Zero > 0 {
			z := XMM()
			VMOVDQU32(table(uint32(n.Zero)*0x01010101), z)
			for _, v := range v {
				VPSUBB(z, v, v)
			}
		}
		bytes = append(bytes, v)
	}
	return bytes
}

// addWide16 adds 16 groups of each block to the chains: the sums of their first and
// second quants of registers 0 and 1, and 2 and 3, and their scales.
func (k *gemvKernel) addWide16(a, b, factors []vector, acc vector) {
	// Of the sums of the first and the second halves of all groups, what
	// begins with the former and the latter of four groups, and then of the
	// others.
	first := resident(perQuad(func(s, p int) int { return p%2 + p/2*8 + 2*s }))
	second := resident(perQuad(func(s, p int) int { return p%2 + p/2*8 + 2*s + 4 }))
	dots := mapped(a, func(a vector) vector { v := ZMM(); VMOVDQA64(a, v); return v })
	for i := range dots {
		VPERMT2Q(b[i], first, dots[i])
	}
	for i := range dots {
		VPERMT2Q(b[i], second, a[i])
	}
	for i := range dots {
		VPADDD(a[i], dots[i], dots[i])
	}
	k.subtractAbove(dots)
	for i, f := range factors {
		VMULPS(k.q8x8(i, q8x8HalfScale), f, f)
	}
	for _, d := range dots {
		VCVTDQ2PS(d, d)
	}
	highDots, highFactors := above(dots), above(factors)
	for i, d := range dots {
		VFMADD231PS(asY(factors[i]), asY(d), acc)
		VFMADD231PS(highFactors[i], highDots[i], acc)
	}
}

// subtractAbove subtracts what the quants of 16 groups are above their value.
func (k *gemvKernel) subtractAbove(dots []vector) {
	if k.above == 0 {
		return
	}
	for i, d := range dots {
		off := resident(k.q8x8(i, q8x8HalfSum))
		k.timesAbove(off)
		VPSUBD(off, d, d)
	}
}
