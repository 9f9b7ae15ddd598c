package main

import (
	"fmt"
	"math/bits"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
	"github.com/mmcloughlin/avo/x86"
)

// A gemvStep adds eight groups of a row to the chains.
type gemvStep func(row weights, acc vector)

func gemvFamily() {
	for _, w := range weightTypes {
		gemv("gemv"+w.Name+"AVX2", avx2, w, nil)
		switch step := gemv512Steps[w.shape]; {
		case w.shape == grids256:
		case step != nil:
			gemv("gemv"+w.Name+"VBMI", avx512, w, step)
		default:
			gemv("gemv"+w.Name+"AVX512", avx512, w, nil)
		}
	}
}

// gemvSteps load constants and return the step for a shape.
var gemvSteps = map[shape]func(k *gemvKernel) gemvStep{
	bytes32:    (*gemvKernel).bytes32,
	nibbles32:  (*gemvKernel).nibbles32,
	nibbles256: (*gemvKernel).nibbles256,
	sixes256:   (*gemvKernel).sixes256,
	fields:     (*gemvKernel).fields,
}

// weights addresses bytes of a row.
type weights func(disp int) Mem

// A gemvKernel holds eight groups of activations. In every instruction set the
// vectors have eight lanes, one for each chain of the sum.
type gemvKernel struct {
	isa
	weightType
	above      int // quants are read so much above their value: 0 or a power of two
	at         Mem // an asm.Q8x8
	quants     [8]Op
	scale      [2]Op // the second one if groups have 16 quants
	scaledSums Op
	offsets    [2]vector      // above times the sums of the quants
	ahead      []Mem          // what is still to be fetched
	ones       vector         // words of 16 bits
	held       map[Mem]vector // tables that stay in registers
	lowBits    vector
}

// The fields of asm.Q8x8.
const (
	q8x8Q             = 0
	q8x8Paired        = 256
	q8x8Transposed    = 512
	q8x8Interleaved   = 768
	q8x8Strided       = 1024
	q8x8Scale         = 1280
	q8x8ScaledSum     = 1312
	q8x8Sum           = 1344
	q8x8HalfSum       = 1408
	q8x8HalfScale     = 1472
	q8x8ScaledHalfSum = 1536
	q8x8Bytes         = 1600
)

// load finds eight groups.
func (k *gemvKernel) load() {
	quants := q8x8Q
	if k.shape == nibbles32 {
		quants = q8x8Paired
	}
	for i := range k.quants {
		k.quants[i] = k.at.Offset(quants + 32*i)
	}
	if k.Group == 16 {
		for h := range k.scale {
			k.scale[h] = k.at.Offset(q8x8HalfScale + 32*h)
		}
	} else {
		k.scale[0] = k.at.Offset(q8x8Scale)
	}
	if k.HasMin() && k.Group == 32 {
		k.scaledSums = k.at.Offset(q8x8ScaledSum)
	}
	sums := []int{q8x8Sum}
	if k.Group == 16 {
		sums = []int{q8x8HalfSum, q8x8HalfSum + 32}
	}
	for h, disp := range sums {
		if k.above > 0 {
			v := YMM()
			VMOVDQU(k.at.Offset(disp), v)
			k.timesAbove(v)
			k.offsets[h] = v
		}
	}
}

// timesAbove multiplies sums of activations by above.
func (k *gemvKernel) timesAbove(v vector) {
	if k.above > 1 {
		VPSLLD(U8(bits.Len(uint(k.above)/2)), v, v)
	}
}

// fetchAhead is how far before their use weights are fetched. Left alone, the
// prefetchers of processors end at every page and begin anew with every row; a
// kernel from memory then takes as long as the reading and the arithmetic
// together. This is far enough for memory to be busy all the time. The lines go to the
// second cache: the first waits for few at a time, and has activations to keep.
const fetchAhead = 6 << 10

// fetchedAtOnce is how many lines wide steps fetch in one place.
const fetchedAtOnce = 3

// fetch fetches the next n lines of what lies ahead. Wide steps spread that over their
// length: many at once wait for each other, and the loads behind them for them all.
func (k *gemvKernel) fetch(n int) {
	n = min(n, len(k.ahead))
	for _, m := range k.ahead[:n] {
		PREFETCHT1(m)
	}
	k.ahead = k.ahead[n:]
}

// gemv emits a kernel that multiplies rows of weights with an activation row,
// eight groups of a row at a time, or as many times eight as many takes together.
func gemv(name string, t isa, w weightType, many gemv512Step) {
	TEXT(name, NOSPLIT, "func(dst *float32, w *byte, stride, rows, groups int, a *byte)")
	Doc(name + " is gemvGeneric of that many rows, at least one.")
	Pragma("noescape")
	k := &gemvKernel{isa: t, weightType: w, above: w.aboveValue(), at: Mem{Base: GP64()}}
	p, left, eights := GP64(), GP64(), GP64()
	block := func(i int) weights {
		return func(disp int) Mem { return Mem{Base: p, Disp: i + disp} }
	}
	bytes, short := k.bytes(), w.Items < 256
	var rest, back reg.GPVirtual
	if short {
		// rest: the number of groups that are left over. back: how far the
		// last eight blocks begin before those.
		rest, back = integer("groups"), GP64()
		ANDQ(U8(7), rest)
		MOVQ(I32(8), back)
		SUBQ(rest, back)
		if perBlock := w.Items / 32; perBlock > 1 {
			SHRQ(U8(bits.Len(uint(perBlock)/2)), back)
		}
		IMUL3Q(U8(w.Bytes), back, back)
	}
	together, step := w.together(), func(n int, acc vector) {
		var blocks []weights
		for i := range n {
			blocks = append(blocks, block(i*bytes))
		}
		many(k, blocks, acc)
	}
	switch {
	case many == nil && w.Codebook != nil:
		together, many = []int{gridBlocks, 3, 1}, k.grids()
	case many == nil:
		one := gemvSteps[w.shape](k)
		together, step = []int{1}, func(_ int, acc vector) {
			k.load()
			one(block(0), acc)
		}
	}
	if t == avx512 {
		k.held = map[Mem]vector{}
		switch {
		case w.inPlanes():
			k.holdPlanes()
		case w.shape == digits256:
			k.holdDigits()
		}
	}
	acc := YMM()
	MOVQ(param("rows"), left)
	Label("row")
	MOVQ(param("w"), p)
	MOVQ(param("a"), k.at.Base)
	MOVQ(param("groups"), eights)
	VXORPS(acc, acc, acc)
	SHRQ(U8(3), eights)
	for _, n := range together {
		name := fmt.Sprint("eights", n)
		Label(name)
		CMPQ(eights, U8(n))
		JL(LabelRef(name + "done"))
		for i := 0; i < n*bytes; i += 64 {
			k.ahead = append(k.ahead, Mem{Base: p, Disp: fetchAhead + i})
		}
		k.fetch(fetchedAtOnce)
		step(n, acc)
		k.fetch(len(k.ahead))
		ADDQ(U32(n*bytes), p)
		ADDQ(U32(n*q8x8Bytes), k.at.Base)
		SUBQ(U8(n), eights)
		JMP(LabelRef(name))
		Label(name + "done")
	}
	if short {
		TESTQ(rest, rest)
		JZ(LabelRef("sum"))
		SUBQ(back, p)
		step(1, acc)
	}
	Label("sum")
	x, y := XMM(), XMM()
	if t == avx512 {
		VEXTRACTF32X4(U8(1), acc, y)
	} else {
		VEXTRACTF128(U8(1), acc, y)
	}
	VADDPS(y, acc.AsX(), x)
	VMOVHLPS(x, x, y)
	VADDPS(y, x, x)
	VMOVSHDUP(x, y)
	VADDSS(y, x, x)
	VXORPS(y, y, y)
	VADDSS(y, x, x)
	dst, stride := GP64(), GP64()
	MOVQ(param("dst"), dst)
	VMOVSS(x, Mem{Base: dst})
	ADDQ(U8(4), param("dst"))
	MOVQ(param("stride"), stride)
	ADDQ(stride, param("w"))
	DECQ(left)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

// constant returns a YMM register full of the words.
func (k *gemvKernel) constant(w ...uint32) vector {
	v := YMM()
	if len(w) == 1 {
		VPBROADCASTD(table(w...), v)
	} else {
		VMOVDQU(table(w...), v)
	}
	return v
}

// gather returns the half-precision numbers at one place of eight blocks.
func gather(row weights, bytes, disp int) vector {
	x, y := XMM(), YMM()
	// Each is in its lane of a load that begins so much before it.
	at := func(i int) Mem { return row(bytes*i + disp - 2*i) }
	VMOVDQU(at(0), x)
	for i := 1; i < 8; i++ {
		VPBLENDW(U8(1<<i), at(i), x, x)
	}
	VCVTPH2PS(x, y)
	return y
}

// add adds the products of the groups to the chains.
func (k *gemvKernel) add(h int, dots, scale, acc vector) {
	if k.above > 0 {
		VPSUBD(k.offsets[h], dots, dots)
	}
	VCVTDQ2PS(dots, dots)
	VMULPS(k.scale[h], scale, scale)
	VFMADD231PS(scale, dots, acc)
}

func (k *gemvKernel) bytes32() gemvStep {
	at := k.Quants.Low.At
	if k.isa == avx2 {
		// |c| times a with the sign of c: the sums of two fit in 16 bits.
		ones := k.constant(0x00010001)
		k.above = 0
		return func(row weights, acc vector) {
			dots := k.sum8(func(i int) vector {
				c, s := YMM(), YMM()
				VMOVDQU(row(k.Bytes*i+at), c)
				VMOVDQU(k.quants[i], s)
				VPSIGNB(c, s, s)
				VPABSB(c, c)
				VPMADDUBSW(s, c, c)
				VPMADDWD(ones, c, c)
				return c
			})
			k.add(0, dots, gather(row, k.Bytes, k.D.At), acc)
		}
	}
	flip := k.constant(0x80808080)
	return func(row weights, acc vector) {
		dots := k.sum8(func(i int) vector {
			c, d := YMM(), YMM()
			VPXOR(row(k.Bytes*i+at), flip, c)
			VXORPS(d, d, d)
			VPDPBUSD(k.quants[i], c, d)
			return d
		})
		k.add(0, dots, gather(row, k.Bytes, k.D.At), acc)
	}
}

func (k *gemvKernel) nibbles32() gemvStep {
	q := k.Quants
	product := k.products()
	mask := k.constant(0x0f0f0f0f)
	var sixteen, own vector
	if k.hasHigh() {
		sixteen, own = k.constant(0x10101010), k.constant(0x08040201, 0x80402010)
	}
	return func(row weights, acc vector) {
		dots := k.sum4(func(i int) vector {
			a, b := k.Bytes*i, k.Bytes*(i+4)
			lo, hi := YMM(), YMM()
			clearing(x86.VMOVDQU(row(a+q.Low.At), lo.AsX()))
			VINSERTI128(U8(1), row(b+q.Low.At), lo, lo)
			VPSRLW(U8(4), lo, hi)
			VPAND(mask, lo, lo)
			VPAND(mask, hi, hi)
			if k.hasHigh() {
				bits, t := YMM(), YMM()
				VPBROADCASTD(row(a+q.High.At), bits)
				VPBROADCASTD(row(b+q.High.At), t)
				VPBLENDD(U8(0xf0), t, bits, bits)
				for h, c := range []vector{lo, hi} {
					// Each byte gets the eight bits that its own is among.
					x, from := YMM(), uint32(2*h)*0x01010101
					VPSHUFB(table(from, from, from+0x01010101, from+0x01010101), bits, x)
					VPAND(own, x, x)
					VPCMPEQB(own, x, x)
					VPAND(sixteen, x, x)
					VPOR(x, c, c)
				}
			}
			return product([]vector{lo, hi}, k.quants[2*i:])
		})
		k.add(0, dots, gather(row, k.Bytes, k.D.At), acc)
		if k.HasMin() {
			VFMADD231PS(k.scaledSums, gather(row, k.Bytes, k.M.At), acc)
		}
	}
}

func (k *gemvKernel) nibbles256() gemvStep {
	q := k.Quants
	product := k.products()
	mask := k.constant(0x0f0f0f0f)
	var sixteen vector
	if k.hasHigh() {
		sixteen = k.constant(0x10101010)
	}
	return func(row weights, acc vector) {
		var bits, odd vector
		if k.hasHigh() {
			bits = YMM()
			VMOVDQU(row(q.High.At), bits)
		}
		dots := k.sum8(func(i int) vector {
			if i%2 == 1 {
				return product([]vector{odd}, k.quants[i:])
			}
			even := YMM()
			odd = YMM()
			VMOVDQU(row(q.Low.At+16*i), odd)
			VPAND(mask, odd, even)
			VPSRLW(U8(4), odd, odd)
			VPAND(mask, odd, odd)
			if k.hasHigh() {
				for h, c := range []vector{even, odd} {
					t, g := YMM(), i+h
					switch {
					case g < 4:
						VPSLLW(U8(4-g), bits, t)
						VPAND(sixteen, t, t)
					case g == 4:
						VPAND(sixteen, bits, t)
					default:
						VPSRLW(U8(g-4), bits, t)
						VPAND(sixteen, t, t)
					}
					VPOR(t, c, c)
				}
			}
			return product([]vector{even}, k.quants[i:])
		})
		scale, min := scaleMin(row)
		d, dm := YMM(), XMM()
		clearing(x86.VCVTPH2PS(row(0), dm))
		VBROADCASTSS(dm, d)
		VMULPS(d, scale, scale)
		k.add(0, dots, scale, acc)
		VMOVSHDUP(dm, dm)
		VBROADCASTSS(dm, d)
		VMULPS(d, min, min)
		VFNMADD231PS(k.scaledSums, min, acc)
	}
}

// scaleMin returns the eight scales and mins of a block of Q4_K or Q5_K,
// without their common factors.
func scaleMin(row weights) (scale, min vector) {
	// x has those of the groups 0 to 3, y those of 4 to 7: a byte each, scales
	// in the low word, mins in the high one.
	x, y, z, t := GP64(), GP64(), GP64(), GP64()
	MOVQ(row(4), x)
	MOVQ(x, y)
	SHRQ(U8(2), y)
	ANDQ(quad(0x3f3f3f3f3f3f3f3f), x)
	ANDQ(quad(0x3030303030303030), y)
	MOVL(row(12), z.As32())
	MOVQ(z, t)
	SHLQ(U8(28), t)
	ORQ(z, t)
	ANDQ(quad(0x0f0f0f0f0f0f0f0f), t)
	ORQ(t, y)
	vx, vy := XMM(), XMM()
	VMOVQ(x, vx)
	VMOVQ(y, vy)
	VPUNPCKLDQ(vy, vx, vx)
	scale, min = YMM(), YMM()
	VPMOVZXBD(vx, scale)
	VPUNPCKHQDQ(vx, vx, vx)
	VPMOVZXBD(vx, min)
	VCVTDQ2PS(scale, scale)
	VCVTDQ2PS(min, min)
	return scale, min
}

// quad returns where in read-only data a 64-bit word is.
func quad(v uint64) Mem { return table(uint32(v), uint32(v>>32)) }

func (k *gemvKernel) sixes256() gemvStep {
	q, scales := k.Quants, k.Scales.Low.At
	product := k.products()
	low, high := k.constant(0x0f0f0f0f), k.constant(0x30303030)
	return func(row weights, acc vector) {
		d, x := YMM(), XMM()
		VPBROADCASTW(row(k.D.At), x)
		VCVTPH2PS(x, d)
		for h := range 2 {
			pairs := YMM()
			VMOVDQU(row(q.High.At+32*h), pairs)
			// The chains are those of the groups 0, 2, 4, 6 and 1, 3, 5, 7.
			dots := k.sum4(func(i int) vector {
				c, p := YMM(), YMM()
				if i < 2 {
					VPAND(row(q.Low.At+64*h+32*i), low, c)
					VPSLLW(U8(4-2*i), pairs, p)
					VPAND(high, p, p)
				} else {
					VMOVDQU(row(q.Low.At+64*h+32*(i-2)), c)
					VPSRLW(U8(4), c, c)
					VPAND(low, c, c)
					if i == 2 {
						VPAND(high, pairs, p)
					} else {
						VPSRLW(U8(2), pairs, p)
						VPAND(high, p, p)
					}
				}
				VPOR(p, c, c)
				return product([]vector{c}, k.quants[4*h+i:])
			})
			s, f := XMM(), YMM()
			VMOVQ(row(scales+8*h), s)
			VPSHUFB(table(0x06040200, 0x07050301), s, s)
			VPMOVSXBD(s, f)
			VCVTDQ2PS(f, f)
			VMULPS(d, f, f)
			k.add(h, dots, f, acc)
		}
	}
}
