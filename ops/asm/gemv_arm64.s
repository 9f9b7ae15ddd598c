//go:build !purego

#include "go_asm.h"
#include "textflag.h"
#include "neon_arm64.h"
#include "quants_arm64.h"
#include "gemv_arm64.h"
#include "grids_arm64.h"

DATA ·byteOfCode+0(SB)/8, $0x0000000000000000
DATA ·byteOfCode+8(SB)/8, $0x0101010101010101
DATA ·byteOfCode+16(SB)/8, $0x0202020202020202
DATA ·byteOfCode+24(SB)/8, $0x0303030303030303
GLOBL ·byteOfCode(SB), RODATA|NOPTR, $32

#define BYTES \
	VLD1.P 32(R4), [V0.B16, V1.B16]

#define GROUPS_8_Q8_0(DOT) BLOCKS(BYTES, DOT) \
	ADD_32

#define GROUPS_8_Q4_0(DOT) BLOCKS(NIBBLES, DOT) \
	ZERO_POINT(3, Q8x8_Sum) \
	ADD_32

#define GROUPS_8_Q5_0(DOT) BLOCKS(NIBBLES_AND_HIGH_BITS, DOT) \
	ZERO_POINT(4, Q8x8_Sum) \
	ADD_32

// SUPER_64 multiplies two groups of 32 of a block of 256.
#define SUPER_64(QUANTS, DOT, d) \
	QUANTS \
	VLD1.P 64(R5), [V2.B16, V3.B16, V4.B16, V5.B16] \
	ZERO(d) \
	ZERO(d+1) \
	DOT(d, 0, 2) \
	DOT(d+1, 6, 4) \
	DOT(d, 1, 3) \
	DOT(d+1, 7, 5)

#define SUPER_256(QUANTS, DOT) \
	SUPER_64(QUANTS, DOT, 10) \
	SUPER_64(QUANTS, DOT, 12) \
	SUPER_64(QUANTS, DOT, 14) \
	SUPER_64(QUANTS, DOT, 16) \
	SUM_WORDS \
	ADD_32 \
	LOAD_8(Q8x8_ScaledSum) \
	VFMLS V22.S4, V2.S4, V30.S4 \
	VFMLS V28.S4, V3.S4, V31.S4

#define GROUPS_8_Q4_K(DOT) SUPER_SCALES \
	SUPER_256(SUPER_NIBBLES, DOT)

#define GROUPS_8_Q5_K(DOT) SUPER_SCALES \
	VLD1.P 32(R4), [V8.B16, V9.B16] \
	SUPER_256(SUPER_HIGH_BITS, DOT)

// SIX_64 multiplies four groups of 16, two to the dots d and d+1, two to d+4
// and d+5.
#define SIX_64(DOT, d) \
	SIXES \
	VLD1.P 64(R5), [V6.B16, V7.B16, V8.B16, V9.B16] \
	ZERO(d) \
	ZERO(d+1) \
	ZERO(d+4) \
	ZERO(d+5) \
	DOT(d, 0, 6) \
	DOT(d+4, 1, 7) \
	DOT(d+1, 2, 8) \
	DOT(d+5, 3, 9)

// SIX_128 multiplies half h of a block: low bits at R4, high bits at R19, scales at
// R20, the scale of scales in V29.
#define SIX_128(DOT, h) \
	VLD1   (R4), [V0.B16, V1.B16, V2.B16, V3.B16] \
	VLD1.P 32(R19), [V4.B16, V5.B16] \
	SIX_64(DOT, 10) \
	VLD1.P 64(R4), [V0.B16, V1.B16, V2.B16, V3.B16] \
	VUSHR  $4, V0.B16, V0.B16 \
	VUSHR  $4, V1.B16, V1.B16 \
	VUSHR  $4, V2.B16, V2.B16 \
	VUSHR  $4, V3.B16, V3.B16 \
	SIX_64(DOT, 12) \
	SUM_WORDS \
	ZERO_POINT(5, Q8x8_HalfSum+32*h) \
	FMOVD.P 8(R20), F20 \
	SXTL_8H(20, 20) \
	VUZP2  V20.H8, V20.H8, V21.H8 \
	VUZP1  V20.H8, V20.H8, V20.H8 \
	SXTL_4S(20, 20) \
	SXTL_4S(21, 21) \
	SCVTF_4S(20, 20) \
	SCVTF_4S(21, 21) \
	FMUL_LANE_4S(20, 20, 29, 0) \
	FMUL_LANE_4S(21, 21, 29, 0) \
	FMOVQ  (Q8x8_Scale+16*h)(R6), F2 \
	VORR   V2.B16, V2.B16, V3.B16 \
	ADD_DOTS

#define GROUPS_8_Q6_K(DOT) \
	ADD    $128, R4, R19 \
	ADD    $192, R4, R20 \
	ADD    $208, R4, R21 \
	VLD1   (R21), V29.H[0] \
	FCVTL_4S(29, 29) \
	SIX_128(DOT, 0) \
	SIX_128(DOT, 1) \
	ADD    $2, R21, R4

// GRID_32 multiplies group i of 32 of a type with a codebook, whose scale goes to lane
// j of v.
#define GRID_32(GRID, DOT, i, v, j) \
	GRID(i) \
	VMOV R24, v.S[j] \
	DOT_32(DOT, 10+i)

#define GRIDS_32(SCALE, GRID, DOT, bytes) \
	SCALE \
	GRID_32(GRID, DOT, 0, V20, 0) \
	GRID_32(GRID, DOT, 1, V20, 1) \
	GRID_32(GRID, DOT, 2, V20, 2) \
	GRID_32(GRID, DOT, 3, V20, 3) \
	GRID_32(GRID, DOT, 4, V21, 0) \
	GRID_32(GRID, DOT, 5, V21, 1) \
	GRID_32(GRID, DOT, 6, V21, 2) \
	GRID_32(GRID, DOT, 7, V21, 3) \
	SUM_WORDS \
	SCVTF_4S(20, 20) \
	SCVTF_4S(21, 21) \
	FMUL_LANE_4S(20, 20, 29, 0) \
	FMUL_LANE_4S(21, 21, 29, 0) \
	ADD_32 \
	ADD  $bytes, R4

// GRID_16 multiplies group 4*h+i of 32, in two groups of 16.
#define GRID_16(GRID, DOT, h, i) \
	GRID((4*h+i)) \
	VMOV R24, V20.S[i] \
	VMOV R25, V21.S[i] \
	VLD1.P 32(R5), [V2.B16, V3.B16] \
	ZERO(10+i) \
	ZERO(14+i) \
	DOT(10+i, 0, 2) \
	DOT(14+i, 1, 3)

#define GRIDS_4x16(GRID, DOT, h) \
	GRID_16(GRID, DOT, h, 0) \
	GRID_16(GRID, DOT, h, 1) \
	GRID_16(GRID, DOT, h, 2) \
	GRID_16(GRID, DOT, h, 3) \
	SUM_WORDS \
	SCVTF_4S(20, 20) \
	SCVTF_4S(21, 21) \
	FMUL_LANE_4S(20, 20, 29, 0) \
	FMUL_LANE_4S(21, 21, 29, 0) \
	FMOVQ (Q8x8_Scale+16*h)(R6), F2 \
	VORR  V2.B16, V2.B16, V3.B16 \
	ADD_DOTS

#define GRIDS_16(SCALE, GRID, DOT, bytes) \
	SCALE \
	GRIDS_4x16(GRID, DOT, 0) \
	GRIDS_4x16(GRID, DOT, 1) \
	ADD $bytes, R4

// func gemvQ8_0NEON(dst *float32, w *byte, stride, rows, groups int, a *byte)
TEXT ·gemvQ8_0NEON(SB), NOSPLIT, $0-48
	GEMV(34, GROUPS_8_Q8_0(DOT_NEON))
	RET

// func gemvQ8_0DotProd(dst *float32, w *byte, stride, rows, groups int, a *byte)
TEXT ·gemvQ8_0DotProd(SB), NOSPLIT, $0-48
	GEMV(34, GROUPS_8_Q8_0(DOT_DOTPROD))
	RET

// func gemvQ4_0NEON(dst *float32, w *byte, stride, rows, groups int, a *byte)
TEXT ·gemvQ4_0NEON(SB), NOSPLIT, $0-48
	NIBBLE_CONSTANTS
	GEMV(18, GROUPS_8_Q4_0(DOT_NEON))
	RET

// func gemvQ4_0DotProd(dst *float32, w *byte, stride, rows, groups int, a *byte)
TEXT ·gemvQ4_0DotProd(SB), NOSPLIT, $0-48
	NIBBLE_CONSTANTS
	GEMV(18, GROUPS_8_Q4_0(DOT_DOTPROD))
	RET

// func gemvQ4_1NEON(dst *float32, w *byte, stride, rows, groups int, a *byte)
TEXT ·gemvQ4_1NEON(SB), NOSPLIT, $0-48
	NIBBLE_CONSTANTS
	GEMV(20, MIN_BLOCKS(NIBBLES, DOT_NEON))
	RET

// func gemvQ4_1DotProd(dst *float32, w *byte, stride, rows, groups int, a *byte)
TEXT ·gemvQ4_1DotProd(SB), NOSPLIT, $0-48
	NIBBLE_CONSTANTS
	GEMV(20, MIN_BLOCKS(NIBBLES, DOT_DOTPROD))
	RET

// func gemvQ5_0NEON(dst *float32, w *byte, stride, rows, groups int, a *byte)
TEXT ·gemvQ5_0NEON(SB), NOSPLIT, $0-48
	HIGH_BIT_CONSTANTS
	GEMV(22, GROUPS_8_Q5_0(DOT_NEON))
	RET

// func gemvQ5_0DotProd(dst *float32, w *byte, stride, rows, groups int, a *byte)
TEXT ·gemvQ5_0DotProd(SB), NOSPLIT, $0-48
	HIGH_BIT_CONSTANTS
	GEMV(22, GROUPS_8_Q5_0(DOT_DOTPROD))
	RET

// func gemvQ5_1NEON(dst *float32, w *byte, stride, rows, groups int, a *byte)
TEXT ·gemvQ5_1NEON(SB), NOSPLIT, $0-48
	HIGH_BIT_CONSTANTS
	GEMV(24, MIN_BLOCKS(NIBBLES_AND_HIGH_BITS, DOT_NEON))
	RET

// func gemvQ5_1DotProd(dst *float32, w *byte, stride, rows, groups int, a *byte)
TEXT ·gemvQ5_1DotProd(SB), NOSPLIT, $0-48
	HIGH_BIT_CONSTANTS
	GEMV(24, MIN_BLOCKS(NIBBLES_AND_HIGH_BITS, DOT_DOTPROD))
	RET

// func gemvQ4_KNEON(dst *float32, w *byte, stride, rows, groups int, a *byte)
TEXT ·gemvQ4_KNEON(SB), NOSPLIT, $0-48
	NIBBLE_CONSTANTS
	GEMV(144, GROUPS_8_Q4_K(DOT_NEON))
	RET

// func gemvQ4_KDotProd(dst *float32, w *byte, stride, rows, groups int, a *byte)
TEXT ·gemvQ4_KDotProd(SB), NOSPLIT, $0-48
	NIBBLE_CONSTANTS
	GEMV(144, GROUPS_8_Q4_K(DOT_DOTPROD))
	RET

// func gemvQ5_KNEON(dst *float32, w *byte, stride, rows, groups int, a *byte)
TEXT ·gemvQ5_KNEON(SB), NOSPLIT, $0-48
	VMOVI $31, V27.B16
	GEMV(176, GROUPS_8_Q5_K(DOT_NEON))
	RET

// func gemvQ5_KDotProd(dst *float32, w *byte, stride, rows, groups int, a *byte)
TEXT ·gemvQ5_KDotProd(SB), NOSPLIT, $0-48
	VMOVI $31, V27.B16
	GEMV(176, GROUPS_8_Q5_K(DOT_DOTPROD))
	RET

// func gemvQ6_KNEON(dst *float32, w *byte, stride, rows, groups int, a *byte)
TEXT ·gemvQ6_KNEON(SB), NOSPLIT, $0-48
	VMOVI $63, V27.B16
	GEMV(210, GROUPS_8_Q6_K(DOT_NEON))
	RET

// func gemvQ6_KDotProd(dst *float32, w *byte, stride, rows, groups int, a *byte)
TEXT ·gemvQ6_KDotProd(SB), NOSPLIT, $0-48
	VMOVI $63, V27.B16
	GEMV(210, GROUPS_8_Q6_K(DOT_DOTPROD))
	RET

// func gemvIQ1_SNEON(dst *float32, w *byte, stride, rows, groups int, a *byte)
TEXT ·gemvIQ1_SNEON(SB), NOSPLIT, $0-48
	GRID_CONSTANTS($·gridIQ1+16(SB), EIGHTH)
	GEMV(50, GRIDS_32(GRID_SCALE, GRID_IQ1_S, DOT_NEON, 50))
	RET

// func gemvIQ1_SDotProd(dst *float32, w *byte, stride, rows, groups int, a *byte)
TEXT ·gemvIQ1_SDotProd(SB), NOSPLIT, $0-48
	GRID_CONSTANTS($·gridIQ1+16(SB), EIGHTH)
	GEMV(50, GRIDS_32(GRID_SCALE, GRID_IQ1_S, DOT_DOTPROD, 50))
	RET

// func gemvIQ1_MNEON(dst *float32, w *byte, stride, rows, groups int, a *byte)
TEXT ·gemvIQ1_MNEON(SB), NOSPLIT, $0-48
	GRID_CONSTANTS($·gridIQ1+16(SB), EIGHTH)
	GEMV(56, GRIDS_16(GRID_SCALE_IQ1_M, GRID_IQ1_M, DOT_NEON, 56))
	RET

// func gemvIQ1_MDotProd(dst *float32, w *byte, stride, rows, groups int, a *byte)
TEXT ·gemvIQ1_MDotProd(SB), NOSPLIT, $0-48
	GRID_CONSTANTS($·gridIQ1+16(SB), EIGHTH)
	GEMV(56, GRIDS_16(GRID_SCALE_IQ1_M, GRID_IQ1_M, DOT_DOTPROD, 56))
	RET

// func gemvIQ2_XXSNEON(dst *float32, w *byte, stride, rows, groups int, a *byte)
TEXT ·gemvIQ2_XXSNEON(SB), NOSPLIT, $0-48
	GRID_CONSTANTS($·gridIQ2_XXS+16(SB), EIGHTH)
	GEMV(66, GRIDS_32(GRID_SCALE, GRID_IQ2_XXS, DOT_NEON, 66))
	RET

// func gemvIQ2_XXSDotProd(dst *float32, w *byte, stride, rows, groups int, a *byte)
TEXT ·gemvIQ2_XXSDotProd(SB), NOSPLIT, $0-48
	GRID_CONSTANTS($·gridIQ2_XXS+16(SB), EIGHTH)
	GEMV(66, GRIDS_32(GRID_SCALE, GRID_IQ2_XXS, DOT_DOTPROD, 66))
	RET

// func gemvIQ2_XSNEON(dst *float32, w *byte, stride, rows, groups int, a *byte)
TEXT ·gemvIQ2_XSNEON(SB), NOSPLIT, $0-48
	GRID_CONSTANTS($·gridIQ2_XS+16(SB), EIGHTH)
	GEMV(74, GRIDS_16(GRID_SCALE, GRID_IQ2_XS, DOT_NEON, 74))
	RET

// func gemvIQ2_XSDotProd(dst *float32, w *byte, stride, rows, groups int, a *byte)
TEXT ·gemvIQ2_XSDotProd(SB), NOSPLIT, $0-48
	GRID_CONSTANTS($·gridIQ2_XS+16(SB), EIGHTH)
	GEMV(74, GRIDS_16(GRID_SCALE, GRID_IQ2_XS, DOT_DOTPROD, 74))
	RET

// func gemvIQ2_SNEON(dst *float32, w *byte, stride, rows, groups int, a *byte)
TEXT ·gemvIQ2_SNEON(SB), NOSPLIT, $0-48
	GRID_CONSTANTS($·gridIQ2_S+16(SB), EIGHTH)
	GEMV(82, GRIDS_16(GRID_SCALE, GRID_IQ2_S, DOT_NEON, 82))
	RET

// func gemvIQ2_SDotProd(dst *float32, w *byte, stride, rows, groups int, a *byte)
TEXT ·gemvIQ2_SDotProd(SB), NOSPLIT, $0-48
	GRID_CONSTANTS($·gridIQ2_S+16(SB), EIGHTH)
	GEMV(82, GRIDS_16(GRID_SCALE, GRID_IQ2_S, DOT_DOTPROD, 82))
	RET

// func gemvIQ3_XXSNEON(dst *float32, w *byte, stride, rows, groups int, a *byte)
TEXT ·gemvIQ3_XXSNEON(SB), NOSPLIT, $0-48
	GRID_CONSTANTS($·gridIQ3_XXS+16(SB), QUARTER)
	GEMV(98, GRIDS_32(GRID_SCALE, GRID_IQ3_XXS, DOT_NEON, 98))
	RET

// func gemvIQ3_XXSDotProd(dst *float32, w *byte, stride, rows, groups int, a *byte)
TEXT ·gemvIQ3_XXSDotProd(SB), NOSPLIT, $0-48
	GRID_CONSTANTS($·gridIQ3_XXS+16(SB), QUARTER)
	GEMV(98, GRIDS_32(GRID_SCALE, GRID_IQ3_XXS, DOT_DOTPROD, 98))
	RET

// func gemvIQ3_SNEON(dst *float32, w *byte, stride, rows, groups int, a *byte)
TEXT ·gemvIQ3_SNEON(SB), NOSPLIT, $0-48
	GRID_CONSTANTS($·gridIQ3_S+16(SB), ONE)
	GEMV(110, GRIDS_32(GRID_SCALE, GRID_IQ3_S, DOT_NEON, 110))
	RET

// func gemvIQ3_SDotProd(dst *float32, w *byte, stride, rows, groups int, a *byte)
TEXT ·gemvIQ3_SDotProd(SB), NOSPLIT, $0-48
	GRID_CONSTANTS($·gridIQ3_S+16(SB), ONE)
	GEMV(110, GRIDS_32(GRID_SCALE, GRID_IQ3_S, DOT_DOTPROD, 110))
	RET
