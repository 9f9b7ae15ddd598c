package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func norm() {
	for _, t := range []isa{avx2, avx512} {
		t.moments()
		t.squares()
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
	sumUnroll = 4
	sumChain  = 8 // iterations before a sum is carried on in float64
)

func (t isa) moments() {
	TEXT("moments"+t.name, NOSPLIT, "func(x []float32) (mean, squares float64)")
	Doc("moments" + t.name + " returns the mean of x and the sum of (x[i]-float32(mean))^2. len(x) > 0.")
	Pragma("noescape")
	i := GP64()
	XORQ(i, i)
	x := slices(i, "x")[0]
	first := t.reg()
	VBROADCASTSS(x(0), first)
	n := Load(Param("x").Len(), GP64())
	mean, _, squares := t.twoPasses("", i, n, t.inverse(n), x, first)
	VZEROUPPER()
	Store(mean, ReturnIndex(0))
	Store(squares, ReturnIndex(1))
	RET()
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

// twoPasses emits the mean of n elements of x, itself rounded to float32 in
// all lanes of c, and the sum of the squared differences from c, given 1/n and
// the first element in all lanes.
func (t isa) twoPasses(label string, i, n reg.Register, inverse vector, x func(int) Mem, first vector) (mean reg.Register, c vector, squares reg.Register) {
	one := t.constant(0x3f800000)
	mean = t.sum(walk{t, label + "first", i, n, sumUnroll}, func(a access, disp int, acc vector) {
		d := a.load(x(disp))
		VSUBPS(first, d, d)
		a.keep(d)
		VFMADD231PS(one, d, acc) // an addition, on the units that VSUBPS leaves free
	})
	f := XMM()
	VCVTSS2SD(first.AsX(), first.AsX(), f)
	VFMADD132SD(inverse, f, mean)
	c = t.reg()
	VCVTSD2SS(mean, mean, c.AsX())
	VBROADCASTSS(c.AsX(), c)
	squares = t.sum(walk{t, label + "second", i, n, sumUnroll}, func(a access, disp int, acc vector) {
		d := a.load(x(disp))
		VSUBPS(c, d, d)
		a.keep(d)
		VFMADD231PS(d, d, acc)
	})
	return mean, c, squares
}

func (t isa) squares() {
	TEXT("squares"+t.name, NOSPLIT, "func(x []float32) float64")
	Doc("squares" + t.name + " returns the sum of x[i]*x[i].")
	Pragma("noescape")
	i := GP64()
	x, n := slices(i, "x")[0], Load(Param("x").Len(), GP64())
	sum := t.onePass("", i, n, x)
	VZEROUPPER()
	Store(sum, ReturnIndex(0))
	RET()
}

// onePass emits the sum of the squares of n elements of x.
func (t isa) onePass(label string, i, n reg.Register, x func(int) Mem) reg.Register {
	return t.sum(walk{t, label + "first", i, n, sumUnroll}, func(a access, disp int, acc vector) {
		v := a.load(x(disp))
		a.keep(v)
		VFMADD231PS(v, v, acc)
	})
}

// sum emits a sum over the walk, of which add adds one vector to acc, and
// returns it as a float64.
func (t isa) sum(w walk, add func(a access, disp int, acc vector)) reg.Register {
	acc, total := t.regs(w.unroll), t.regs(2)
	zero(total...)
	zero(acc[0])
	f := func(a access, disp, u int) { add(a, disp, acc[u]) }
	widen := func() {
		lo, hi := t.reg(), t.reg()
		VCVTPS2PD(t.half(acc[0]), lo)
		VCVTPS2PD(t.high(acc[0]), hi)
		VADDPD(lo, total[0], total[0])
		VADDPD(hi, total[1], total[1])
	}
	w.rest(f)
	m, left := w.iterationsOf(), GP64()
	CMPQ(m, U8(0))
	JE(LabelRef(w.label + "last"))
	zero(acc[1:]...)
	JMP(LabelRef(w.label + "chainStart"))
	Label(w.label + "block")
	zero(acc...)
	Label(w.label + "chainStart")
	MOVQ(U32(sumChain), left)
	Label(w.label + "chain")
	w.iteration(m, f)
	JE(LabelRef(w.label + "fold"))
	DECQ(left)
	JNZ(LabelRef(w.label + "chain"))
	Label(w.label + "fold")
	for step := 1; step < w.unroll; step *= 2 {
		for u := 0; u+step < w.unroll; u += 2 * step {
			VADDPS(acc[u+step], acc[u], acc[u])
		}
	}
	widen()
	CMPQ(m, U8(0))
	JNE(LabelRef(w.label + "block"))
	JMP(LabelRef(w.label + "reduce"))
	Label(w.label + "last")
	widen()
	Label(w.label + "reduce")
	sum := total[0]
	VADDPD(total[1], sum, sum)
	if t == avx512 {
		VADDPD(t.high(sum), sum.AsY(), sum.AsY())
	}
	hi := XMM()
	VEXTRACTF128(U8(1), sum.AsY(), hi)
	VADDPD(hi, sum.AsX(), sum.AsX())
	VHADDPD(sum.AsX(), sum.AsX(), sum.AsX())
	return sum.AsX()
}

func (t isa) normalize(name string, params []string) {
	TEXT(name+t.name, NOSPLIT, "func("+list("dst, x", params)+" []float32, c, scale, offset float32)")
	Doc(name + t.name + " sets dst[i] = (x[i]-c)*scale + offset, times gain[i], plus bias[i].")
	Pragma("noescape")
	i := GP64()
	p := slices(i, append([]string{"dst", "x"}, params...)...)
	n := Load(Param("x").Len(), GP64())
	t.write(walk{t, "write", i, n, sumUnroll}, p, t.broadcast("c"), t.broadcast("scale"), t.broadcast("offset"))
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
// or one of which need not be there. A nil c is zero.
func (t isa) write(w walk, p []func(int) Mem, c, scale, offset vector) {
	w.each(func(a access, disp, _ int) {
		v := a.load(p[1](disp))
		if c == nil {
			VMULPS(scale, v, v)
		} else {
			VSUBPS(c, v, v)
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

// rows emits a whole norm over rows, with nothing but registers between the
// passes. The sums of a row that is not too wide are made before the one ahead
// of it is written: the square root and the division of that one have the time
// they take.
func (t isa) rows(name string, center bool, params []string) {
	TEXT(name+t.name, NOSPLIT, "func("+list("dst, x", params)+" []float32, width int, eps float64) (done int)")
	Doc(name+t.name+" normalises rows of x, of the given width, into dst, and returns how many: it",
		"stops at one whose sum of squares float32 does not hold. dst may be x.")
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
	inverse := t.inverse(n)
	done := GP64()
	XORQ(done, done)
	CMPQ(left, U8(0))
	JE(LabelRef("stop"))
	// Of the row whose sums are made: its sum of squares, its mean in float32,
	// and what that lacks.
	squares, c, rest := XMM(), XMM(), XMM()
	sums := func(label string, base reg.Register) {
		x := indexed(base, i)
		if !center {
			VMOVAPS(t.onePass(label, i, n, x), squares)
			return
		}
		first := t.reg()
		VBROADCASTSS(Mem{Base: base}, first)
		mean, m, s := t.twoPasses(label, i, n, inverse, x, first)
		VMOVAPS(s, squares)
		VMOVAPS(m.AsX(), c)
		VCVTSS2SD(c, c, rest)
		VSUBSD(rest, mean, rest)
	}
	Label("alone")
	sums("alone", rowPointers[1])
	Label("row")
	// unordered, as below: a NaN stops too
	VUCOMISD(constant64(0x1p-80), squares)
	JBE(LabelRef("stop"))
	high := XMM()
	VMOVSD(constant64(0x1p120), high)
	VUCOMISD(squares, high)
	JBE(LabelRef("stop"))

	variance, eps, one := XMM(), XMM(), XMM()
	VMULSD(inverse, squares, variance)
	if center {
		VFNMADD231SD(rest, rest, variance)
		VXORPS(eps, eps, eps)
		VMAXSD(eps, variance, variance)
	}
	VADDSD(param("eps"), variance, variance)
	VSQRTSD(variance, variance, variance)
	VMOVSD(constant64(1), one)
	VDIVSD(variance, one, one)
	scale, offset, center32 := GP32(), GP32(), GP32()
	f := XMM()
	VCVTSD2SS(one, one, f)
	VMOVD(f, scale)
	if center {
		VMULSD(rest, one, rest)
		VXORPD(constant128(1<<63), rest, rest)
		VCVTSD2SS(rest, rest, f)
		VMOVD(f, offset)
		VMOVD(c, center32)
	}
	CMPQ(left, n)
	JE(LabelRef("write"))
	CMPQ(n, U32(aheadWidth))
	JG(LabelRef("write"))
	next := GP64()
	LEAQ(Mem{Base: rowPointers[1], Index: n, Scale: 4}, next)
	sums("", next)
	Label("write")
	all := func(bits reg.Register) vector {
		v := t.reg()
		VMOVD(bits, v.AsX())
		VBROADCASTSS(v.AsX(), v)
		return v
	}
	var mean, shift vector
	if center {
		mean, shift = all(center32), all(offset)
	}
	t.write(walk{t, "write", i, n, sumUnroll}, p, mean, all(scale), shift)
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
	VZEROUPPER()
	Store(done, Return("done"))
	RET()
}
