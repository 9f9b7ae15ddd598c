//go:build !purego

#include "go_asm.h"
#include "textflag.h"
#include "neon_arm64.h"
#include "quants_arm64.h"
#include "fields_arm64.h"
#include "gemv_arm64.h"

DATA ·levelsIQ4+0(SB)/8, $0xf6eaddcfbfad9881
DATA ·levelsIQ4+8(SB)/8, $0x7159453526190d01
GLOBL ·levelsIQ4(SB), RODATA|NOPTR, $16

DATA ·levelsE2M1+0(SB)/8, $0x0c08060403020100
DATA ·levelsE2M1+8(SB)/8, $0xf4f8fafcfdfeff00
GLOBL ·levelsE2M1(SB), RODATA|NOPTR, $16

DATA ·byteOfFour+0(SB)/8, $0x0101010100000000
DATA ·byteOfFour+8(SB)/8, $0x0303030302020202
DATA ·byteOfFour+16(SB)/8, $0x0505050504040404
DATA ·byteOfFour+24(SB)/8, $0x0707070706060606
GLOBL ·byteOfFour(SB), RODATA|NOPTR, $32

#define GROUPS_8_IQ4_NL(DOT) BLOCKS(LEVELS, DOT) \
	ADD_32

// GROUP multiplies group i of 32.
#define GROUP(QUANTS, DOT, i) \
	QUANTS \
	DOT_32(DOT, 10+i)

#define GROUPS_4(QUANTS, DOT, i) \
	GROUP(QUANTS, DOT, i) \
	GROUP(QUANTS, DOT, (i+1)) \
	GROUP(QUANTS, DOT, (i+2)) \
	GROUP(QUANTS, DOT, (i+3))

#define GROUPS_8_IQ4_XS(DOT) \
	SCALES_IQ4_XS \
	GROUPS_4(LEVELS, DOT, 0) \
	GROUPS_4(LEVELS, DOT, 4) \
	SUM_WORDS \
	ADD_32

// BLOCK_E8M0 multiplies block i, which begins with its scale.
#define BLOCK_E8M0(DOT, i) \
	VLD1.P 1(R4), V20.B[i] \
	GROUP(LEVELS, DOT, i)

#define GROUPS_8_MXFP4(DOT) \
	BLOCK_E8M0(DOT, 0) \
	BLOCK_E8M0(DOT, 1) \
	BLOCK_E8M0(DOT, 2) \
	BLOCK_E8M0(DOT, 3) \
	BLOCK_E8M0(DOT, 4) \
	BLOCK_E8M0(DOT, 5) \
	BLOCK_E8M0(DOT, 6) \
	BLOCK_E8M0(DOT, 7) \
	SUM_WORDS \
	VUXTL  V20.B8, V20.H8 \
	VUXTL2 V20.H8, V21.S4 \
	VUXTL  V20.H4, V20.S4 \
	EXPONENTS(V20, 20) \
	EXPONENTS(V21, 21) \
	ADD_32

// ONE_SCALE adds the dots of a block of 256 with one scale, at R4.
#define ONE_SCALE \
	VLD1.P 2(R4), V29.H[0] \
	FCVTL_4S(29, 29) \
	DUP_LANE_4S(20, 29, 0) \
	DUP_LANE_4S(21, 29, 0) \
	ADD_32

#define GROUPS_8_TQ2_0(DOT) \
	VLD1.P 32(R4), [V4.B16, V5.B16] \
	GROUPS_4(PAIRS, DOT, 0) \
	VLD1.P 32(R4), [V4.B16, V5.B16] \
	GROUPS_4(PAIRS, DOT, 4) \
	SUM_WORDS \
	ZERO_POINT(0, Q8x8_Sum) \
	ONE_SCALE

#define TERNARY_NEON(i) DOT_32(DOT_NEON, 10+i)

#define TERNARY_DOTPROD(i) DOT_32(DOT_DOTPROD, 10+i)

#define GROUPS_8_TQ1_0(GROUP) \
	TERNARY_256(GROUP) \
	SUM_WORDS \
	ONE_SCALE

// SCALES_OF_BLOCKS converts the scales of eight groups in V20.
#define SCALES_OF_BLOCKS \
	FCVTL2_4S(21, 20) \
	FCVTL_4S(20, 20) \
	ADD_32

// BLOCK_64 multiplies the block of groups i and j, which begins with their scale.
#define BLOCK_64(QUANTS, DOT, i, j) \
	VLD1   (R4), V20.H[i] \
	VLD1.P 2(R4), V20.H[j] \
	GROUP(QUANTS, DOT, i) \
	GROUP(QUANTS, DOT, j)

#define GROUPS_8_Q2_0(DOT) \
	BLOCK_64(FOURS, DOT, 0, 1) \
	BLOCK_64(FOURS, DOT, 2, 3) \
	BLOCK_64(FOURS, DOT, 4, 5) \
	BLOCK_64(FOURS, DOT, 6, 7) \
	SUM_WORDS \
	ZERO_POINT(0, Q8x8_Sum) \
	SCALES_OF_BLOCKS

// BLOCK_128 multiplies the block of the groups i to l.
#define BLOCK_128(QUANTS, DOT, i, j, k, l) \
	VLD1   (R4), V20.H[i] \
	VLD1   (R4), V20.H[j] \
	VLD1   (R4), V20.H[k] \
	VLD1.P 2(R4), V20.H[l] \
	GROUPS_4(QUANTS, DOT, i)

#define GROUPS_8_Q1_0(DOT) \
	BLOCK_128(SIGNS, DOT, 0, 1, 2, 3) \
	BLOCK_128(SIGNS, DOT, 4, 5, 6, 7) \
	SUM_WORDS \
	SCALES_OF_BLOCKS

// TWO_16 multiplies group i of 32 as two of 16.
#define TWO_16(QUANTS, DOT, i) \
	QUANTS \
	VLD1.P 32(R5), [V2.B16, V3.B16] \
	ZERO(10+i) \
	ZERO(14+i) \
	DOT(10+i, 0, 2) \
	DOT(14+i, 1, 3)

// HALF_16 multiplies eight groups of 16: those of 32 bytes of pairs.
#define HALF_16(QUANTS, DOT) \
	VLD1.P 32(R4), [V4.B16, V5.B16] \
	TWO_16(QUANTS, DOT, 0) \
	TWO_16(QUANTS, DOT, 1) \
	TWO_16(QUANTS, DOT, 2) \
	TWO_16(QUANTS, DOT, 3) \
	SUM_WORDS

// SCALES_16 makes floats of eight bytes of n, those with an even number in a, the
// others in b, times lane i of V29.
#define SCALES_16(SXTL, n, a, na, b, nb, i) \
	SXTL(na, n) \
	VUZP2 a.H8, a.H8, b.H8 \
	VUZP1 a.H8, a.H8, a.H8 \
	SXTL_4S(na, na) \
	SXTL_4S(nb, nb) \
	SCVTF_4S(na, na) \
	SCVTF_4S(nb, nb) \
	FMUL_LANE_4S(na, na, 29, i) \
	FMUL_LANE_4S(nb, nb, 29, i)

// ADD_16 adds the dots of half h.
#define ADD_16(h) \
	FMOVQ (Q8x8_Scale+16*h)(R6), F2 \
	VORR  V2.B16, V2.B16, V3.B16 \
	ADD_DOTS

#define HALF_Q2_K(DOT, SXTL, h) \
	HALF_16(PAIRS, DOT) \
	SCALES_16(SXTL, 8, V20, 20, V21, 21, 0) \
	SCALES_16(SXTL, 9, V22, 22, V28, 28, 1) \
	ADD_16(h) \
	FMOVQ (Q8x8_Scale+16*h)(R6), F4 \
	LOAD_8(Q8x8_HalfSum+32*h) \
	SCVTF_4S(2, 2) \
	SCVTF_4S(3, 3) \
	FMUL_4S(2, 2, 4) \
	FMUL_4S(3, 3, 4) \
	VFMLS V22.S4, V2.S4, V30.S4 \
	VFMLS V28.S4, V3.S4, V31.S4

#define GROUPS_8_Q2_K(DOT) \
	SCALES_Q2_K \
	HALF_Q2_K(DOT, SXTL_8H, 0) \
	HALF_Q2_K(DOT, SXTL2_8H, 1) \
	ADD $4, R4

#define HALF_Q3_K(DOT, SXTL, h) \
	HALF_16(TRIPLES, DOT) \
	ZERO_POINT(2, Q8x8_HalfSum+32*h) \
	SCALES_16(SXTL, 8, V20, 20, V21, 21, 0) \
	ADD_16(h)

#define GROUPS_8_Q3_K(DOT) \
	SCALES_Q3_K \
	VLD1.P 32(R4), [V6.B16, V7.B16] \
	HALF_Q3_K(DOT, SXTL_8H, 0) \
	HALF_Q3_K(DOT, SXTL2_8H, 1) \
	ADD $14, R4

#define HALF_NVFP4(DOT, h) \
	VLD1.P 4(R4), V8.S[0] \
	TWO_16(LEVELS_16, DOT, 0) \
	TWO_16(LEVELS_16, DOT, 1) \
	VLD1.P 4(R4), V8.S[1] \
	TWO_16(LEVELS_16, DOT, 2) \
	TWO_16(LEVELS_16, DOT, 3) \
	SUM_WORDS \
	UE4M3 \
	VUZP2 V20.H8, V20.H8, V21.H8 \
	VUZP1 V20.H8, V20.H8, V20.H8 \
	FCVTL_4S(20, 20) \
	FCVTL_4S(21, 21) \
	FMUL_4S(20, 20, 23) \
	FMUL_4S(21, 21, 23) \
	ADD_16(h)

#define GROUPS_8_NVFP4(DOT) \
	HALF_NVFP4(DOT, 0) \
	HALF_NVFP4(DOT, 1)

// func gemvQ2_KNEON(dst *float32, w *byte, stride, rows, groups int, a *byte)
TEXT ·gemvQ2_KNEON(SB), NOSPLIT, $0-48
	Q2_K_CONSTANTS
	GEMV(84, GROUPS_8_Q2_K(DOT_NEON))
	RET

// func gemvQ2_KDotProd(dst *float32, w *byte, stride, rows, groups int, a *byte)
TEXT ·gemvQ2_KDotProd(SB), NOSPLIT, $0-48
	Q2_K_CONSTANTS
	GEMV(84, GROUPS_8_Q2_K(DOT_DOTPROD))
	RET

// func gemvQ3_KNEON(dst *float32, w *byte, stride, rows, groups int, a *byte)
TEXT ·gemvQ3_KNEON(SB), NOSPLIT, $0-48
	Q3_K_CONSTANTS
	GEMV(110, GROUPS_8_Q3_K(DOT_NEON))
	RET

// func gemvQ3_KDotProd(dst *float32, w *byte, stride, rows, groups int, a *byte)
TEXT ·gemvQ3_KDotProd(SB), NOSPLIT, $0-48
	Q3_K_CONSTANTS
	GEMV(110, GROUPS_8_Q3_K(DOT_DOTPROD))
	RET

// func gemvIQ4_NLNEON(dst *float32, w *byte, stride, rows, groups int, a *byte)
TEXT ·gemvIQ4_NLNEON(SB), NOSPLIT, $0-48
	LEVEL_CONSTANTS($·levelsIQ4(SB))
	GEMV(18, GROUPS_8_IQ4_NL(DOT_NEON))
	RET

// func gemvIQ4_NLDotProd(dst *float32, w *byte, stride, rows, groups int, a *byte)
TEXT ·gemvIQ4_NLDotProd(SB), NOSPLIT, $0-48
	LEVEL_CONSTANTS($·levelsIQ4(SB))
	GEMV(18, GROUPS_8_IQ4_NL(DOT_DOTPROD))
	RET

// func gemvIQ4_XSNEON(dst *float32, w *byte, stride, rows, groups int, a *byte)
TEXT ·gemvIQ4_XSNEON(SB), NOSPLIT, $0-48
	IQ4_XS_CONSTANTS
	GEMV(136, GROUPS_8_IQ4_XS(DOT_NEON))
	RET

// func gemvIQ4_XSDotProd(dst *float32, w *byte, stride, rows, groups int, a *byte)
TEXT ·gemvIQ4_XSDotProd(SB), NOSPLIT, $0-48
	IQ4_XS_CONSTANTS
	GEMV(136, GROUPS_8_IQ4_XS(DOT_DOTPROD))
	RET

// func gemvMXFP4NEON(dst *float32, w *byte, stride, rows, groups int, a *byte)
TEXT ·gemvMXFP4NEON(SB), NOSPLIT, $0-48
	MXFP4_CONSTANTS
	GEMV(17, GROUPS_8_MXFP4(DOT_NEON))
	RET

// func gemvMXFP4DotProd(dst *float32, w *byte, stride, rows, groups int, a *byte)
TEXT ·gemvMXFP4DotProd(SB), NOSPLIT, $0-48
	MXFP4_CONSTANTS
	GEMV(17, GROUPS_8_MXFP4(DOT_DOTPROD))
	RET

// func gemvNVFP4NEON(dst *float32, w *byte, stride, rows, groups int, a *byte)
TEXT ·gemvNVFP4NEON(SB), NOSPLIT, $0-48
	NVFP4_CONSTANTS
	GEMV_BLOCKS(36, 1, GROUPS_8_NVFP4(DOT_NEON))
	RET

// func gemvNVFP4DotProd(dst *float32, w *byte, stride, rows, groups int, a *byte)
TEXT ·gemvNVFP4DotProd(SB), NOSPLIT, $0-48
	NVFP4_CONSTANTS
	GEMV_BLOCKS(36, 1, GROUPS_8_NVFP4(DOT_DOTPROD))
	RET

// func gemvTQ1_0NEON(dst *float32, w *byte, stride, rows, groups int, a *byte)
TEXT ·gemvTQ1_0NEON(SB), NOSPLIT, $0-48
	TERNARY_CONSTANTS
	GEMV(54, GROUPS_8_TQ1_0(TERNARY_NEON))
	RET

// func gemvTQ1_0DotProd(dst *float32, w *byte, stride, rows, groups int, a *byte)
TEXT ·gemvTQ1_0DotProd(SB), NOSPLIT, $0-48
	TERNARY_CONSTANTS
	GEMV(54, GROUPS_8_TQ1_0(TERNARY_DOTPROD))
	RET

// func gemvTQ2_0NEON(dst *float32, w *byte, stride, rows, groups int, a *byte)
TEXT ·gemvTQ2_0NEON(SB), NOSPLIT, $0-48
	VMOVI $3, V27.B16
	GEMV(66, GROUPS_8_TQ2_0(DOT_NEON))
	RET

// func gemvTQ2_0DotProd(dst *float32, w *byte, stride, rows, groups int, a *byte)
TEXT ·gemvTQ2_0DotProd(SB), NOSPLIT, $0-48
	VMOVI $3, V27.B16
	GEMV(66, GROUPS_8_TQ2_0(DOT_DOTPROD))
	RET

// func gemvQ1_0NEON(dst *float32, w *byte, stride, rows, groups int, a *byte)
TEXT ·gemvQ1_0NEON(SB), NOSPLIT, $0-48
	HIGH_BIT_CONSTANTS
	GEMV_BLOCKS(18, 2, GROUPS_8_Q1_0(DOT_NEON))
	RET

// func gemvQ1_0DotProd(dst *float32, w *byte, stride, rows, groups int, a *byte)
TEXT ·gemvQ1_0DotProd(SB), NOSPLIT, $0-48
	HIGH_BIT_CONSTANTS
	GEMV_BLOCKS(18, 2, GROUPS_8_Q1_0(DOT_DOTPROD))
	RET

// func gemvQ2_0NEON(dst *float32, w *byte, stride, rows, groups int, a *byte)
TEXT ·gemvQ2_0NEON(SB), NOSPLIT, $0-48
	FOUR_CONSTANTS
	GEMV_BLOCKS(18, 1, GROUPS_8_Q2_0(DOT_NEON))
	RET

// func gemvQ2_0DotProd(dst *float32, w *byte, stride, rows, groups int, a *byte)
TEXT ·gemvQ2_0DotProd(SB), NOSPLIT, $0-48
	FOUR_CONSTANTS
	GEMV_BLOCKS(18, 1, GROUPS_8_Q2_0(DOT_DOTPROD))
	RET
