package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/gotypes"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// An isa is a vector width and the way to treat the end of a slice: kernels
// are written once over it.
type isa struct {
	name  string
	lanes int // float32 in a register
}

var (
	avx2   = isa{"AVX2", 8}
	avx512 = isa{"AVX512", 16}
)

type vector = reg.VecVirtual

// size is the number of bytes in a register.
func (t isa) size() int { return 4 * t.lanes }

func (t isa) reg() vector {
	if t == avx512 {
		return ZMM()
	}
	return YMM()
}

func (t isa) regs(n int) []vector {
	v := make([]vector, n)
	for i := range v {
		v[i] = t.reg()
	}
	return v
}

func zero(v ...vector) {
	for _, v := range v {
		VXORPS(v, v, v)
	}
}

// ymm returns a register that an operation has set from m.
func ymm(op any, m ...Op) vector {
	v := YMM()
	switch op := op.(type) {
	case func(a, b Op):
		op(m[0], v)
	case func(a, b, c Op):
		op(m[0], m[1], v)
	case func(...Op):
		op(append(m, v)...)
	}
	return v
}

// half is the register of half the width that is the low half of v.
func (t isa) half(v vector) reg.Register {
	if t == avx512 {
		return v.AsY()
	}
	return v.AsX()
}

// high returns the high half of v.
func (t isa) high(v vector) reg.Register {
	if t == avx512 {
		h := YMM()
		VEXTRACTF64X4(U8(1), v, h)
		return h
	}
	h := XMM()
	VEXTRACTF128(U8(1), v, h)
	return h
}

// broadcast returns a register full of the named float32 parameter.
func (t isa) broadcast(name string) vector {
	v := t.reg()
	VBROADCASTSS(param(name), v)
	return v
}

// param is where the named parameter is.
func param(name string) Mem { return place(Param(name)) }

// place is where a parameter or a result is.
func place(c gotypes.Component) Mem {
	p, err := c.Resolve()
	if err != nil {
		panic(err)
	}
	return p.Addr
}

// constant returns a register full of the float32 with the given bits.
func (t isa) constant(bits uint32) vector {
	v := t.reg()
	VBROADCASTSS(constant(bits), v)
	return v
}

var constants = map[uint32]Mem{}

// constant returns where in read-only data the float32 with these bits is.
func constant(bits uint32) Mem {
	m, ok := constants[bits]
	if !ok {
		m = GLOBL(fmt.Sprintf("f32_%08x", bits), rodata)
		DATA(0, U32(bits))
		constants[bits] = m
	}
	return m
}

// constant64 returns where in read-only data the float64 is.
func constant64(f float64) Mem {
	return data64(fmt.Sprintf("f64_%016x", math.Float64bits(f)), math.Float64bits(f))
}

// constant128 returns where in read-only data two words with these bits are.
func constant128(bits uint64) Mem { return data64(fmt.Sprintf("u128_%016x", bits), bits, bits) }

var words = map[string]Mem{}

func data64(name string, bits ...uint64) Mem {
	m, ok := words[name]
	if !ok {
		m = GLOBL(name, rodata)
		for i, b := range bits {
			DATA(8*i, U64(b))
		}
		words[name] = m
	}
	return m
}

// access is a memory access of one vector, or, with a mask, of its first few
// lanes: the others are read as zero and not written.
type access struct {
	isa
	mask reg.Register
}

func (a access) load(m Mem) vector {
	v := a.reg()
	switch {
	case a.mask == nil:
		VMOVUPS(m, v)
	case a.isa == avx512:
		VMOVUPS_Z(m, a.mask, v)
	default:
		VMASKMOVPS(m, a.mask, v)
	}
	return v
}

func (a access) store(v vector, m Mem) {
	switch {
	case a.mask == nil:
		VMOVUPS(v, m)
	case a.isa == avx512:
		VMOVUPS(v, a.mask, m)
	default:
		VMASKMOVPS(v, a.mask, m)
	}
}

// keep zeroes the lanes of v that are not there.
func (a access) keep(v vector) {
	switch {
	case a.mask == nil:
	case a.isa == avx512:
		VMOVAPS_Z(v, a.mask, v)
	default:
		VANDPS(a.mask, v, v)
	}
}

// fill sets the lanes of v that are not there.
func (a access) fill(v vector, f float32) {
	switch {
	case a.mask == nil:
	case a.isa == avx512:
		rest := K()
		KNOTW(a.mask, rest)
		VMOVUPS(full(f), rest, v)
	default:
		VBLENDVPS(a.mask, v, a.fullOf(f), v)
	}
}

var tailMasks *Mem

// first returns access to the first n lanes, 0 < n < lanes.
func (t isa) first(n reg.Register) access {
	if t == avx512 {
		m, k := GP32(), K()
		MOVL(U32(0xffffffff), m)
		BZHIL(n.(reg.GP).As32(), m, m)
		KMOVW(m, k)
		return access{t, k}
	}
	if tailMasks == nil {
		m := GLOBL("tailMasks", rodata)
		for i := range 2 * t.lanes {
			DATA(4*i, U32(0xffffffff*uint32(min(1, max(0, t.lanes-i)))))
		}
		tailMasks = &m
	}
	p, v := GP64(), YMM()
	LEAQ(tailMasks.Offset(4*t.lanes), p)
	o := GP64()
	MOVQ(n, o)
	SHLQ(U8(2), o)
	SUBQ(o, p)
	VMOVUPS(Mem{Base: p}, v)
	return access{t, v}
}

// slices loads the base pointers of the named slice parameters and returns
// functions that address them at the index i plus a displacement in bytes.
func slices(i reg.Register, names ...string) []func(disp int) Mem {
	var at []func(disp int) Mem
	for _, name := range names {
		at = append(at, indexed(Load(Param(name).Base(), GP64()), i))
	}
	return at
}

func indexed(p, i reg.Register) func(disp int) Mem {
	return func(disp int) Mem { return Mem{Base: p, Index: i, Scale: 1, Disp: disp} }
}

// copyOf returns a register with the value of r.
func copyOf(r reg.Register) reg.Register {
	c := GP64()
	MOVQ(r, c)
	return c
}

// A walk goes once over n elements: first over those that do not fill an iteration
// of unroll vectors, at the end, then over the iterations. Passes over the same
// slices all go forward, which the prefetchers of processors follow best.
type walk struct {
	isa
	label  string
	i, n   reg.Register // i counts bytes; n is kept
	unroll int
}

// body handles the vector u of an iteration.
type body func(a access, disp, u int)

// each emits the walk over single vectors, then over iterations.
func (w walk) each(f body) {
	w.rest(f)
	w.iterations(f)
}

// iterations emits the iterations alone.
func (w walk) iterations(f body) {
	m := w.iterationsOf()
	CMPQ(m, U8(0))
	JE(LabelRef(w.label + "done"))
	Label(w.label + "iteration")
	w.iteration(m, f)
	JNE(LabelRef(w.label + "iteration"))
	Label(w.label + "done")
}

// rest emits the walk over what does not fill an iteration, as vector 0.
func (w walk) rest(f body) {
	r := copyOf(w.n)
	ANDQ(U32(w.unroll*w.lanes-1), r)
	JZ(LabelRef(w.label + "restEnd"))
	MOVQ(w.n, w.i)
	SUBQ(r, w.i)
	SHLQ(U8(2), w.i)
	if w.unroll > 1 {
		CMPQ(r, U32(w.lanes))
		JL(LabelRef(w.label + "tail"))
		Label(w.label + "vector")
		f(access{w.isa, nil}, 0, 0)
		ADDQ(U32(w.size()), w.i)
		SUBQ(U32(w.lanes), r)
		CMPQ(r, U32(w.lanes))
		JGE(LabelRef(w.label + "vector"))
		Label(w.label + "tail")
		CMPQ(r, U8(0))
		JE(LabelRef(w.label + "restEnd"))
	}
	f(w.first(r), 0, 0)
	Label(w.label + "restEnd")
}

// iterationsOf returns a register with the number of elements in iterations, and sets i
// to where they comp.
func (w walk) iterationsOf() reg.Register {
	m := copyOf(w.n)
	ANDQ(I32(-w.unroll*w.lanes), m)
	XORQ(w.i, w.i)
	return m
}

// iteration emits one iteration, takes its elements off m and leaves the zero flag set
// when none are left.
func (w walk) iteration(m reg.Register, f body) {
	for u := range w.unroll {
		f(access{w.isa, nil}, u*w.size(), u)
	}
	ADDQ(U32(w.unroll*w.size()), w.i)
	SUBQ(U32(w.unroll*w.lanes), m)
}
