package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

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
