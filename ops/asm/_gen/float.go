package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func float() {
	for _, t := range []isa{avx2, avx512} {
		for _, f := range floatFormats {
			if f.size == 2 {
				t.widen(f)
			}
			t.gemvFloat(f)
		}
		t.gemmFloat()
		t.addFloats()
	}
}

// A floatFormat is a format of weights without blocks.
type floatFormat struct {
	name string
	size uint8 // bytes
}

var floatFormats = []floatFormat{{"F32", 4}, {"F16", 2}, {"BF16", 2}}

// load converts one register full of numbers.
func (f floatFormat) load(t isa, m Mem) vector {
	v := t.reg()
	switch f.name {
	case "F32":
		VMOVUPS(m, v)
	case "F16":
		VCVTPH2PS(m, v)
	default:
		VPMOVZXWD(m, v)
		VPSLLD(U8(16), v, v)
	}
	return v
}

// scalar converts one number.
func (f floatFormat) scalar(m Mem) reg.VecVirtual {
	v := XMM()
	if f.name == "F32" {
		VMOVSS(m, v)
		return v
	}
	bits := GP32()
	MOVWLZX(m, bits)
	if f.name == "F16" {
		VMOVD(bits, v)
		VCVTPH2PS(v, v)
		return v
	}
	SHLL(U8(16), bits)
	VMOVD(bits, v)
	return v
}

// pointers loads the named parameters.
func pointers(names ...string) []reg.Register {
	var r []reg.Register
	for _, n := range names {
		r = append(r, Load(Param(n), GP64()))
	}
	return r
}

func (t isa) widen(f floatFormat) {
	name := "widen" + f.name + t.name
	TEXT(name, NOSPLIT, "func(dst *float32, w *byte, n int)")
	Doc(name + " converts n numbers to float32.")
	Pragma("noescape")
	p := pointers("dst", "w", "n")
	dst, w, n := p[0], p[1], p[2]
	i := GP64()
	XORQ(i, i)
	SUBQ(U8(t.lanes), n)
	JL(LabelRef("tail"))
	Label("vector")
	VMOVUPS(f.load(t, Mem{Base: w, Index: i, Scale: f.size}), Mem{Base: dst, Index: i, Scale: 4})
	ADDQ(U8(t.lanes), i)
	CMPQ(i, n)
	JLE(LabelRef("vector"))
	Label("tail")
	ADDQ(U8(t.lanes), n)
	Label("scalar")
	CMPQ(i, n)
	JGE(LabelRef("done"))
	VMOVSS(f.scalar(Mem{Base: w, Index: i, Scale: f.size}), Mem{Base: dst, Index: i, Scale: 4})
	INCQ(i)
	JMP(LabelRef("scalar"))
	Label("done")
	VZEROUPPER()
	RET()
}

// gemvFloat takes four rows at a time, far apart: each is a stream of its own
// to the prefetchers, and x is loaded once for all of them.
func (t isa) gemvFloat(f floatFormat) {
	name := "gemv" + f.name + t.name
	TEXT(name, NOSPLIT, "func(dst *float32, w *byte, stride, rows, n int, x *float32)")
	Doc(name+" sets dst[r] to the sum over i < n of w[r,i]*x[i], for r < rows, stride bytes apart.",
		"Each row has two vectors of partial sums; the last n % (2*lanes) products are added one by one.")
	Pragma("noescape")
	p := pointers("dst", "w", "stride", "rows", "n", "x")
	dst, w, stride, rows, n, x := p[0], p[1], p[2], p[3], p[4], p[5]
	// The rows r, r+gap, r+2*gap and r+3*gap for r < gap, then what is left.
	gap, far, left := copyOf(rows), GP64(), GP64()
	SHRQ(U8(2), gap)
	JZ(LabelRef("rest"))
	MOVQ(gap, far)
	IMULQ(stride, far)
	MOVQ(gap, left)
	Label("four")
	t.dotRows(f, 4, dst, w, far, gap, n, x)
	ADDQ(U8(4), dst)
	ADDQ(stride, w)
	DECQ(left)
	JNZ(LabelRef("four"))
	LEAQ(Mem{Base: gap, Index: gap, Scale: 2}, gap)
	LEAQ(Mem{Base: dst, Index: gap, Scale: 4}, dst)
	LEAQ(Mem{Base: far, Index: far, Scale: 2}, far)
	ADDQ(far, w)
	Label("rest")
	ANDQ(U8(3), rows)
	JZ(LabelRef("done"))
	Label("one")
	t.dotRows(f, 1, dst, w, nil, nil, n, x)
	ADDQ(U8(4), dst)
	ADDQ(stride, w)
	DECQ(rows)
	JNZ(LabelRef("one"))
	Label("done")
	VZEROUPPER()
	RET()
}

// dotRows multiplies so many rows, far bytes apart, and stores the sums gap
// numbers apart.
func (t isa) dotRows(f floatFormat, rows int, dst, w, far, gap, n, x reg.Register) {
	label := func(s string) string { return fmt.Sprintf("%s%d", s, rows) }
	row := []reg.Register{w}
	for r := 1; r < rows; r++ {
		p := GP64()
		LEAQ(Mem{Base: row[r-1], Index: far, Scale: 1}, p)
		row = append(row, p)
	}
	acc := make([][]vector, rows)
	for r := range acc {
		acc[r] = t.regs(2)
		zero(acc[r]...)
	}
	i, end := GP64(), GP64()
	XORQ(i, i)
	LEAQ(Mem{Base: n, Disp: -2 * t.lanes}, end)
	CMPQ(end, U8(0))
	JL(LabelRef(label("tail")))
	Label(label("turn"))
	var v [2]vector
	for u := range v {
		v[u] = t.reg()
		VMOVUPS(Mem{Base: x, Index: i, Scale: 4, Disp: u * t.size()}, v[u])
	}
	for r := range rows {
		for u := range v {
			m := Mem{Base: row[r], Index: i, Scale: f.size, Disp: u * t.lanes * int(f.size)}
			if f.size == 4 {
				VFMADD231PS(m, v[u], acc[r][u])
			} else {
				VFMADD231PS(f.load(t, m), v[u], acc[r][u])
			}
		}
	}
	ADDQ(U8(2*t.lanes), i)
	CMPQ(i, end)
	JLE(LabelRef(label("turn")))
	Label(label("tail"))
	sum := make([]reg.VecVirtual, rows)
	for r := range sum {
		VADDPS(acc[r][1], acc[r][0], acc[r][0])
		sum[r] = t.horizontal(acc[r][0])
	}
	Label(label("scalar"))
	CMPQ(i, n)
	JGE(LabelRef(label("store")))
	last := XMM()
	VMOVSS(Mem{Base: x, Index: i, Scale: 4}, last)
	for r := range sum {
		VFMADD231SS(f.scalar(Mem{Base: row[r], Index: i, Scale: f.size}), last, sum[r])
	}
	INCQ(i)
	JMP(LabelRef(label("scalar")))
	Label(label("store"))
	to := copyOf(dst)
	for r := range sum {
		VMOVSS(sum[r], Mem{Base: to})
		if r+1 < rows {
			LEAQ(Mem{Base: to, Index: gap, Scale: 4}, to)
		}
	}
}

// horizontal adds the lanes of v, halves to halves.
func (t isa) horizontal(v vector) reg.VecVirtual {
	y := YMM()
	if t == avx512 {
		VADDPS(t.high(v), v.AsY(), y)
	} else {
		VMOVAPS(v, y)
	}
	x := XMM()
	VADDPS(avx2.high(y), y.AsX(), x)
	VHADDPS(x, x, x)
	VHADDPS(x, x, x)
	return x
}

// gemmFloat keeps as many sums in registers as there are: every weight is
// broadcast once for all activation rows, every activation loaded once for
// many rows of weights.
func (t isa) gemmFloat() {
	name := "gemmFloat" + t.name
	TEXT(name, NOSPLIT, "func(c, w *float32, stride, k int, a *float32, ahead uintptr, step int)")
	Doc(name+" sets c[r*16+n] to the sum over i < k of w[r*stride+i]*a[i*16+n], in order of i,",
		"for r and n below 16. For every four i it fetches two cache lines at ahead and moves it on by step.")
	Pragma("noescape")
	p := pointers("c", "w", "stride", "ahead", "step")
	c, w, stride := p[0], p[1], p[2]
	SHLQ(U8(2), stride)
	three := GP64()
	LEAQ(Mem{Base: stride, Index: stride, Scale: 2}, three)
	groups := []int{16}
	if t == avx2 {
		groups = []int{6, 5, 5}
	}
	for g, rows := range groups {
		fetch := func(a reg.Register, n int) {
			if g > 0 || n == 1 {
				return
			}
			PREFETCHT1(Mem{Base: p[3]})
			PREFETCHT1(Mem{Base: p[3], Disp: 64})
			ADDQ(p[4], p[3])
			for i := range n {
				if t == avx512 { // a is read once: its lines are all needed at once
					PREFETCHT0(Mem{Base: a, Disp: 4096 + 64*i})
				}
			}
		}
		t.gemmRows(fmt.Sprintf("group%d", g), rows, c, w, stride, three, fetch)
		if g+1 < len(groups) {
			ADDQ(U32(64*rows), c)
			for range rows {
				ADDQ(stride, w)
			}
		}
	}
	VZEROUPPER()
	RET()
}

func (t isa) gemmRows(label string, rows int, c, w, stride, three reg.Register, fetch func(a reg.Register, n int)) {
	k, a := Load(Param("k"), GP64()), Load(Param("a"), GP64())
	base := []reg.Register{copyOf(w)}
	for r := 4; r < rows; r += 4 {
		p := GP64()
		LEAQ(Mem{Base: base[len(base)-1], Index: stride, Scale: 4}, p)
		base = append(base, p)
	}
	at := func(r, i int) Mem {
		m := Mem{Base: base[r/4], Disp: 4 * i}
		switch r % 4 {
		case 1, 2:
			m.Index, m.Scale = stride, uint8(r%4)
		case 3:
			m.Index, m.Scale = three, 1
		}
		return m
	}
	acc := make([][]vector, rows)
	for r := range acc {
		acc[r] = t.regs(16 / t.lanes)
		zero(acc[r]...)
	}
	step := func(i int) {
		v := t.regs(16 / t.lanes)
		for u := range v {
			VMOVUPS(Mem{Base: a, Disp: 64*i + u*t.size()}, v[u])
		}
		for r := range acc {
			if t == avx512 {
				VFMADD231PS_BCST(at(r, i), v[0], acc[r][0])
				continue
			}
			b := t.reg()
			VBROADCASTSS(at(r, i), b)
			for u := range v {
				VFMADD231PS(v[u], b, acc[r][u])
			}
		}
	}
	const turn = 4
	loop := func(name string, n int) {
		Label(label + name)
		CMPQ(k, U8(n))
		JL(LabelRef(label + name + "done"))
		fetch(a, n)
		for i := range n {
			step(i)
		}
		for _, b := range base {
			ADDQ(U8(4*n), b)
		}
		ADDQ(U32(64*n), a)
		SUBQ(U8(n), k)
		JMP(LabelRef(label + name))
		Label(label + name + "done")
	}
	loop("turn", turn)
	loop("one", 1)
	for r := range acc {
		for u := range acc[r] {
			VMOVUPS(acc[r][u], Mem{Base: c, Disp: 64*r + u*t.size()})
		}
	}
}

func (t isa) addFloats() {
	name := "addFloats" + t.name
	TEXT(name, NOSPLIT, "func(sum *float64, x *float32, n int)")
	Doc(name + " adds x to sum, n numbers.")
	Pragma("noescape")
	p := pointers("sum", "x", "n")
	sum, x, n := p[0], p[1], p[2]
	lanes := t.lanes / 2
	i := GP64()
	XORQ(i, i)
	SUBQ(U8(lanes), n)
	JL(LabelRef("tail"))
	Label("vector")
	v := t.reg()
	VCVTPS2PD(Mem{Base: x, Index: i, Scale: 4}, v)
	VADDPD(Mem{Base: sum, Index: i, Scale: 8}, v, v)
	VMOVUPD(v, Mem{Base: sum, Index: i, Scale: 8})
	ADDQ(U8(lanes), i)
	CMPQ(i, n)
	JLE(LabelRef("vector"))
	Label("tail")
	ADDQ(U8(lanes), n)
	Label("scalar")
	CMPQ(i, n)
	JGE(LabelRef("done"))
	s := XMM()
	VMOVSS(Mem{Base: x, Index: i, Scale: 4}, s)
	VCVTSS2SD(s, s, s)
	VADDSD(Mem{Base: sum, Index: i, Scale: 8}, s, s)
	VMOVSD(s, Mem{Base: sum, Index: i, Scale: 8})
	INCQ(i)
	JMP(LabelRef("scalar"))
	Label("done")
	VZEROUPPER()
	RET()
}
