package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func attention() {
	for _, t := range []isa{avx2, avx512} {
		t.mulPanels(32)
		t.mulPanels(16)
		t.bias()
		t.exp2Sums()
		t.softcap()
		t.scaleAdd()
		t.rotateHalves()
		t.rotatePairs()
	}
	spread16()
	scatter16()
}

const (
	panelLanes = 16
	tileRows   = 6
)

// tilePanels is how many panels a tile of that many rows has: what the
// registers hold.
func (t isa) tilePanels(rows int) int {
	if t == avx512 {
		return 4
	}
	return map[int]int{1: 4, 2: 2}[rows] + map[bool]int{true: 1}[rows > 2]
}

func (t isa) mulPanels(bits int) {
	element := map[int]string{16: "uint16", 32: "float32"}[bits]
	name := fmt.Sprintf("mulPanels%d%s", bits, t.name)
	TEXT(name, NOSPLIT, "func(c, a []float32, b []"+element+", rows, k, panels, ldc, lda, stride int)")
	Doc(name+" sets c[r*ldc+16*p+l] to the sum over i < k of a[r*lda+i]*b[p*stride+16*i+l],",
		"for r < rows <= 6, p < panels, l < 16.")
	Pragma("noescape")
	rows := Load(Param("rows"), GP64())
	for r := 1; r < tileRows; r++ {
		CMPQ(rows, U8(r))
		JE(LabelRef(fmt.Sprintf("rows%d", r)))
	}
	for r := tileRows; r >= 1; r-- {
		Label(fmt.Sprintf("rows%d", r))
		t.panelRows(r, bits)
	}
}

// panelRows emits the product for a number of rows, and returns.
func (t isa) panelRows(rows, bits int) {
	c, a, b := Load(Param("c").Base(), GP64()), Load(Param("a").Base(), GP64()), Load(Param("b").Base(), GP64())
	panels, lda, stride := Load(Param("panels"), GP64()), Load(Param("lda"), GP64()), Load(Param("stride"), GP64())
	SHLQ(U8(2), lda)
	SHLQ(U8(map[int]int{16: 1, 32: 2}[bits]), stride)
	step := func(width int) {
		t.tile(rows, width, bits, c, a, b, lda, stride)
		ADDQ(U32(width*4*panelLanes), c)
		for range width {
			ADDQ(stride, b)
		}
		SUBQ(U8(width), panels)
	}
	label := fmt.Sprintf("rows%d", rows)
	for width := t.tilePanels(rows); width > 0; width /= 2 {
		label := fmt.Sprintf("%sby%d", label, width)
		CMPQ(panels, U8(width))
		JL(LabelRef(label + "end"))
		Label(label)
		step(width)
		CMPQ(panels, U8(width))
		JGE(LabelRef(label))
		Label(label + "end")
	}
	VZEROUPPER()
	RET()
}

// tile emits the product of rows of a with a few panels.
func (t isa) tile(rows, panels, bits int, c, a, b, lda, stride reg.Register) {
	parts := panelLanes / t.lanes
	acc := t.regs(rows * panels * parts)
	zero(acc...)
	pa, pb, k := copyOf(a), copyOf(b), Load(Param("k"), GP64())
	pa3, stride3 := GP64(), GP64()
	if rows > 3 {
		LEAQ(Mem{Base: a, Index: lda, Scale: 2}, pa3)
		ADDQ(lda, pa3)
	}
	if panels > 3 {
		LEAQ(Mem{Base: stride, Index: stride, Scale: 2}, stride3)
	}
	label := fmt.Sprintf("tile%dx%d", rows, panels)
	CMPQ(k, U8(0))
	JE(LabelRef(label + "end"))
	Label(label)
	w := t.regs(panels * parts)
	for p := range panels {
		for h := range parts {
			m := Mem{Base: pb, Disp: h * t.lanes * bits / 8}
			switch p {
			case 1, 2:
				m.Index, m.Scale = stride, uint8(p)
			case 3:
				m.Index, m.Scale = stride3, 1
			}
			if bits == 16 {
				VCVTPH2PS(m, w[p*parts+h])
			} else {
				VMOVUPS(m, w[p*parts+h])
			}
		}
	}
	for r := range rows {
		m := Mem{Base: pa}
		if r >= 3 {
			m.Base = pa3
		}
		if r%3 > 0 {
			m.Index, m.Scale = lda, uint8(r%3)
		}
		v := t.reg()
		VBROADCASTSS(m, v)
		for i := range w {
			VFMADD231PS(w[i], v, acc[r*len(w)+i])
		}
	}
	ADDQ(U8(4), pa)
	if rows > 3 {
		ADDQ(U8(4), pa3)
	}
	ADDQ(U8(panelLanes*bits/8), pb)
	DECQ(k)
	JNZ(LabelRef(label))
	Label(label + "end")
	ldc := Load(Param("ldc"), GP64())
	SHLQ(U8(2), ldc)
	pc := copyOf(c)
	for r := range rows {
		for i := range panels * parts {
			VMOVUPS(acc[r*panels*parts+i], Mem{Base: pc, Disp: i * t.size()})
		}
		ADDQ(ldc, pc)
	}
}

func (t isa) bias() {
	TEXT("bias"+t.name, NOSPLIT, "func(x []float32, slope, first float32)")
	Doc("bias" + t.name + " sets x[i] += (first+i)*slope.")
	Pragma("noescape")
	i := GP64()
	x, n := slices(i, "x")[0], Load(Param("x").Len(), GP64())
	slope, first := t.broadcast("slope"), t.broadcast("first")
	VADDPS(iota16(), first, first)
	walk{t, "", i, n, 1}.each(func(a access, disp, _ int) {
		at, p := copyOf(i), t.reg()
		SHRQ(U8(2), at)
		VXORPS(p.AsX(), p.AsX(), p.AsX())
		VCVTSI2SSQ(at, p.AsX(), p.AsX())
		VBROADCASTSS(p.AsX(), p)
		VADDPS(first, p, p)
		v := a.load(x(disp))
		VFMADD231PS(slope, p, v)
		a.store(v, x(disp))
	})
	VZEROUPPER()
	RET()
}

// exp2Low is the least exponent: what it gives is a normal number.
const exp2Low = -125

// exp2Sums emits 2^(x-top) = 2^n * 2^r with n = round(x-top). The coefficients of 2^r are those
// of exp(r*ln 2). Rows are taken side by side: one alone waits for its chain of multiply-adds.
func (t isa) exp2Sums() {
	TEXT("exp2Sums"+t.name, NOSPLIT, "func(x []float32, ld int, n []int, top []float32, sum []float64)")
	Doc("exp2Sums"+t.name+" sets, for each r, x[r*ld+i] = 2^max(x[r*ld+i]-top[r], -125) for i < n[r], top[r] being the",
		"largest rounded to an integer, and sum[r] to the sum of these.")
	Pragma("noescape")
	e := exp2Rows{isa: t}
	constant := func(f float64) Op { return full(float32(f)) }
	if t == avx512 { // with registers to spare
		constant = func(f float64) Op { return t.fullOf(float32(f)) }
	}
	e.low, e.c = t.fullOf(exp2Low), []Op{constant(1), constant(math.Ln2)}
	for i, f := range expCoefficients {
		e.c = append(e.c, constant(float64(f)*math.Pow(math.Ln2, float64(i+2))))
	}
	e.x, e.n, e.ld = Load(Param("x").Base(), GP64()), Load(Param("n").Base(), GP64()), Load(Param("ld"), GP64())
	e.top, e.sum = Load(Param("top").Base(), GP64()), Load(Param("sum").Base(), GP64())
	left := Load(Param("n").Len(), GP64())
	SHLQ(U8(2), e.ld)
	for _, rows := range map[isa][]int{avx2: {1}, avx512: {3, 1}}[t] {
		label := fmt.Sprintf("rows%d", rows)
		Label(label)
		CMPQ(left, U8(rows))
		JL(LabelRef(label + "end"))
		e.rows(label, rows)
		for range rows {
			ADDQ(e.ld, e.x)
		}
		ADDQ(U8(8*rows), e.n)
		ADDQ(U8(4*rows), e.top)
		ADDQ(U8(8*rows), e.sum)
		SUBQ(U8(rows), left)
		JMP(LabelRef(label))
		Label(label + "end")
	}
	VZEROUPPER()
	RET()
}

// exp2Rows is what exp2Sums has in registers.
type exp2Rows struct {
	isa
	x, n, ld, top, sum reg.Register
	low                vector
	c                  []Op
}

// rows emits exp2Sums for the next few rows.
func (e exp2Rows) rows(label string, rows int) {
	x := []reg.Register{e.x}
	for range rows - 1 {
		next := copyOf(x[len(x)-1])
		ADDQ(e.ld, next)
		x = append(x, next)
	}
	common, i := GP64(), GP64() // bytes of the whole vectors that all rows have, and of those that are done
	MOVQ(Mem{Base: e.n}, common)
	for r := 1; r < rows; r++ {
		n := GP64()
		MOVQ(Mem{Base: e.n, Disp: 8 * r}, n)
		CMPQ(n, common)
		CMOVQLT(n, common)
	}
	ANDQ(I32(-e.lanes), common)
	SHLQ(U8(2), common)
	at := func(r, disp int) Mem { return Mem{Base: x[r], Index: i, Scale: 1, Disp: disp} }
	// loop emits f for steps of the common vectors
	loop := func(label string, step int, f func()) {
		end := reg.Register(common)
		if step > 1 {
			end = copyOf(common)
			ANDQ(I32(-step*e.size()), end)
		}
		CMPQ(i, end)
		JGE(LabelRef(label + "end"))
		Label(label)
		f()
		CMPQ(i, end)
		JL(LabelRef(label))
		Label(label + "end")
	}
	// rest emits f for the other vectors of a row
	rest := func(label string, r int, f func(a access)) {
		left := GP64()
		MOVQ(Mem{Base: e.n, Disp: 8 * r}, left)
		MOVQ(common, i)
		SHRQ(U8(2), common)
		SUBQ(common, left)
		SHLQ(U8(2), common)
		CMPQ(left, U8(e.lanes))
		JL(LabelRef(label + "tail"))
		Label(label)
		f(access{e.isa, nil})
		ADDQ(U8(e.size()), i)
		SUBQ(U8(e.lanes), left)
		CMPQ(left, U8(e.lanes))
		JGE(LabelRef(label))
		Label(label + "tail")
		CMPQ(left, U8(0))
		JE(LabelRef(label + "end"))
		f(e.first(left))
		Label(label + "end")
	}
	acc, total, top := e.regs(rows), e.regs(rows), e.regs(rows)
	for _, acc := range acc {
		VMOVUPS(full(float32(math.Inf(-1))), acc)
	}
	XORQ(i, i)
	loop(label+"max", 1, func() {
		for r, acc := range acc {
			VMAXPS(at(r, 0), acc, acc)
		}
		ADDQ(U8(e.size()), i)
	})
	for r, acc := range acc {
		rest(fmt.Sprintf("%smax%d", label, r), r, func(a access) {
			v := a.load(at(r, 0))
			a.fill(v, float32(math.Inf(-1)))
			VMAXPS(v, acc, acc)
		})
	}
	for r, acc := range acc {
		m := e.maxLane(acc)
		if e.isa == avx512 {
			VRNDSCALESS(U8(0), m, m, m)
		} else {
			VROUNDSS(U8(0), m, m, m)
		}
		VMOVSS(m, Mem{Base: e.top, Disp: 4 * r})
		VBROADCASTSS(m, top[r])
	}
	zero(acc...)
	zero(total...)
	XORQ(i, i)
	widen := func(r int) {
		lo, hi := e.reg(), e.reg()
		VCVTPS2PD(e.half(acc[r]), lo)
		VCVTPS2PD(e.high(acc[r]), hi)
		VADDPD(lo, total[r], total[r])
		VADDPD(hi, total[r], total[r])
		zero(acc[r])
	}
	chain := func(label string, rows ...int) { // a sum goes on in float64 after some vectors
		TESTQ(U32(expChain*e.size()-1), i)
		JNZ(LabelRef(label + "on"))
		for _, r := range rows {
			widen(r)
		}
		Label(label + "on")
	}
	loops := []int{1}
	if rows == 1 {
		loops = []int{map[isa]int{avx2: 2, avx512: 4}[e.isa]}
	}
	for _, step := range loops {
		label := fmt.Sprintf("%sexp%d", label, step)
		loop(label, step, func() {
			var v, m []vector
			var all []int
			for r := range rows {
				all = append(all, r)
				for s := range step {
					w := e.reg()
					VMOVUPS(at(r, s*e.size()), w)
					v, m = append(v, w), append(m, top[r])
				}
			}
			for k, p := range e.exp2(v, m) {
				VMOVUPS(p, at(k/step, k%step*e.size()))
				VADDPS(p, acc[k/step], acc[k/step])
			}
			ADDQ(U32(step*e.size()), i)
			chain(label, all...)
		})
		if step > 1 {
			MOVQ(i, common)
		}
	}
	for r := range rows {
		label := fmt.Sprintf("%sexp%dof", label, r)
		rest(label, r, func(a access) {
			p := e.exp2([]vector{a.load(at(r, 0))}, top[r:r+1])[0]
			a.store(p, at(r, 0))
			a.keep(p)
			VADDPS(p, acc[r], acc[r])
			if a.mask == nil {
				ADDQ(U8(e.size()), i)
				chain(label, r)
				SUBQ(U8(e.size()), i)
			}
		})
	}
	for r := range rows {
		widen(r)
		VMOVSD(e.lanes64(total[r]), Mem{Base: e.sum, Disp: 8 * r})
	}
}

// exp2 emits 2^max(v-top, -125) for several vectors, which it uses up, step by step for all.
func (e exp2Rows) exp2(v, top []vector) []vector {
	n, p := e.regs(len(v)), e.regs(len(v))
	for k, v := range v {
		VSUBPS(top[k], v, v)
	}
	for _, v := range v {
		VMAXPS(v, e.low, v) // of two operands, one of them NaN, the first
	}
	for k, v := range v {
		if e.isa == avx512 {
			VRNDSCALEPS(U8(0), v, n[k])
		} else {
			VROUNDPS(U8(0), v, n[k])
		}
	}
	for k, v := range v {
		VSUBPS(n[k], v, v)
		VMOVUPS(e.c[len(e.c)-1], p[k])
	}
	for i := len(e.c) - 2; i >= 0; i-- {
		for k, v := range v {
			VFMADD213PS(e.c[i], v, p[k])
		}
	}
	for k, n := range n {
		if e.isa == avx512 {
			VSCALEFPS(n, p[k], p[k])
		} else {
			VCVTPS2DQ(n, n)
			VPSLLD(U8(23), n, n)
			VPADDD(n, p[k], p[k])
		}
	}
	return p
}

var iotaData *Mem

// iota16 returns where in read-only data the numbers from 0 on are.
func iota16() Mem {
	if iotaData == nil {
		m := GLOBL("iota16", rodata)
		for i := range 16 {
			DATA(4*i, F32(float32(i)))
		}
		iotaData = &m
	}
	return *iotaData
}

func (t isa) softcap() {
	TEXT("softcap"+t.name, NOSPLIT, "func(x []float32, scale, limit float32)")
	Doc("softcap" + t.name + " sets x[i] = limit * tanh(x[i]*scale).")
	Pragma("noescape")
	i := GP64()
	x, scale, limit := slices(i, "x")[0], t.broadcast("scale"), t.broadcast("limit")
	walk{t, "", i, Load(Param("x").Len(), GP64()), 1}.each(func(a access, disp, _ int) {
		v := a.load(x(disp))
		VMULPS(scale, v, v)
		y := t.tanh(v)
		VMULPS(limit, y, y)
		a.store(y, x(disp))
	})
	VZEROUPPER()
	RET()
}

func (t isa) scaleAdd() {
	TEXT("scaleAdd"+t.name, NOSPLIT, "func(x, y []float32, a, b float32)")
	Doc("scaleAdd" + t.name + " sets x[i] = x[i]*a + y[i]*b.")
	Pragma("noescape")
	i := GP64()
	p, f, g := slices(i, "x", "y"), t.broadcast("a"), t.broadcast("b")
	walk{t, "", i, Load(Param("x").Len(), GP64()), 1}.each(func(a access, disp, _ int) {
		x, y := a.load(p[0](disp)), a.load(p[1](disp))
		VMULPS(g, y, y)
		VFMADD213PS(y, f, x)
		a.store(x, p[0](disp))
	})
	VZEROUPPER()
	RET()
}

func (t isa) rotateHalves() {
	TEXT("rotateHalves"+t.name, NOSPLIT, "func(x, own, other []float32, heads, headDim int)")
	Doc("rotateHalves"+t.name+" rotates the pairs (x[i], x[i+half]) of each head, half = len(own)/2:",
		"x[i] = x[i]*own[i] + x[i+half]*other[i], x[i+half] = x[i+half]*own[i+half] + x[i]*other[i+half].")
	Pragma("noescape")
	i, half := GP64(), Load(Param("own").Len(), GP64())
	SHRQ(U8(1), half)
	p := slices(i, "own", "other")
	low := Load(Param("x").Base(), GP64())
	high, heads, next := GP64(), Load(Param("heads"), GP64()), Load(Param("headDim"), GP64())
	LEAQ(Mem{Base: low, Index: half, Scale: 4}, high)
	SHLQ(U8(2), next)
	ends := []func(int) Mem{}
	for range 2 {
		q := GP64()
		o := Load(Param(map[int]string{0: "own", 1: "other"}[len(ends)]).Base(), GP64())
		LEAQ(Mem{Base: o, Index: half, Scale: 4}, q)
		ends = append(ends, indexed(q, i))
	}
	CMPQ(heads, U8(0))
	JE(LabelRef("end"))
	Label("head")
	xl, xh := indexed(low, i), indexed(high, i)
	walk{t, "", i, half, 1}.each(func(a access, disp, _ int) {
		l, h := a.load(xl(disp)), a.load(xh(disp))
		tl, th := a.load(p[1](disp)), a.load(ends[1](disp))
		VMULPS(h, tl, tl)
		VMULPS(l, th, th)
		VFMADD132PS(a.load(p[0](disp)), tl, l)
		VFMADD132PS(a.load(ends[0](disp)), th, h)
		a.store(l, xl(disp))
		a.store(h, xh(disp))
	})
	ADDQ(next, low)
	ADDQ(next, high)
	DECQ(heads)
	JNZ(LabelRef("head"))
	Label("end")
	VZEROUPPER()
	RET()
}

func (t isa) rotatePairs() {
	TEXT("rotatePairs"+t.name, NOSPLIT, "func(x, own, other []float32, heads, headDim int)")
	Doc("rotatePairs"+t.name+" rotates the first len(own) elements of each head, with partner(i) = i^1:",
		"x[i] = x[i]*own[i] + x[partner(i)]*other[i].")
	Pragma("noescape")
	i, n := GP64(), Load(Param("own").Len(), GP64())
	p := slices(i, "own", "other")
	base := Load(Param("x").Base(), GP64())
	heads, next := Load(Param("heads"), GP64()), Load(Param("headDim"), GP64())
	SHLQ(U8(2), next)
	CMPQ(heads, U8(0))
	JE(LabelRef("end"))
	Label("head")
	x := indexed(base, i)
	walk{t, "", i, n, 1}.each(func(a access, disp, _ int) {
		v, swapped := a.load(x(disp)), t.reg()
		VPERMILPS(U8(0b10_11_00_01), v, swapped)
		VMULPS(a.load(p[1](disp)), swapped, swapped)
		VFMADD132PS(a.load(p[0](disp)), swapped, v)
		a.store(v, x(disp))
	})
	ADDQ(next, base)
	DECQ(heads)
	JNZ(LabelRef("head"))
	Label("end")
	VZEROUPPER()
	RET()
}

func spread16() {
	TEXT("spread16AVX2", NOSPLIT, "func(dst []uint16, x []float32, stride int)")
	Doc("spread16AVX2 converts x, of whole panels, to half precision: 16 elements to dst, the next 16",
		"stride elements further.")
	Pragma("noescape")
	dst, x := Load(Param("dst").Base(), GP64()), Load(Param("x").Base(), GP64())
	n, stride := Load(Param("x").Len(), GP64()), Load(Param("stride"), GP64())
	SHRQ(U8(4), n)
	JZ(LabelRef("end"))
	SHLQ(U8(1), stride)
	Label("panel")
	for h := range 2 {
		v := YMM()
		VMOVUPS(Mem{Base: x, Disp: 32 * h}, v)
		VCVTPS2PH(U8(0), v, Mem{Base: dst, Disp: 16 * h})
	}
	ADDQ(U8(64), x)
	ADDQ(stride, dst)
	DECQ(n)
	JNZ(LabelRef("panel"))
	Label("end")
	VZEROUPPER()
	RET()
}

func scatter16() {
	TEXT("scatter16AVX2", NOSPLIT, "func(dst []uint16, x []float32)")
	Doc("scatter16AVX2 converts x, of a multiple of 8 elements, to half precision: dst[16*i] = x[i].")
	Pragma("noescape")
	dst, x := Load(Param("dst").Base(), GP64()), Load(Param("x").Base(), GP64())
	n := Load(Param("x").Len(), GP64())
	SHRQ(U8(3), n)
	JZ(LabelRef("end"))
	Label("eight")
	v, h := YMM(), XMM()
	VMOVUPS(Mem{Base: x}, v)
	VCVTPS2PH(U8(0), v, h)
	for l := range 8 {
		VPEXTRW(U8(l), h, Mem{Base: dst, Disp: 2 * panelLanes * l})
	}
	ADDQ(U8(32), x)
	ADDQ(U32(8*2*panelLanes), dst)
	DECQ(n)
	JNZ(LabelRef("eight"))
	Label("end")
	VZEROUPPER()
	RET()
}
