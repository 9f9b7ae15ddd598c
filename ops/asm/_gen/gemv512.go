package main

import (
	"encoding/binary"
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/x86"
)

// The wide kernels give each of eight groups two words in a register of 16:
// where an instruction moves bytes anywhere (AVX-512 VBMI), four quants of each
// group come to lie beside four others, the products of a group add up where
// they are, and only two halves are left to add. Word 8*s+g of register m =
// 2*j+t has the quants from 4*n of group g, n = 4*j+2*s+t, as Q8x8.Transposed has
// them.

// gemv512Steps are those of the shapes that have one.
var gemv512Steps = map[shape]gemv512Step{
	nibbles32:  (*gemvKernel).wideNibbles32,
	nibbles256: (*gemvKernel).widePlanes,
	sixes256:   (*gemvKernel).widePlanes,
	digits256:  (*gemvKernel).wideGrids,
	fields:     (*gemvKernel).wideFields,
}

// A gemv512Step adds the products of several times eight groups, one behind the
// other in a row, to the chains.
type gemv512Step func(k *gemvKernel, blocks []weights, acc vector)

// perByte returns a table of f's value for each byte b of the words of
// register m.
func perByte(m int, f func(s, g, n, b int) int) Mem {
	return bytes64(func(i int) int {
		s, g := i/32, i/4%8
		return f(s, g, 4*(m/2)+2*s+m%2, i%4)
	})
}

// perQuad returns a table of f's value for each 64-bit word: the pair p of
// groups in half s.
func perQuad(f func(s, p int) int) Mem {
	return wordsOf(8, func(i int) int { return f(i/4, i%4) })
}

// wordsOf returns a table of f's value, less than 256, for each word of that many bytes.
func wordsOf(size int, f func(i int) int) Mem {
	return bytes64(func(i int) int {
		if i%size > 0 {
			return 0
		}
		return f(i / size)
	})
}

// bytes64 returns a table of f's value for each byte.
func bytes64(f func(i int) int) Mem {
	var t [64]byte
	for i := range t {
		t[i] = byte(f(i))
	}
	return byteTable(t)
}

var tables64 = map[[64]byte]Mem{}

// byteTable returns where in read-only data the bytes are.
func byteTable(t [64]byte) Mem {
	m, ok := tables64[t]
	if !ok {
		m = bytesTable(fmt.Sprint("bytes", len(tables64)), t[:])
		tables64[t] = m
	}
	return m
}

// bytesTable writes bytes, a multiple of eight, under a name.
func bytesTable(name string, t []byte) Mem {
	m := GLOBL(name, rodata)
	for i := 0; i < len(t); i += 8 {
		DATA(i, U64(binary.LittleEndian.Uint64(t[i:])))
	}
	return m
}

// Every step is taken for all blocks before the next one: a scheduler holds some
// 60 instructions, those of one or two blocks, which are too few to hide how
// long they take. Tables are loaded for each step: that is cheap for four blocks
// and leaves the registers to them. The blocks lie one behind the other, and not
// in four rows: memory is read fastest from one end to the other.

// resident returns a register with what m points to.
func resident(m Mem) vector {
	v := ZMM()
	VMOVDQU64(m, v)
	return v
}

// residents is resident for every block: instructions overwrite it.
func residents(blocks []weights, m Mem) []vector {
	first := resident(m)
	v := []vector{first}
	for range blocks[1:] {
		copied := ZMM()
		VMOVDQA64(first, copied)
		v = append(v, copied)
	}
	return v
}

func asY(v vector) vector { return v.AsY().(vector) }

// each returns what f returns for every block.
func each(blocks []weights, f func(block weights) vector) []vector {
	v := make([]vector, len(blocks))
	for i, block := range blocks {
		v[i] = f(block)
	}
	return v
}

// loaded returns 64 bytes of every block.
func loaded(blocks []weights, at int) []vector {
	return each(blocks, func(block weights) vector { return resident(block(at)) })
}

// mapped returns what f returns for every register.
func mapped(x []vector, f func(x vector) vector) []vector {
	v := make([]vector, len(x))
	for i := range x {
		v[i] = f(x[i])
	}
	return v
}

// above returns the upper halves.
func above(x []vector) []vector {
	return mapped(x, func(x vector) vector {
		h := YMM()
		VEXTRACTI64X4(U8(1), x, h)
		return h
	})
}

// multishift takes for each byte eight bits of its 64-bit word, from the bit
// on that the table has there.
func multishift(from Mem, x []vector) []vector {
	ctrl := resident(from)
	return mapped(x, func(x vector) vector {
		v := ZMM()
		VPMULTISHIFTQB(x, ctrl, v)
		return v
	})
}

// mask clears all but the bits of the repeated word.
func mask(word uint32, x []vector) {
	m := avx512.repeat(word)
	for _, x := range x {
		VPANDD(m, x, x)
	}
}

// merge sets in x those bits of the repeated word that the bytes of multishift
// have.
func merge(word uint32, from Mem, b, x []vector) {
	ctrl, m := resident(from), avx512.repeat(word)
	for i := range x {
		v := ZMM()
		VPMULTISHIFTQB(b[i], ctrl, v)
		VPTERNLOGD(U8(0xf8), m, v, x[i])
	}
}

// scaled converts to float32 and multiplies.
func scaled(x []vector, factors func(i int) vector) {
	for _, x := range x {
		VCVTDQ2PS(x, x)
	}
	for i, x := range x {
		VMULPS(factors(i), x, x)
	}
}

// q8x8 is where a field of the activations for block i is.
func (k *gemvKernel) q8x8(i, field int) Mem { return k.at.Offset(i*q8x8Bytes + field) }

// zeroSums returns a sum for each of n blocks: two words for each group.
func zeroSums(n int) []vector {
	sums := avx512.regs(n)
	zero(sums...)
	return sums
}

// addProducts adds the products of register m of the activations.
func (k *gemvKernel) addProducts(sums []vector, m int, quants []vector) {
	k.fetch(fetchedAtOnce)
	for i, c := range quants {
		VPDPBUSD(k.q8x8(i, q8x8Transposed+64*m), c, sums[i])
	}
}

// addWide adds eight groups of each block to the chains: their sums, and their
// scales, in the lower half of a register, with their mins in the upper one.
func (k *gemvKernel) addWide(sums, factors []vector, acc vector, addMin func(...Op)) {
	dots := above(sums)
	for i, d := range dots {
		VPADDD(asY(sums[i]), d, d)
	}
	if k.above > 0 {
		for i, d := range dots {
			off := load(k.q8x8(i, q8x8Sum))
			k.timesAbove(off)
			VPSUBD(off, d, d)
		}
	}
	var mins []vector
	if k.HasMin() {
		mins = above(factors) // before anything writes the register
	}
	for i, f := range factors {
		VMULPS(k.q8x8(i, q8x8Scale), asY(f), asY(f))
	}
	for _, d := range dots {
		VCVTDQ2PS(d, d)
	}
	for i, d := range dots {
		VFMADD231PS(asY(factors[i]), d, acc)
		if k.HasMin() {
			addMin(k.q8x8(i, q8x8ScaledSum), mins[i], acc)
		}
	}
}

// An eightBlocks is the weights of eight groups in eight blocks, with the first
// 128 bytes of them in registers.
type eightBlocks struct {
	k      *gemvKernel
	blocks []weights
	head   [2][]vector
}

// gather takes 64 bytes out of eight blocks, those at the places that f gives
// for the bytes of register m.
func (e eightBlocks) gather(m int, f func(s, g, n, b int) int) []vector {
	last := 8*e.k.Bytes - 64
	var beyond uint64
	i := 0
	table := perByte(m, func(s, g, n, b int) int {
		p := f(s, g, n, b)
		if p >= 128 {
			beyond |= 1 << i
			p -= last
		}
		i++
		return p
	})
	v := residents(e.blocks, table)
	if beyond == 0 {
		for i := range v {
			VPERMI2B(e.head[1][i], e.head[0][i], v[i])
		}
		return v
	}
	at, mask := resident(table), K()
	KMOVQ(quad(beyond), mask)
	for i, block := range e.blocks {
		VPERMI2B(e.head[1][i], e.head[0][i], v[i])
		VPERMB(block(last), at, mask, v[i])
	}
	return v
}

func (k *gemvKernel) wideNibbles32(blocks []weights, acc vector) {
	w := eightBlocks{k, blocks, [2][]vector{loaded(blocks, 0), loaded(blocks, 64)}}
	var high []vector
	if k.hasHigh() {
		high = w.gather(0, func(_, g, _, b int) int { return k.Bytes*g + k.Quants.High.At + b })
	}
	sums := zeroSums(len(blocks))
	for t := range 2 {
		even := w.gather(t, func(_, g, w, b int) int { return k.Bytes*g + k.Quants.Low.At + 4*w + b })
		odd := mapped(even, func(x vector) vector { v := ZMM(); VPSRLW(U8(4), x, v); return v })
		for j, c := range [][]vector{even, odd} {
			mask(0x0f0f0f0f, c)
			if k.hasHigh() {
				bit := perByte(2*j+t, func(_, g, w, b int) int { return (g%2*32 + 4*w + b - 4) & 63 })
				merge(0x10101010, bit, high, c)
			}
			k.addProducts(sums, 2*j+t, c)
		}
	}
	// The half-precision scales, then the mins.
	factors := w.gather(0, func(s, g, _, b int) int {
		i := (4*g + b) / 2 // of s = 0
		if i >= 8 {
			return k.Bytes*(i-8) + k.M.At + b%2
		}
		return k.Bytes*i + k.D.At + b%2
	})
	for _, f := range factors {
		if k.HasMin() {
			VCVTPH2PS(asY(f), f)
		} else {
			clearing(x86.VCVTPH2PS(f.AsX(), asY(f)))
		}
	}
	k.addWide(sums, factors, acc, VFMADD231PS)
}

// scaleMinWide returns scales and mins of a block of Q4_K or Q5_K.
func scaleMinWide(blocks []weights) []vector {
	// The twelve bytes a, b and c of scaleMin as two 64-bit words: a, c and b,
	// c. Of the first four bytes are six bits to be taken; of the others, low
	// or high nibbles below the high bits of a or b.
	words, low, high := XMM(), XMM(), XMM()
	VMOVDQU32(table(0x07060504, 0x0f0e0d0c, 0x0b0a0908, 0x0f0e0d0c), words)
	x := each(blocks, func(block weights) vector { v := XMM(); VMOVDQU32(block(0), v); return v })
	for _, x := range x {
		VPSHUFB(words, x, x)
	}
	VMOVDQU32(table(0x18100800, 0x38302820, 0x18100800, 0x3c342c24), low)
	VMOVDQU32(table(0, 0x1a120a02, 0, 0x1a120a02), high)
	l := mapped(x, func(x vector) vector { v := XMM(); VPMULTISHIFTQB(x, low, v); return v })
	for _, x := range x {
		VPMULTISHIFTQB(x, high, x)
	}
	VMOVDQU32(table(0x3f3f3f3f, 0x0f0f0f0f), low)
	VMOVDQU32(table(0, 0x30303030), high)
	for _, l := range l {
		VPANDD(low, l, l)
	}
	for i, l := range l {
		VPTERNLOGD(U8(0xf8), high, x[i], l)
	}
	factors := mapped(l, func(l vector) vector { v := ZMM(); VPMOVZXBD(l, v); return v })
	d := each(blocks, func(block weights) vector {
		v := XMM()
		VPBROADCASTD(block(0), v)
		VCVTPH2PS(v, v)
		return v
	})
	halves := resident(byteTable([64]byte{32: 1, 36: 1, 40: 1, 44: 1, 48: 1, 52: 1, 56: 1, 60: 1})) // the first word, then the second
	d = mapped(d, func(d vector) vector { v := ZMM(); VPERMPS(d.AsZ(), halves, v); return v })
	scaled(factors, func(i int) vector { return d[i] })
	return factors
}
