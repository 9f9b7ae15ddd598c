package main

import (
	"fmt"

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
	t.write(walk{t, "write", i, n, unroll}, p, t.broadcast("c"), t.broadcast("scale"), t.broadcast("offset"))
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

// write emits the last pass over the slices dst, x, gain, bias, the last two
// or one of which need not be there. A nil c is zero, and so is a nil offset.
func (t isa) write(w walk, p []func(int) Mem, c, scale, offset vector) {
	w.each(func(a access, disp, _ int) {
		v := a.load(p[1](disp))
		if c != nil {
			VSUBPS(c, v, v)
		}
		if offset == nil {
			VMULPS(scale, v, v)
		} else {
			VFMADD213PS(offset, scale, v)
		}
		switch len(p) {
		case 3:
			VMULPS(a.load(p[2](disp)), v, v)
		case 4:
			VFMADD213PS(a.load(p[3](disp)), a.load(p[2](disp)), v)
		}
		a.store(v, p[0](disp))
	})
}

// aheadWidth is up to how many elements two rows of x, one of the result, gain
// and bias fit the first cache together.
const aheadWidth = 1024

// rows emits a whole norm over rows of a multiple of 64 elements, with nothing but
// registers between the passes. The sums of a row that is not too wide are made
// before the one ahead of it is written: the square root and the division of that
// one have the time they take.
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
	i, n := GP64(), Load(Param("width"), GP64())
	left := Load(Param("x").Len(), GP64()) // elements
	p := []func(int) Mem{}
	var rowPointers []reg.Register
	for k, name := range append([]string{"dst", "x"}, params...) {
		base := Load(Param(name).Base(), GP64())
		if k < 2 {
			rowPointers = append(rowPointers, base)
		}
		p = append(p, indexed(base, i))
	}
	inverse := AllocLocal(8)
	VMOVSD(t.inverse(n), inverse)
	done, lanes := GP64(), copyOf(n)
	SHRQ(U8(6), lanes)
	XORQ(done, done)
	// Of the row whose sums are made.
	s := t.newSums(center)
	CMPQ(left, U8(0))
	JE(LabelRef("stop"))
	Label("alone")
	s.emit("alone", rowPointers[1], lanes)
	Label("row")
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
	scale, offset := GP32(), GP32()
	f := XMM()
	VCVTSD2SS(one, one, f)
	VMOVD(f, scale)
	if center {
		VMULSD(mean, one, one)
		VXORPD(constant128(1<<63), one, one)
		VCVTSD2SS(one, one, f)
		VMOVD(f, offset)
	}
	CMPQ(left, n)
	JE(LabelRef("write"))
	CMPQ(n, U32(aheadWidth))
	JG(LabelRef("write"))
	next := GP64()
	LEAQ(Mem{Base: rowPointers[1], Index: n, Scale: 4}, next)
	s.emit("ahead", next, lanes)
	Label("write")
	all := func(bits reg.Register) vector {
		v := t.reg()
		VMOVD(bits, v.AsX())
		VBROADCASTSS(v.AsX(), v)
		return v
	}
	var shift vector
	if center {
		shift = all(offset)
	}
	t.write(walk{t, "write", i, n, unroll}, p, nil, all(scale), shift)
	for _, base := range rowPointers {
		LEAQ(Mem{Base: base, Index: n, Scale: 4}, base)
	}
	INCQ(done)
	SUBQ(n, left)
	JE(LabelRef("stop"))
	CMPQ(n, U32(aheadWidth))
	JLE(LabelRef("row"))
	JMP(LabelRef("alone"))
	Label("stop")
	if center {
		Store(s.total[1].AsX(), Return("sum"))
		Store(s.total[0].AsX(), Return("squares"))
	}
	VZEROUPPER()
	Store(done, Return("done"))
	RET()
}
