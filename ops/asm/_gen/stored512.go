package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// gemmStored multiplies 16 stored rows of Q8_0 with rows of activations, four at a time.
// Lanes are rows of weights: they are read once, and turned so that four of their
// columns meet four of an activation row that is repeated. Nothing is unpacked to
// memory, and no lane is idle.
func gemmStored() {
	TEXT("gemmStoredQ8_0AVX512", NOSPLIT, "func(w *byte, stride int, aq *uint32, ascale *float32, columns, chain int, chains *float32, ahead *byte, step int)")
	Doc("gemmStoredQ8_0AVX512 multiplies 16 stored rows with rows of activations in panels, whole groups of",
		"32, at least one. A chain has that many bytes: 256 for four rows, at least these. chains[16*n+r] becomes",
		"the product of row r of weights and row n of activations.")
	Pragma("noescape")
	w := loadWeightRows()
	end := integer("columns")
	ADDQ(end, end) // 64 bytes for 32 columns
	i, chain, t := GP64(), GP64(), GP64()
	XORQ(i, i)
	bias := avx512.repeat(0x80808080)
	size := param("chain")
	block := func(name string, first bool) {
		const header, bytes, quad = 2, 34, 4
		MOVQ(param("ahead"), t)
		for line := range bytes*panelRows/64 + 1 {
			PREFETCHT1(Mem{Base: t, Disp: 64 * line})
		}
		ADDQ(param("step"), t)
		MOVQ(t, param("ahead"))
		var columns []vector // four of all rows
		for half := range 2 {
			quads := avx512.regs(4) // 16 columns of rows r, 4+r, 8+r and 12+r
			for r, q := range quads {
				VBROADCASTI32X4(w.at(r, header+16*half), q)
				for l := 1; l < 4; l++ {
					VINSERTI32X4(U8(l), w.at(4*l+r, header+16*half), q, q)
				}
			}
			t := avx512.regs(4)
			VPUNPCKLDQ(quads[1], quads[0], t[0])
			VPUNPCKHDQ(quads[1], quads[0], t[1])
			VPUNPCKLDQ(quads[3], quads[2], t[2])
			VPUNPCKHDQ(quads[3], quads[2], t[3])
			for k := range 2 {
				lo, hi := avx512.reg(), avx512.reg()
				VPUNPCKLQDQ(t[2+k], t[k], lo)
				VPUNPCKHQDQ(t[2+k], t[k], hi)
				columns = append(columns, lo, hi)
			}
		}
		scale := gatherHalves(w, 0)
		// The quants of activations are 128 above their value.
		above, none := avx512.reg(), avx512.reg()
		zero(above, none)
		for _, c := range columns {
			VPDPBUSD(c, bias, above)
		}
		VPSUBD(above, none, none)
		aq, ascale, to := GP64(), GP64(), GP64()
		MOVQ(param("aq"), aq)
		LEAQ(Mem{Base: aq, Index: i, Scale: 8}, aq)
		MOVQ(param("ascale"), ascale)
		ADDQ(i, ascale)
		MOVQ(chain, to)
		rows := name + "rows"
		Label(rows)
		dot := avx512.regs(quad)
		for _, d := range dot {
			VMOVDQA32(none, d)
		}
		for k, c := range columns {
			for n, d := range dot {
				a := avx512.reg()
				VPBROADCASTD(Mem{Base: aq, Disp: 64*k + 4*n}, a)
				VPDPBUSD(c, a, d)
			}
		}
		for n, d := range dot {
			s, acc := avx512.reg(), Mem{Base: to, Disp: 64 * n}
			VMULPS_BCST(Mem{Base: ascale, Disp: 4 * n}, scale, s)
			VCVTDQ2PS(d, d)
			if first {
				VMULPS(s, d, d)
			} else {
				VFMADD213PS(acc, s, d)
			}
			VMOVUPS(d, acc)
		}
		ADDQ(U8(4*quad), aq)
		ADDQ(U8(4*quad), ascale)
		ADDQ(U32(64*quad), to)
		MOVQ(to, t)
		SUBQ(chain, t)
		CMPQ(t, size)
		JE(LabelRef(name + "done"))
		TESTQ(U32(64*panelRows-1), t)
		JNZ(LabelRef(rows))
		LEAQ(Mem{Base: aq, Index: end, Scale: 8, Disp: -4 * panelRows}, aq) // the next panel
		LEAQ(Mem{Base: ascale, Index: end, Scale: 1, Disp: -4 * panelRows}, ascale)
		JMP(LabelRef(rows))
		Label(name + "done")
		w.advance(bytes)
		ADDQ(U8(64), i)
	}
	avx512.rounds(32, size, i, end, chain, block)
	z, n := avx512.reg(), GP64()
	zero(z)
	MOVQ(size, n)
	SHRQ(U8(6), n)
	s0 := pointer("chains")
	s4, one, three := Mem{Base: GP64()}, GP64(), GP64()
	MOVQ(size, one)
	LEAQ(Mem{Base: one, Index: one, Scale: 2}, three)
	LEAQ(Mem{Base: s0.Base, Index: one, Scale: 4}, s4.Base)
	loop("products", n, func() {
		add := func(m Mem) vector { // chains m and 4+m
			v := avx512.reg()
			VMOVUPS(m, v)
			m.Base = s4.Base
			VADDPS(m, v, v)
			return v
		}
		c0, c1 := add(s0), add(s0.Idx(one, 1))
		c2, c3 := add(s0.Idx(one, 2)), add(s0.Idx(three, 1))
		VADDPS(c2, c0, c0)
		VADDPS(c3, c1, c1)
		VADDPS(c1, c0, c0)
		VADDPS(z, c0, c0)
		VMOVUPS(c0, s0)
		ADDQ(U8(64), s0.Base)
		ADDQ(U8(64), s4.Base)
	})
	VZEROUPPER()
	RET()
}
