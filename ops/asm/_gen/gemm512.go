package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

func gemmFamily() {
	for _, lanes := range []isa{avx512, avx2} {
		gemm512("", lanes, 32, false)
		gemm512("Min", lanes, 32, true)
		gemm512("Sub16", lanes, 16, false)
		gemm512("Sub16Min", lanes, 16, true)
	}
	gemmStored()
	for _, f := range gemm2Forms() {
		for _, vecs := range []int{2, 1} {
			gemm2(f, vecs)
		}
	}
}

// chains is the number of partial sums of a product.
const chains = 8

// chainBytes is the size of one chain of all products of a call.
const chainBytes = panelRows * 64

// fewRows is the name of products with the first lanes of a tile alone.
func fewRows(lanes int) string {
	if lanes == panelRows {
		return ""
	}
	return fmt.Sprint(lanes)
}

// gemm512 multiplies a panel with a tile, or with its first eight rows. Lanes
// are activation rows: the quants of the tile are read whole, those of the panel
// four at a time and repeated. The chains are in memory; the first group in a
// chain sets it.
func gemm512(form string, lanes isa, group int, min bool) {
	name := "gemm" + fewRows(lanes.lanes) + form + "AVX512"
	TEXT(name, NOSPLIT, "func(c *float32, q *int8, scale, min *float32, comp *int32, aq *uint32, ascale, asum *float32, ahalf *uint32, columns int, chains *float32, ahead *byte, step int)")
	Doc(name+" is gemmGeneric over that many columns, whole groups of 32, at least one,",
		fmt.Sprintf("for %d activation rows. For each group it fetches step bytes from ahead on.", lanes.lanes))
	Pragma("noescape")
	fetch := fetcher()
	q, scale, mins, comp := pointer("q"), pointer("scale"), pointer("min"), pointer("comp")
	aq, ascale := pointer("aq"), pointer("ascale")
	var asum, ahalf Mem
	switch {
	case min && group == 16:
		ahalf = pointer("ahalf")
	case min:
		asum = pointer("asum")
	}
	end := integer("columns")
	ADDQ(end, end) // 64 bytes for 32 columns
	i, chain := GP64(), GP64()
	XORQ(i, i)
	block := func(name string, first bool) {
		fetch(name)
		for sub := range 32 / group {
			// A group of 32 has 64 bytes of scales; there are two of 16.
			perGroup := uint8(32 / group)
			at := func(m Mem, r int) Mem {
				m.Index, m.Scale, m.Disp = i, perGroup, 64*sub+4*r
				return m
			}
			dot := lanes.regs(panelRows)
			for r := range dot {
				VPBROADCASTD(at(comp, r), dot[r])
			}
			for k := range group / 4 {
				a := lanes.reg()
				VMOVDQU32(Mem{Base: aq.Base, Index: i, Scale: 8, Disp: (sub*group/4 + k) * 64}, a)
				for r := range dot {
					VPDPBUSD_BCST(Mem{Base: q.Base, Index: i, Scale: 8, Disp: sub*group*panelRows + r*group + 4*k}, a, dot[r])
				}
			}
			as, al := lanes.reg(), lanes.reg()
			VMOVUPS(Mem{Base: ascale.Base, Index: i, Scale: 1}, as)
			switch {
			case min && group == 16: // the sums of half a group, times the scales
				VMOVDQU32(Mem{Base: ahalf.Base, Index: i, Scale: 1}, al)
				if sub == 0 {
					VPSLLD(U8(16), al, al)
				}
				VPSRAD(U8(16), al, al)
				VCVTDQ2PS(al, al)
				VMULPS(as, al, al)
			case min:
				VMOVUPS(Mem{Base: asum.Base, Index: i, Scale: 1}, al)
			}
			for r := range dot {
				s, acc := lanes.reg(), Mem{Base: chain, Disp: sub*chains/2*chainBytes + 64*r}
				VMULPS_BCST(at(scale, r), as, s)
				VCVTDQ2PS(dot[r], dot[r])
				if first {
					VMULPS(s, dot[r], dot[r])
				} else {
					VFMADD213PS(acc, s, dot[r])
				}
				if min {
					VFMADD231PS_BCST(at(mins, r), al, dot[r])
				}
				VMOVUPS(dot[r], acc)
			}
		}
		ADDQ(U8(64), i)
	}
	lanes.rounds(group, U32(chainBytes), i, end, chain, block)
	lanes.sumChains(pointer("c"), pointer("chains"), panelRows, lanes.lanes)
	VZEROUPPER()
	RET()
}

// rounds emits the loop over the groups: block adds 32 columns to a chain of that many
// bytes, or sets it, and adds 64 to i. Where it depends on the call, group is 32.
func (t isa) rounds(group int, bytes Op, i, end, chain reg.GPVirtual, block func(name string, first bool)) {
	left := GP64()
	round := func(name string, first bool) {
		Label(name)
		block(name, first)
		ADDQ(bytes, chain)
		DECQ(left)
		JNZ(LabelRef(name))
		CMPQ(i, end)
		JE(LabelRef("sum"))
	}
	begin := func() {
		// If less than eight groups are left, they go to the last chains.
		MOVQ(end, left)
		SUBQ(i, left)
		SHRQ(U8(6), left)
		MOVQ(U32(chains), chain)
		CMPQ(left, chain)
		CMOVQGT(chain, left)
		SUBQ(left, chain)
		if m, ok := bytes.(Mem); ok {
			IMULQ(m, chain)
		} else {
			IMUL3Q(bytes, chain, chain)
		}
		ADDQ(param("chains"), chain)
	}
	// zeroChains empties the chains from p up to the end.
	zeroChains := func(p, end reg.GPVirtual) {
		z := t.reg()
		zero(z)
		JMP(LabelRef("emptyEnd"))
		Label("empty")
		const some = 256 // all chains have a multiple
		for disp := 0; disp < some; disp += t.size() {
			VMOVUPS(z, Mem{Base: p, Disp: disp})
		}
		ADDQ(U32(some), p)
		Label("emptyEnd")
		CMPQ(p, end)
		JNE(LabelRef("empty"))
	}
	if group == 16 {
		p := GP64()
		MOVQ(param("chains"), p)
		// Four groups of 32 take all chains: each sets or adds to two. If the last
		// ones are 2 or 6, two of these come first, and go to the last chains.
		name := "whole"
		begin = func() {
			MOVQ(end, left)
			SUBQ(i, left)
			MOVQ(end, chain)
			ANDQ(U32(7<<6), chain)
			CMPQ(left, chain)
			MOVQ(param("chains"), chain)
			MOVQ(U32(4), left)
			JNE(LabelRef(name))
			BTQ(U8(7), end)
			JCC(LabelRef(name))
			MOVQ(U32(2), left)
			ADDQ(U32(2*chainBytes), chain)
			Label(name)
			name = "wholeNext"
		}
		CMPQ(end, U32(8<<6))
		JGE(LabelRef("set"))
		MOVQ(param("chains"), chain)
		ADDQ(U32(chains*chainBytes), chain)
		zeroChains(p, chain)
		JMP(LabelRef("more"))
		Label("set")
		begin()
	} else {
		begin()
		// The chains before the first used one, of less than eight groups, are
		// empty.
		zeroChains(integer("chains"), chain)
	}
	round("first", true)
	Label("more")
	begin()
	round("next", false)
	JMP(LabelRef("more"))
	Label("sum")
}

// sumChains adds the chains of that many rows up, and stores the first lanes of each
// to c, which may be where the chains are.
func (t isa) sumChains(c, sums Mem, rows, lanes int) {
	z := t.reg()
	zero(z)
	n := GP64()
	const unroll = 4 // rows of weights
	MOVQ(U32(rows/unroll), n)
	loop("products", n, func() {
		for u := range unroll * lanes / t.lanes {
			at := u/(lanes/t.lanes)*64 + u%(lanes/t.lanes)*t.size()
			add := func(a, b int) vector {
				v := t.reg()
				VMOVUPS(sums.Offset(a*chainBytes+at), v)
				VADDPS(sums.Offset(b*chainBytes+at), v, v)
				return v
			}
			s0, s2, s1, s3 := add(0, 4), add(2, 6), add(1, 5), add(3, 7)
			VADDPS(s2, s0, s0)
			VADDPS(s3, s1, s1)
			VADDPS(s1, s0, s0)
			VADDPS(z, s0, s0)
			VMOVUPS(s0, c.Offset(at))
		}
		ADDQ(U32(unroll*64), c.Base)
		ADDQ(U32(unroll*64), sums.Base)
	})
}
