package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func norm() {
	for _, t := range []isa{avx2, avx512} {
		t.sums("sums", true)
		t.sums("squares", false)
		for _, p := range []struct {
			suffix string
			params []string
		}{{"", nil}, {"Gain", []string{"gain"}}, {"GainBias", []string{"gain", "bias"}}} {
			t.normalize("normalize"+p.suffix, p.params)
			t.rows("layerNorm"+p.suffix, true, p.params)
			t.rows("rmsNorm"+p.suffix, false, p.params)
		}
	}
}

const (
	sumLanes = 64
	sumChain = 12 // rows of lanes whose sums stay in float32
	unroll   = 4  // vectors of a walk's iteration
	spread   = 0.25
)

// sums emits sumsGeneric, or the sum of squares alone, over rows of 64 elements and
// one more at last, unless that is nil.
func (t isa) sums(name string, both bool) {
	if both {
		TEXT(name+t.name, NOSPLIT, "func(x *float32, rows int, last *float32, pivot float32) (sum, squares float64)")
		Doc(name + t.name + " is sumsGeneric of rows of 64 elements, and of last unless it is nil.")
	} else {
		TEXT(name+t.name, NOSPLIT, "func(x *float32, rows int, last *float32) float64")
		Doc(name + t.name + " is the second sum of sumsGeneric with pivot 0.")
	}
	Pragma("noescape")
	s := t.newSums(both)
	if both {
		s.pivot = t.broadcast("pivot")
	}
	s.last = Load(Param("last"), GP64())
	s.emit("", Load(Param("x"), GP64()), Load(Param("rows"), GP64()))
	VZEROUPPER()
	if both {
		Store(s.total[1].AsX(), ReturnIndex(0))
	}
	Store(s.total[0].AsX(), ReturnIndex(both2int(both)))
	RET()
}

func both2int(both bool) int {
	if both {
		return 1
	}
	return 0
}

// sums is the code of sumsGeneric. The 64 lanes are four vectors of AVX-512; AVX2
// walks over a block twice, with half of them.
type sums struct {
	isa
	total []vector     // of the squares, of the elements: four float64, in the end one
	half  []Mem        // of AVX2: the lanes of the first half, added up to 16
	pivot vector       // nil: zero
	last  reg.Register // one more row of lanes, nil: none
}

func (t isa) newSums(both bool) *sums {
	s := &sums{isa: t}
	for range 1 + both2int(both) {
		s.total = append(s.total, YMM())
		if t == avx2 {
			s.half = append(s.half, AllocLocal(2*t.size()))
		}
	}
	return s
}

// emit emits the sums over rows of lanes at x, which are kept.
func (s *sums) emit(label string, x, rows reg.Register) {
	p, left, chain := copyOf(x), copyOf(rows), GP64()
	zero(s.total...)
	Label(label + "block")
	limit := GP64()
	MOVQ(U32(sumChain), limit)
	MOVQ(left, chain)
	CMPQ(left, limit)
	CMOVQGT(limit, chain)
	const rowSize = 4 * sumLanes
	for at := 0; at < rowSize; at += unroll * s.size() {
		here := fmt.Sprint(label, "at", at)
		acc := [][]vector{s.regs(unroll)}
		if len(s.total) > 1 {
			acc = append(acc, s.regs(unroll))
		}
		for _, a := range acc {
			zero(a...)
		}
		from, n := copyOf(p), copyOf(chain)
		TESTQ(n, n)
		JZ(LabelRef(here + "end"))
		Label(here)
		s.row(Mem{Base: from, Disp: at}, acc)
		ADDQ(U32(rowSize), from)
		DECQ(n)
		JNZ(LabelRef(here))
		Label(here + "end")
		if s.last != nil {
			CMPQ(chain, limit)
			JE(LabelRef(here + "fold")) // last is in the next block
			TESTQ(s.last, s.last)
			JZ(LabelRef(here + "fold"))
			s.row(Mem{Base: s.last, Disp: at}, acc)
			Label(here + "fold")
		}
		for i := range acc {
			s.fold(i, acc[i], at)
		}
		if at+unroll*s.size() == rowSize {
			MOVQ(from, p)
		}
	}
	SUBQ(chain, left)
	JNZ(LabelRef(label + "block"))
	if s.last != nil {
		CMPQ(chain, limit)
		JNE(LabelRef(label + "end"))
		TESTQ(s.last, s.last)
		JNZ(LabelRef(label + "block"))
		Label(label + "end")
	}
	for _, t := range s.total {
		hi := XMM()
		VEXTRACTF128(U8(1), t, hi)
		VADDPD(hi, t.AsX(), t.AsX())
		VHADDPD(t.AsX(), t.AsX(), t.AsX())
	}
}

// row adds the vectors at m to the lanes.
func (s *sums) row(m Mem, acc [][]vector) {
	for u := range unroll {
		d := s.reg()
		if s.pivot == nil {
			VMOVUPS(m.Offset(u*s.size()), d)
		} else {
			VMOVUPS(m.Offset(u*s.size()), d)
			VSUBPS(s.pivot, d, d)
		}
		VFMADD231PS(d, d, acc[0][u])
		if len(acc) > 1 {
			VADDPS(d, acc[1][u], acc[1][u])
		}
	}
}

// fold adds the lanes from at on to the total i, with AVX2 when it has both halves.
func (s *sums) fold(i int, acc []vector, at int) {
	var lo, hi vector // 16 lanes in all
	if s.isa == avx512 {
		VADDPS(acc[1], acc[0], acc[0])
		VADDPS(acc[3], acc[2], acc[2])
		VADDPS(acc[2], acc[0], acc[0])
		lo, hi = YMM(), YMM()
		VEXTRACTF64X4(U8(1), acc[0], hi)
		lo = acc[0]
	} else {
		lo, hi = acc[0], acc[1]
		VADDPS(acc[2], lo, lo)
		VADDPS(acc[3], hi, hi)
		if at == 0 {
			VMOVUPS(lo, s.half[i])
			VMOVUPS(hi, s.half[i].Offset(s.size()))
			return
		}
		VADDPS(s.half[i], lo, lo)
		VADDPS(s.half[i].Offset(s.size()), hi, hi)
	}
	VADDPS(hi.AsY(), lo.AsY(), lo.AsY())
	upper, wide := XMM(), YMM()
	VEXTRACTF128(U8(1), lo.AsY(), upper)
	VADDPS(upper, lo.AsX(), upper)
	VCVTPS2PD(upper, wide)
	VADDPD(wide, s.total[i], s.total[i])
}

// inverse returns 1/n as a float64.
func (t isa) inverse(n reg.Register) reg.VecVirtual {
	v, one := XMM(), XMM()
	VXORPS(v, v, v)
	VCVTSI2SDQ(n, v, v)
	VMOVSD(constant64(1), one)
	VDIVSD(v, one, v)
	return v
}

func (t isa) normalize(name string, params []string) {
	TEXT(name+t.name, NOSPLIT, "func("+list("dst, x", params)+" []float32, c, scale, offset float32)")
	Doc(name + t.name + " sets dst[i] = (x[i]-c)*scale + offset, times gain[i], plus bias[i].")
	Pragma("noescape")
	i := GP64()
	p := slices(i, append([]string{"dst", "x"}, params...)...)
	n := Load(Param("x").Len(), GP64())
	row := normRow{p[0], p[1], t.broadcast("c"), t.broadcast("scale"), t.broadcast("offset")}
	walk{t, "write", i, n, unroll}.each(t.writing(p[2:], row))
	VZEROUPPER()
	RET()
}

// list appends parameter names.
func list(names string, more []string) string {
	for _, p := range more {
		names += ", " + p
	}
	return names
}

// A normRow is a row to write. A nil c is zero, and so is a nil offset.
type normRow struct {
	dst, x           func(disp int) Mem
	c, scale, offset vector
}

// writing is the last pass over rows, which read gain and bias together. Of these
// there may be both, the first or none.
func (t isa) writing(gainBias []func(int) Mem, rows ...normRow) body {
	return func(a access, disp, _ int) {
		var v []vector
		for _, r := range rows {
			x := a.load(r.x(disp))
			if r.c != nil {
				VSUBPS(r.c, x, x)
			}
			if r.offset == nil {
				VMULPS(r.scale, x, x)
			} else {
				VFMADD213PS(r.offset, r.scale, x)
			}
			v = append(v, x)
		}
		var shared []vector
		for _, p := range gainBias {
			shared = append(shared, a.load(p(disp)))
		}
		for k, r := range rows {
			switch len(shared) {
			case 1:
				VMULPS(shared[0], v[k], v[k])
			case 2:
				VFMADD213PS(shared[1], shared[0], v[k])
			}
			a.store(v[k], r.dst(disp))
		}
	}
}

// aheadWidth is up to how many elements two rows of x, one of the result, gain
// and bias fit the first cache together.
const aheadWidth = 1024

// pairBytes is up to how long gain and bias together stay in the first cache from row
// to row.
const pairBytes = 16 << 10

// rows emits a whole norm over rows of a multiple of 64 elements. The sums of a row
// that is not too wide are made before the one ahead of it is written: the square root
// and the division of that one have the time they take. Wide rows are written in pairs,
// which read gain and bias once.
func (t isa) rows(name string, center bool, params []string) {
	result := "(done int)"
	doc := []string{"stops at one whose sum of squares float32 does not hold. dst may be x."}
	if center {
		result = "(done int, sum, squares float64)"
		doc = []string{"stops at one whose sums do not give the variance: these are the other results.", "dst may be x."}
	}
	TEXT(name+t.name, NOSPLIT, "func("+list("dst, x", params)+" []float32, width int, eps float64) "+result)
	Doc(append([]string{name + t.name + " normalises rows of x, of the given width, into dst, and returns how many: it"}, doc...)...)
	Pragma("noescape")
	pairWidth := math.MaxInt32 // without gain and bias there is nothing to share
	if len(params) > 0 {
		pairWidth = pairBytes / (4 * len(params))
	}
	n := Load(Param("width"), GP64())
	left := Load(Param("x").Len(), GP64()) // elements of rows without sums
	unread := Load(Param("x").Base(), GP64())
	dst, x := Load(Param("dst").Base(), GP64()), copyOf(unread)
	inverse := AllocLocal(8)
	VMOVSD(t.inverse(n), inverse)
	done := place(Return("done"))
	MOVQ(U32(0), done)
	// How many rows have sums and are to be written, up to two, and the scale and
	// the offset of each.
	ready, factors := GP64(), []reg.VecVirtual{XMM(), XMM()}
	XORQ(ready, ready)
	advance := func(afterDst, afterX reg.Register) {
		MOVQ(afterDst, dst)
		MOVQ(afterX, x)
	}
	CMPQ(left, U8(0))
	JE(LabelRef("end"))

	Label("sums")
	s := t.newSums(center)
	lanes := copyOf(n)
	SHRQ(U8(6), lanes)
	s.emit("", unread, lanes)
	CMPQ(n, U32(aheadWidth))
	JG(LabelRef("factors"))
	CMPQ(ready, U8(0))
	JNE(LabelRef("one")) // and then this one's factors
	Label("factors")
	// unordered, as below: a NaN stops too
	squares := s.total[0].AsX()
	VUCOMISD(constant64(0x1p-80), squares)
	JBE(LabelRef("stop"))
	high := XMM()
	VMOVSD(constant64(0x1p120), high)
	VUCOMISD(squares, high)
	JBE(LabelRef("stop"))

	mean, variance, one := XMM(), XMM(), XMM()
	VMULSD(inverse, squares, variance)
	if center {
		square, most := XMM(), XMM()
		VMULSD(inverse, s.total[1].AsX(), mean)
		VMULSD(mean, mean, square)
		VSUBSD(square, variance, variance)
		VMULSD(constant64(spread), variance, most)
		VUCOMISD(square, most)
		JB(LabelRef("stop"))
	}
	VADDSD(param("eps"), variance, variance)
	VSQRTSD(variance, variance, variance)
	VMOVSD(constant64(1), one)
	VDIVSD(variance, one, one)
	scale, offset := XMM(), XMM()
	VCVTSD2SS(one, one, scale)
	if center {
		VMULSD(mean, one, one)
		VXORPD(constant128(1<<63), one, one)
		VCVTSD2SS(one, one, offset)
		VUNPCKLPS(offset, scale, scale)
	}
	LEAQ(Mem{Base: unread, Index: n, Scale: 4}, unread)
	INCQ(ready)
	CMPQ(ready, U8(2))
	JE(LabelRef("second"))
	VMOVAPS(scale, factors[0])
	SUBQ(n, left)
	JE(LabelRef("one"))
	CMPQ(n, U32(aheadWidth))
	JLE(LabelRef("sums"))
	CMPQ(n, U32(pairWidth))
	JG(LabelRef("sums"))

	Label("one")
	advance(t.writeRows("one", factors[:1], center, params, dst, x, n))
	ADDQ(ready, done)
	XORQ(ready, ready)
	CMPQ(left, U8(0))
	JE(LabelRef("end"))
	CMPQ(n, U32(aheadWidth))
	JLE(LabelRef("factors"))
	JMP(LabelRef("sums"))

	Label("second")
	VMOVAPS(scale, factors[1])
	SUBQ(n, left)
	advance(t.writeRows("pair", factors, center, params, dst, x, n))
	ADDQ(ready, done)
	XORQ(ready, ready)
	CMPQ(left, U8(0))
	JNE(LabelRef("sums"))
	JMP(LabelRef("end"))

	Label("stop")
	if center {
		Store(s.total[1].AsX(), Return("sum"))
		Store(s.total[0].AsX(), Return("squares"))
	}
	XORQ(left, left)
	CMPQ(ready, U8(0))
	JNE(LabelRef("one"))
	Label("end")
	VZEROUPPER()
	RET()
}

// writeRows emits the last pass over the next rows, with the factors of each, and
// returns where those after them are.
func (t isa) writeRows(label string, factors []reg.VecVirtual, center bool, params []string, dst, x, n reg.Register) (afterDst, afterX reg.Register) {
	i := GP64()
	gainBias := slices(i, params...)
	var all []normRow
	for _, f := range factors {
		row := normRow{dst: indexed(dst, i), x: indexed(x, i), scale: t.reg()}
		VBROADCASTSS(f, row.scale)
		if center {
			high := XMM()
			row.offset = t.reg()
			VMOVSHDUP(f, high)
			VBROADCASTSS(high, row.offset)
		}
		all = append(all, row)
		nextDst, nextX := GP64(), GP64()
		LEAQ(Mem{Base: dst, Index: n, Scale: 4}, nextDst)
		LEAQ(Mem{Base: x, Index: n, Scale: 4}, nextX)
		dst, x = nextDst, nextX
	}
	walk{t, label, i, n, unroll / len(factors)}.iterations(t.writing(gainBias, all...))
	return dst, x
}
