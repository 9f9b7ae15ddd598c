package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func norm() {
	sumSquares()
}

const (
	unroll = 4
	lanes  = 8 // float32 in a YMM register
)

func sumSquares() {
	TEXT("sumSquaresAVX2", NOSPLIT, "func(x []float32) float32")
	Doc("sumSquaresAVX2 returns the sum of x[i]*x[i]. len(x) may be any value.")
	Pragma("noescape")
	x := Mem{Base: Load(Param("x").Base(), GP64())}
	n := Load(Param("x").Len(), GP64())
	acc := make([]reg.VecVirtual, unroll)
	for i := range acc {
		acc[i] = YMM()
		VXORPS(acc[i], acc[i], acc[i])
	}
	Label("block")
	CMPQ(n, U32(lanes*unroll))
	JL(LabelRef("vector"))
	for i := range acc {
		v := YMM()
		VMOVUPS(x.Offset(32*i), v)
		VFMADD231PS(v, v, acc[i])
	}
	ADDQ(U32(32*unroll), x.Base)
	SUBQ(U32(lanes*unroll), n)
	JMP(LabelRef("block"))
	Label("vector")
	CMPQ(n, U32(lanes))
	JL(LabelRef("reduce"))
	v := YMM()
	VMOVUPS(x, v)
	VFMADD231PS(v, v, acc[0])
	ADDQ(U32(32), x.Base)
	SUBQ(U32(lanes), n)
	JMP(LabelRef("vector"))
	Label("reduce")
	for step := 1; step < unroll; step *= 2 {
		for i := 0; i+step < unroll; i += 2 * step {
			VADDPS(acc[i+step], acc[i], acc[i])
		}
	}
	lo, hi := acc[0].AsX(), XMM()
	VEXTRACTF128(U8(1), acc[0], hi)
	VADDPS(hi, lo, lo)
	VHADDPS(lo, lo, lo)
	VHADDPS(lo, lo, lo)
	Label("tail")
	CMPQ(n, U32(0))
	JE(LabelRef("done"))
	s := XMM()
	VMOVSS(x, s)
	VFMADD231SS(s, s, lo)
	ADDQ(U32(4), x.Base)
	DECQ(n)
	JMP(LabelRef("tail"))
	Label("done")
	VZEROUPPER()
	Store(lo, ReturnIndex(0))
	RET()
}
