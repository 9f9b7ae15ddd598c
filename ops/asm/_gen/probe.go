package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func probe() {
	for _, t := range []isa{avx2, avx512} {
		read(t)
		peak(t)
		intPeak(t)
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
	TEXT("read"+t.name, NOSPLIT, "func(sums *[8]uint64, x *byte, blocks, other, step, ahead int)")
	Doc(fmt.Sprintf("read%s adds word i to sums[i%%8], for blocks of 256 bytes at x and as many at x+other; both move by", t.name),
		"step from block to block. It fetches what is ahead of them.")
	Pragma("noescape")
	const block = 256
	x, n, other, step, ahead := Load(Param("x"), GP64()), Load(Param("blocks"), GP64()), Load(Param("other"), GP64()), Load(Param("step"), GP64()), Load(Param("ahead"), GP64())
	sums := Load(Param("sums"), GP64())
	ADDQ(x, other)
	// The sums take one register of AVX-512 or two of AVX2; four sets of them.
	acc := t.regs(4 * 64 / t.size())
	zero(acc...)
	TESTQ(n, n)
	JZ(LabelRef("end"))
	Label("block")
	for _, p := range []reg.Register{x, other} {
		for i := 0; i < block; i += t.size() {
			if i%64 == 0 {
				PREFETCHT0(Mem{Base: p, Index: ahead, Scale: 1, Disp: i})
			}
			a := acc[i/t.size()%len(acc)]
			VPADDQ(Mem{Base: p, Disp: i}, a, a)
		}
		ADDQ(step, p)
	}
	DECQ(n)
	JNZ(LabelRef("block"))
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

// intPeak is peak for integers: products of bytes, added in words with AVX2, where no
// kernel can do with less, and in double words with AVX-512.
func intPeak(t isa) {
	TEXT("intPeak"+t.name, NOSPLIT, "func(rounds int) int32")
	Doc(fmt.Sprintf("intPeak%s adds four products 1*1 to each double word of 12 registers in every round and returns the sum of their first.", t.name))
	n := Load(Param("rounds"), GP64())
	one := t.constant(0x01010101)
	acc := t.regs(12)
	zero(acc...)
	Label("round")
	TESTQ(n, n)
	JZ(LabelRef("end"))
	for _, a := range acc {
		if t == avx512 {
			VPDPBUSD(one, one, a)
			continue
		}
		product := t.reg()
		VPMADDUBSW(one, one, product)
		VPADDW(product, a, a)
	}
	DECQ(n)
	JMP(LabelRef("round"))
	Label("end")
	for i := len(acc) - 1; i > 0; i-- {
		VPADDD(acc[i], acc[i-1], acc[i-1])
	}
	if t == avx2 {
		VPMADDWD(t.constant(0x00010001), acc[0], acc[0])
	}
	sum := GP32()
	VMOVD(acc[0].AsX(), sum)
	VZEROUPPER()
	Store(sum, ReturnIndex(0))
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
