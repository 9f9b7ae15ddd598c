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
		t.gemmFloat(1)
		if t == avx512 {
			t.gemmFloat(2)
		}
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

// gemvFloat reads memory from one end to the other, which is how it is
// read fastest: the arithmetic of one row at a time keeps up. So does the hardware
// with its prefetches; others beside them take a fifth and more of the speed.
func (t isa) gemvFloat(f floatFormat) {
	name := "gemv" + f.name + t.name
	TEXT(name, NOSPLIT, "func(dst *float32, w *byte, stride, rows, n int, x *float32)")
	Doc(name+" sets dst[r] to the sum over i < n of w[r,i]*x[i], for r < rows, at least one, stride bytes apart.",
		"Each row has 32 partial sums; the last n % 32 products are added one by one.")
	Pragma("noescape")
	p := pointers("w", "stride", "x", "n")
	w, stride, x, iterations := p[0], p[1], p[2], p[3] // those that have 32 products
	ANDQ(I32(-32), iterations)
	// sums multiplies some rows, one behind the other.
	sums := func(label string, some int) {
		acc := make([][]vector, some)
		for r := range acc {
			acc[r] = t.regs(32 / t.lanes)
			zero(acc[r]...)
		}
		i, from := GP64(), []reg.Register{w}
		for r := range some - 1 {
			next := copyOf(from[r])
			ADDQ(stride, next)
			from = append(from, next)
		}
		XORQ(i, i)
		CMPQ(i, iterations)
		JGE(LabelRef(label + "tail"))
		Label(label + "iteration")
		for u := range acc[0] {
			v := t.reg()
			VMOVUPS(Mem{Base: x, Index: i, Scale: 4, Disp: u * t.size()}, v)
			for r := range acc {
				at := Mem{Base: from[r], Index: i, Scale: f.size, Disp: u * t.lanes * int(f.size)}
				if f.size == 4 {
					VFMADD231PS(at, v, acc[r][u])
				} else {
					VFMADD231PS(f.load(t, at), v, acc[r][u])
				}
			}
		}
		ADDQ(U8(32), i)
		CMPQ(i, iterations)
		JL(LabelRef(label + "iteration"))
		Label(label + "tail")
		sum := make([]reg.VecVirtual, some)
		for r, acc := range acc {
			for n := len(acc) / 2; n > 0; n /= 2 {
				for u := range n {
					VADDPS(acc[u+n], acc[u], acc[u])
				}
			}
			sum[r] = t.horizontal(acc[0])
		}
		Label(label + "scalar")
		CMPQ(i, param("n"))
		JGE(LabelRef(label + "store"))
		last := XMM()
		VMOVSS(Mem{Base: x, Index: i, Scale: 4}, last)
		for r := range sum {
			VFMADD231SS(f.scalar(Mem{Base: from[r], Index: i, Scale: f.size}), last, sum[r])
		}
		INCQ(i)
		JMP(LabelRef(label + "scalar"))
		Label(label + "store")
		dst := Load(Param("dst"), GP64())
		for r := range sum {
			VMOVSS(sum[r], Mem{Base: dst, Disp: 4 * r})
		}
		ADDQ(U8(4*some), param("dst"))
		w, _ := w.(reg.GPVirtual)
		MOVQ(from[some-1], w)
		ADDQ(stride, w)
		SUBQ(U8(some), param("rows"))
	}
	some, long := f.together(t)
	CMPQ(iterations, U32(long))
	JL(LabelRef("row"))
	Label("rows")
	CMPQ(param("rows"), U8(some))
	JL(LabelRef("left"))
	sums("rows", some)
	JMP(LabelRef("rows"))
	Label("left")
	CMPQ(param("rows"), U8(0))
	JE(LabelRef("end"))
	Label("row")
	sums("row", 1)
	JNZ(LabelRef("row"))
	Label("end")
	VZEROUPPER()
	RET()
}

// together is how many rows of at least long columns are multiplied together: their
// activations leave no room for weights in the first cache, and are read once for all of
// them. More rows are read faster where registers have room for their sums.
func (f floatFormat) together(t isa) (rows, long int) {
	switch {
	case t == avx2:
		return 3, 5 << 10
	case f.size == 4:
		return 4, 4 << 10
	}
	return 8, 4 << 10
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
func (t isa) gemmFloat(tiles int) {
	name, groups := "gemmFloat"+t.name, []int{16}
	switch {
	case tiles == 2:
		name, groups = "gemmFloat2"+t.name, []int{8, 8}
	case t == avx2:
		groups = []int{6, 5, 5}
	}
	TEXT(name, NOSPLIT, "func(c, w *float32, stride, k int, a *float32, ahead uintptr, step int)")
	doc := []string{name + " sets c[r*16+n] to the sum over i < k of w[r*stride+i]*a[i*16+n], in order of i,",
		"for r and n below 16. For every four i it fetches two cache lines at ahead and moves it on by step."}
	if tiles == 2 {
		doc = append(doc, "It does so for a second a and c too, behind the first, and fetches twice as much.")
	}
	Doc(doc...)
	Pragma("noescape")
	p := pointers("c", "w", "stride", "ahead", "step")
	c, w, stride := p[0], p[1], p[2]
	SHLQ(U8(2), stride)
	three := GP64()
	LEAQ(Mem{Base: stride, Index: stride, Scale: 2}, three)
	for g, rows := range groups {
		fetch := func(a []reg.Register, n int) {
			if g >= tiles || n == 1 {
				return
			}
			PREFETCHT1(Mem{Base: p[3]})
			PREFETCHT1(Mem{Base: p[3], Disp: 64})
			ADDQ(p[4], p[3])
			if g > 0 || t == avx2 {
				return
			}
			for _, a := range a { // each is read once: its lines are all needed at once
				for i := range n {
					PREFETCHT0(Mem{Base: a, Disp: 4096 + 64*i})
				}
			}
		}
		t.gemmRows(fmt.Sprintf("group%d", g), rows, tiles, c, w, stride, three, fetch)
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

func (t isa) gemmRows(label string, rows, tiles int, c, w, stride, three reg.Register, fetch func(a []reg.Register, n int)) {
	k, a := Load(Param("k"), GP64()), []reg.Register{Load(Param("a"), GP64())}
	for i := 1; i < tiles; i++ {
		next := copyOf(k)
		SHLQ(U8(6), next)
		ADDQ(a[i-1], next)
		a = append(a, next)
	}
	lines := 16 / t.lanes // vectors in a row of a tile
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
		acc[r] = t.regs(tiles * lines)
		zero(acc[r]...)
	}
	step := func(i int) {
		v := t.regs(tiles * lines)
		for u := range v {
			VMOVUPS(Mem{Base: a[u/lines], Disp: 64*i + u%lines*t.size()}, v[u])
		}
		for r := range acc {
			if len(v) == 1 {
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
	const iteration = 4
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
		for _, a := range a {
			ADDQ(U32(64*n), a)
		}
		SUBQ(U8(n), k)
		JMP(LabelRef(label + name))
		Label(label + name + "done")
	}
	loop("iteration", iteration)
	loop("one", 1)
	for r := range acc {
		for u, v := range acc[r] {
			VMOVUPS(v, Mem{Base: c, Disp: 1024*(u/lines) + 64*r + u%lines*t.size()})
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
