package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
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
	p, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	VBROADCASTSS(p.Addr, v)
	return v
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
		p := Load(Param(name).Base(), GP64())
		at = append(at, func(disp int) Mem { return Mem{Base: p, Index: i, Scale: 1, Disp: disp} })
	}
	return at
}

// index returns a register that counts bytes from zero.
func index() reg.Register {
	i := GP64()
	XORQ(i, i)
	return i
}

// vectors runs body over n elements: turns of unroll vectors, then of one,
// then the rest under a mask. It advances i and uses up n.
func (t isa) vectors(i, n reg.Register, unroll int, body func(a access, disp int)) {
	t.turns("block", i, n, unroll, func() {
		for u := range unroll {
			body(access{t, nil}, u*t.size())
		}
	})
	if unroll > 1 {
		t.turns("vector", i, n, 1, func() { body(access{t, nil}, 0) })
	}
	CMPQ(n, U8(0))
	JE(LabelRef("done"))
	body(t.first(n), 0)
	Label("done")
}

// turns runs body while n holds that many vectors.
func (t isa) turns(label string, i, n reg.Register, vectors int, body func()) {
	CMPQ(n, U32(vectors*t.lanes))
	JL(LabelRef(label + "End"))
	Label(label)
	body()
	ADDQ(U32(vectors*t.size()), i)
	SUBQ(U32(vectors*t.lanes), n)
	CMPQ(n, U32(vectors*t.lanes))
	JGE(LabelRef(label))
	Label(label + "End")
}
