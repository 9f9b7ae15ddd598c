package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func norm() {
	for _, t := range []isa{avx2, avx512} {
		t.diffSum()
		t.diffSquares()
		t.addDiffSum()
		t.addSquares()
		t.normalize("normalize")
		t.normalize("normalizeGain", "gain")
		t.normalize("normalizeGainBias", "gain", "bias")
	}
}

const (
	sumUnroll = 4
	sumChain  = 8 // float32 additions before a sum is carried on in float64
)

func (t isa) diffSum() {
	TEXT("diffSum"+t.name, NOSPLIT, "func(x []float32, c float32) float64")
	Doc("diffSum" + t.name + " returns the sum of x[i]-c.")
	Pragma("noescape")
	i := index()
	x, c, one := slices(i, "x")[0], t.broadcast("c"), t.constant(0x3f800000)
	t.sums(i, Load(Param("x").Len(), GP64()), func(a access, disp int, acc vector) {
		d := a.load(x(disp))
		VSUBPS(c, d, d)
		a.keep(d)
		VFMADD231PS(one, d, acc) // an addition, on the units that VSUBPS leaves free
	})
}

func (t isa) diffSquares() {
	TEXT("diffSquares"+t.name, NOSPLIT, "func(x []float32, c float32) float64")
	Doc("diffSquares" + t.name + " returns the sum of (x[i]-c)*(x[i]-c).")
	Pragma("noescape")
	i := index()
	x, c := slices(i, "x")[0], t.broadcast("c")
	t.sums(i, Load(Param("x").Len(), GP64()), func(a access, disp int, acc vector) {
		d := a.load(x(disp))
		VSUBPS(c, d, d)
		a.keep(d)
		VFMADD231PS(d, d, acc)
	})
}

func (t isa) addDiffSum() {
	TEXT("addDiffSum"+t.name, NOSPLIT, "func(x, y []float32, shift, c float32) float64")
	Doc("addDiffSum" + t.name + " sets x[i] += y[i]-shift and returns the sum of x[i]-c.")
	Pragma("noescape")
	i := index()
	p, shift, c, one := slices(i, "x", "y"), t.broadcast("shift"), t.broadcast("c"), t.constant(0x3f800000)
	t.sums(i, Load(Param("x").Len(), GP64()), func(a access, disp int, acc vector) {
		v := t.addShifted(a, p, disp, shift)
		VSUBPS(c, v, v)
		a.keep(v)
		VFMADD231PS(one, v, acc)
	})
}

func (t isa) addSquares() {
	TEXT("addSquares"+t.name, NOSPLIT, "func(x, y []float32, shift float32) float64")
	Doc("addSquares" + t.name + " sets x[i] += y[i]-shift and returns the sum of x[i]*x[i].")
	Pragma("noescape")
	i := index()
	p, shift := slices(i, "x", "y"), t.broadcast("shift")
	t.sums(i, Load(Param("x").Len(), GP64()), func(a access, disp int, acc vector) {
		v := t.addShifted(a, p, disp, shift)
		a.keep(v)
		VFMADD231PS(v, v, acc)
	})
}

// addShifted sets x += y-shift and returns the new x.
func (t isa) addShifted(a access, p []func(int) Mem, disp int, shift vector) vector {
	v := a.load(p[1](disp))
	VSUBPS(shift, v, v)
	VADDPS(a.load(p[0](disp)), v, v)
	a.store(v, p[0](disp))
	return v
}

// sums emits the rest of a kernel that returns a sum over n elements: body
// adds one vector of them to acc.
func (t isa) sums(i, n reg.Register, body func(a access, disp int, acc vector)) {
	acc, total := t.regs(sumUnroll), t.regs(2)
	zero(total...)
	widen := func() {
		lo, hi := t.reg(), t.reg()
		VCVTPS2PD(t.half(acc[0]), lo)
		VCVTPS2PD(t.high(acc[0]), hi)
		VADDPD(lo, total[0], total[0])
		VADDPD(hi, total[1], total[1])
	}

	CMPQ(n, U32(sumUnroll*t.lanes))
	JL(LabelRef("rest"))
	Label("block")
	zero(acc...)
	left := GP64()
	MOVQ(U32(sumChain), left)
	Label("chain")
	for u, acc := range acc {
		body(access{t, nil}, u*t.size(), acc)
	}
	ADDQ(U32(sumUnroll*t.size()), i)
	SUBQ(U32(sumUnroll*t.lanes), n)
	DECQ(left)
	JZ(LabelRef("fold"))
	CMPQ(n, U32(sumUnroll*t.lanes))
	JGE(LabelRef("chain"))
	Label("fold")
	for step := 1; step < sumUnroll; step *= 2 {
		for u := 0; u+step < sumUnroll; u += 2 * step {
			VADDPS(acc[u+step], acc[u], acc[u])
		}
	}
	widen()
	CMPQ(n, U32(sumUnroll*t.lanes))
	JGE(LabelRef("block"))

	Label("rest")
	CMPQ(n, U8(0))
	JE(LabelRef("reduce"))
	zero(acc[0])
	t.turns("vector", i, n, 1, func() { body(access{t, nil}, 0, acc[0]) })
	CMPQ(n, U8(0))
	JE(LabelRef("last"))
	body(t.first(n), 0, acc[0])
	Label("last")
	widen()

	Label("reduce")
	VADDPD(total[1], total[0], total[0])
	sum := total[0]
	if t == avx512 {
		hi := t.high(total[0])
		VADDPD(hi, sum.AsY(), sum.AsY())
	}
	hi := XMM()
	VEXTRACTF128(U8(1), sum.AsY(), hi)
	VADDPD(hi, sum.AsX(), sum.AsX())
	VHADDPD(sum.AsX(), sum.AsX(), sum.AsX())
	VZEROUPPER()
	Store(sum.AsX(), ReturnIndex(0))
	RET()
}

func (t isa) normalize(name string, params ...string) {
	list := "dst, x"
	for _, p := range params {
		list += ", " + p
	}
	TEXT(name+t.name, NOSPLIT, "func("+list+" []float32, c, scale, offset float32)")
	Doc(name + t.name + " sets dst[i] = (x[i]-c)*scale + offset, times gain[i], plus bias[i].")
	Pragma("noescape")
	i := index()
	p := slices(i, append([]string{"dst", "x"}, params...)...)
	c, scale, offset := t.broadcast("c"), t.broadcast("scale"), t.broadcast("offset")
	t.vectors(i, Load(Param("x").Len(), GP64()), 4, func(a access, disp int) {
		v := a.load(p[1](disp))
		VSUBPS(c, v, v)
		VFMADD213PS(offset, scale, v)
		switch len(params) {
		case 1:
			VMULPS(a.load(p[2](disp)), v, v)
		case 2:
			VFMADD213PS(a.load(p[3](disp)), a.load(p[2](disp)), v)
		}
		a.store(v, p[0](disp))
	})
	VZEROUPPER()
	RET()
}
