package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// storedRows is how many rows of activations gemmStored takes.
const storedRows = 8

// gemmStored multiplies 16 stored rows of Q8_0 with eight rows of activations. Lanes
// are rows of weights: they are read once, and turned so that four of their columns
// meet four of an activation row that is repeated. Nothing is unpacked to memory.
func gemmStored() {
	TEXT("gemmStoredQ8_0AVX512", NOSPLIT, "func(w *byte, stride int, aq *uint32, ascale *float32, columns int, chains *float32, ahead *byte, step int)")
	Doc("gemmStoredQ8_0AVX512 multiplies 16 stored rows with eight of activations, whole groups of 32, at",
		"least one. chains[16*n+r] becomes the product of row r of weights and row n of activations.")
	Pragma("noescape")
	ahead := pointer("ahead")
	w := loadWeightRows()
	aq, ascale := pointer("aq"), pointer("ascale")
	end := integer("columns")
	ADDQ(end, end) // 64 bytes for 32 columns
	i, chain := GP64(), GP64()
	XORQ(i, i)
	bias := avx512.repeat(0x80808080)
	block := func(name string, first bool) {
		const header, bytes = 2, 34
		for line := range bytes*panelRows/64 + 1 {
			PREFETCHT1(ahead.Offset(64 * line))
		}
		ADDQ(param("step"), ahead.Base)
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
		above, dot := avx512.reg(), avx512.regs(storedRows)
		zero(above, dot[0])
		for _, c := range columns {
			VPDPBUSD(c, bias, above)
		}
		VPSUBD(above, dot[0], dot[0])
		for _, d := range dot[1:] {
			VMOVDQA32(dot[0], d)
		}
		for k, c := range columns {
			for n, d := range dot {
				a := avx512.reg()
				VPBROADCASTD(Mem{Base: aq.Base, Index: i, Scale: 8, Disp: 64*k + 4*n}, a)
				VPDPBUSD(c, a, d)
			}
		}
		for n, d := range dot {
			s, acc := avx512.reg(), Mem{Base: chain, Disp: 64 * n}
			VMULPS_BCST(Mem{Base: ascale.Base, Index: i, Scale: 1, Disp: 4 * n}, scale, s)
			VCVTDQ2PS(d, d)
			if first {
				VMULPS(s, d, d)
			} else {
				VFMADD213PS(acc, s, d)
			}
			VMOVUPS(d, acc)
		}
		w.advance(bytes)
		ADDQ(U8(64), i)
	}
	avx512.rounds(32, i, end, chain, block)
	avx512.sumChains(pointer("chains"), pointer("chains"), storedRows, panelRows)
	VZEROUPPER()
	RET()
}
