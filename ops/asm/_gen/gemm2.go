package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// gemm2 multiplies a panel with a tile, four rows of weights at a time, in two
// vectors of activation rows each. A product of signed codes is that of the
// magnitude of the weight with the activation that has taken over its sign:
// the sums of two fit in 16 bits. The chains are in memory, as in gemm512.
func gemm2(name string, group int, low bool) {
	TEXT(name, NOSPLIT, "func(q *int8, scale, low *float32, tq *uint32, tscale, tlow *float32, groups int, chain *float32)")
	Doc(name + " adds so many groups of 32 columns, at least one, to as many chains, one after the other.")
	Pragma("noescape")
	const rows, vecs = 4, 2
	q, scale, lows := pointer("q"), pointer("scale"), pointer("low")
	tq, tscale, tlow := pointer("tq"), pointer("tscale"), pointer("tlow")
	groups, chain := integer("groups"), pointer("chain")
	ones, start := YMM(), YMM()
	VPBROADCASTD(table(0x00010001), ones)
	quarter := GP64()
	loop("group", groups, func() {
		for sub := range 32 / group {
			MOVQ(U32(panelRows/rows), quarter)
			label := []string{"rows", "rows16"}[sub]
			loop(label, quarter, func() {
				var dot [rows][vecs]vector
				for r := range dot {
					for v := range dot[r] {
						dot[r][v] = YMM()
						VPXOR(dot[r][v], dot[r][v], dot[r][v])
					}
				}
				for k := range group / 4 {
					for r := range dot {
						w, size := YMM(), YMM()
						VPBROADCASTD(q.Offset(r*group+4*k), w)
						VPABSB(w, size)
						for v := range dot[r] {
							t := YMM()
							VMOVDQU(tq.Offset((sub*group/4+k)*64+32*v), t)
							VPSIGNB(w, t, t)
							VPMADDUBSW(t, size, t)
							VPMADDWD(ones, t, t)
							VPADDD(t, dot[r][v], dot[r][v])
						}
					}
				}
				for r := range dot {
					s := YMM()
					for v, d := range dot[r] {
						at := chain.Offset(sub*chains/2*chainBytes + 64*r + 32*v)
						VBROADCASTSS(scale.Offset(4*r), s)
						VMULPS(tscale.Offset(32*v), s, s)
						VCVTDQ2PS(d, d)
						VMOVUPS(at, start)
						VFMADD213PS(start, s, d)
						if low {
							VBROADCASTSS(lows.Offset(4*r), s)
							VFMADD231PS(tlow.Offset(32*v), s, d)
						}
						VMOVUPS(d, at)
					}
				}
				ADDQ(U32(rows*group), q.Base)
				ADDQ(U8(4*rows), scale.Base)
				if low {
					ADDQ(U8(4*rows), lows.Base)
				}
				ADDQ(U32(64*rows), chain.Base)
			})
			if sub == 0 && group == 16 {
				SUBQ(U32(chainBytes), chain.Base)
			}
		}
		ADDQ(U32(512), tq.Base)
		ADDQ(U32(64), tscale.Base)
		if low {
			ADDQ(U32(64), tlow.Base)
		}
	})
	VZEROUPPER()
	RET()
}

// sumChains2 adds the chains up.
func sumChains2() {
	TEXT("sumChainsAVX2", NOSPLIT, "func(c, chains *float32)")
	Doc("sumChainsAVX2 is sumChains for all products of a panel and a tile.")
	Pragma("noescape")
	c, sums, z := pointer("c"), pointer("chains"), YMM()
	VXORPS(z, z, z)
	left := GP64()
	MOVQ(U32(chainBytes/32), left)
	loop("products", left, func() {
		add := func(a, b int) vector {
			v := YMM()
			VMOVUPS(sums.Offset(a*chainBytes), v)
			VADDPS(sums.Offset(b*chainBytes), v, v)
			return v
		}
		s0, s2, s1, s3 := add(0, 4), add(2, 6), add(1, 5), add(3, 7)
		VADDPS(s2, s0, s0)
		VADDPS(s3, s1, s1)
		VADDPS(s1, s0, s0)
		VADDPS(z, s0, s0)
		VMOVUPS(s0, c)
		ADDQ(U8(32), c.Base)
		ADDQ(U8(32), sums.Base)
	})
	VZEROUPPER()
	RET()
}
