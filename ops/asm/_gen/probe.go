package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

func probe() {
	for _, t := range []isa{avx2, avx512} {
		read(t)
		peak(t)
	}
	flush()
}

// flush takes memory out of all caches.
func flush() {
	TEXT("flush", NOSPLIT, "func(x []byte)")
	Doc("flush takes x out of all caches.")
	Pragma("noescape")
	x, n := Load(Param("x").Base(), GP64()), Load(Param("x").Len(), GP64())
	Label("line")
	CLFLUSH(Mem{Base: x})
	ADDQ(U8(64), x)
	SUBQ(U8(64), n)
	JG(LabelRef("line"))
	MFENCE()
	RET()
}

// read adds up words in registers: the loads are all there is to it.
func read(t isa) {
	TEXT("read"+t.name, NOSPLIT, "func(sums *[8]uint64, x []byte)")
	Doc(fmt.Sprintf("read%s adds word i of x to sums[i%%8]. len(x) is a multiple of 512.", t.name))
	Pragma("noescape")
	const block = 512
	x, n := Load(Param("x").Base(), GP64()), Load(Param("x").Len(), GP64())
	sums := Load(Param("sums"), GP64())
	// The sums take one register of AVX-512 or two of AVX2; four sets of them.
	acc := t.regs(4 * 64 / t.size())
	zero(acc...)
	Label("block")
	CMPQ(n, U32(block))
	JL(LabelRef("end"))
	for i := 0; i < block/t.size(); i++ {
		a := acc[i%len(acc)]
		VPADDQ(Mem{Base: x, Disp: i * t.size()}, a, a)
	}
	ADDQ(U32(block), x)
	SUBQ(U32(block), n)
	JMP(LabelRef("block"))
	Label("end")
	set := len(acc) / 4
	for i := range acc[set:] {
		VPADDQ(acc[set+i], acc[i%set], acc[i%set])
	}
	for i := range set {
		m := Mem{Base: sums, Disp: i * t.size()}
		VPADDQ(m, acc[i], acc[i])
		VMOVUPS(acc[i], m)
	}
	VZEROUPPER()
	RET()
}

// peak keeps the arithmetic busy: chains of fused multiply-adds on registers.
func peak(t isa) {
	TEXT("peak"+t.name, NOSPLIT, "func(rounds int) float32")
	Doc(fmt.Sprintf("peak%s adds 1*1 to each lane of 12 registers in every round and returns the sum of their first lanes.", t.name))
	n := Load(Param("rounds"), GP64())
	one := t.constant(0x3f800000)
	acc := t.regs(12)
	zero(acc...)
	Label("round")
	TESTQ(n, n)
	JZ(LabelRef("end"))
	for _, a := range acc {
		VFMADD231PS(one, one, a)
	}
	DECQ(n)
	JMP(LabelRef("round"))
	Label("end")
	for i := len(acc) - 1; i > 0; i-- {
		VADDPS(acc[i], acc[i-1], acc[i-1])
	}
	Store(acc[0].AsX(), ReturnIndex(0))
	VZEROUPPER()
	RET()
}
