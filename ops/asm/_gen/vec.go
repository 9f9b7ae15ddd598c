package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func vec() {
	for _, t := range []isa{avx2, avx512} {
		t.max()
		t.expSum()
		t.scale()
		for _, f := range []struct {
			name, formula string
			emit          func(isa, vector) vector
		}{
			{"silu", "x[i]/(1+exp(-x[i]))", isa.silu},
			{"gelu", "gelu(x[i]), the tanh form", isa.gelu},
			{"geluErf", "x[i]*Phi(x[i])", isa.geluErf},
			{"relu", "max(x[i], 0)", isa.relu},
			{"relu2", "max(x[i], 0)^2", isa.relu2},
		} {
			t.elementwise(f.name, f.formula, f.emit)
		}
	}
}

// elementwise emits dst = f(x) and dst = f(x)*y.
func (t isa) elementwise(name, formula string, f func(isa, vector) vector) {
	for _, times := range []bool{false, true} {
		if times {
			TEXT(name+"Mul"+t.name, NOSPLIT, "func(dst, x, y []float32)")
			Doc(name + "Mul" + t.name + " sets dst[i] = " + formula + ", times y[i].")
		} else {
			TEXT(name+t.name, NOSPLIT, "func(dst, x []float32)")
			Doc(name + t.name + " sets dst[i] = " + formula + ".")
		}
		Pragma("noescape")
		i := GP64()
		p := slices(i, "dst", "x")
		if times {
			p = append(p, slices(i, "y")...)
		}
		walk{t, "", i, Load(Param("x").Len(), GP64()), 1}.each(func(a access, disp, _ int) {
			v := f(t, a.load(p[1](disp)))
			if times {
				VMULPS(a.load(p[2](disp)), v, v)
			}
			a.store(v, p[0](disp))
		})
		VZEROUPPER()
		RET()
	}
}

func (t isa) scale() {
	TEXT("scale"+t.name, NOSPLIT, "func(dst, x []float32, s float32)")
	Doc("scale" + t.name + " sets dst[i] = x[i]*s.")
	Pragma("noescape")
	i := GP64()
	p, s := slices(i, "dst", "x"), t.broadcast("s")
	walk{t, "", i, Load(Param("x").Len(), GP64()), 4}.each(func(a access, disp, _ int) {
		v := a.load(p[1](disp))
		VMULPS(s, v, v)
		a.store(v, p[0](disp))
	})
	VZEROUPPER()
	RET()
}

func (t isa) expSum() {
	TEXT("expSum"+t.name, NOSPLIT, "func(x []float32, m float32) float64")
	Doc("expSum" + t.name + " sets x[i] = exp(x[i]-m) and returns the sum of the new x.")
	Pragma("noescape")
	i := GP64()
	x, m := slices(i, "x")[0], t.broadcast("m")
	sum := t.sum(walk{t, "", i, Load(Param("x").Len(), GP64()), 2}, func(a access, disp int, acc vector) {
		v := a.load(x(disp))
		VSUBPS(m, v, v)
		t.atLeast(v, expLow)
		e := t.exp(v)
		a.store(e, x(disp))
		a.keep(e)
		VADDPS(e, acc, acc)
	})
	VZEROUPPER()
	Store(sum, ReturnIndex(0))
	RET()
}

func (t isa) max() {
	TEXT("max"+t.name, NOSPLIT, "func(x []float32) float32")
	Doc("max" + t.name + " returns the largest x[i], -Inf if there is none.")
	Pragma("noescape")
	i := GP64()
	x := slices(i, "x")[0]
	top := t.largest("", i, Load(Param("x").Len(), GP64()), x)
	VZEROUPPER()
	Store(top, ReturnIndex(0))
	RET()
}

// largest emits the largest of n elements of x, -Inf if there is none.
func (t isa) largest(label string, i, n reg.Register, x func(disp int) Mem) reg.Register {
	acc := t.regs(4)
	for _, acc := range acc {
		VMOVUPS(full(float32(math.Inf(-1))), acc)
	}
	walk{t, label, i, n, len(acc)}.each(func(a access, disp, u int) {
		v := a.load(x(disp))
		a.fill(v, float32(math.Inf(-1)))
		VMAXPS(v, acc[u], acc[u])
	})
	for step := 1; step < len(acc); step *= 2 {
		for u := 0; u+step < len(acc); u += 2 * step {
			VMAXPS(acc[u+step], acc[u], acc[u])
		}
	}
	return t.maxLane(acc[0])
}

// maxLane emits the largest lane of v.
func (t isa) maxLane(v vector) reg.Register {
	if t == avx512 {
		VMAXPS(t.high(v), v.AsY(), v.AsY())
	}
	hi := XMM()
	VEXTRACTF128(U8(1), v.AsY(), hi)
	VMAXPS(hi, v.AsX(), v.AsX())
	VPERMILPS(U8(0b01_00_11_10), v.AsX(), hi)
	VMAXPS(hi, v.AsX(), v.AsX())
	VPERMILPS(U8(0b10_11_00_01), v.AsX(), hi)
	VMAXPS(hi, v.AsX(), v.AsX())
	return v.AsX()
}

const expChain = 8 // iterations before a sum is carried on in float64

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
	MOVQ(U32(expChain), left)
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
	VADDPD(total[1], total[0], total[0])
	return t.lanes64(total[0])
}

// lanes64 emits the sum of the float64 lanes of v.
func (t isa) lanes64(v vector) reg.Register {
	if t == avx512 {
		VADDPD(t.high(v), v.AsY(), v.AsY())
	}
	hi := XMM()
	VEXTRACTF128(U8(1), v.AsY(), hi)
	VADDPD(hi, v.AsX(), v.AsX())
	VHADDPD(v.AsX(), v.AsX(), v.AsX())
	return v.AsX()
}
