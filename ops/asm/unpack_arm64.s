//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"
#include "quants_arm64.h"
#include "unpack_arm64.h"
#include "grids_arm64.h"

#define BYTES \
	VLD1.P 32(R4), [V0.B16, V1.B16]

// MIN_BLOCK begins with its scale and min.
#define MIN_BLOCK(QUANTS) \
	VLD1.P 4(R4), V20.S[0] \
	FCVTL_4S(20, 20) \
	QUANTS \
	VST1.P [V0.B16, V1.B16], (R5)(R14) \
	VST1.P V20.S[0], (R6)(R15) \
	VST1.P V20.S[1], (R7)(R15)

#define SUPER_BLOCK_SCALES \
	SUPER_SCALES \
	FNEG_4S(22, 22) \
	FNEG_4S(28, 28) \
	STORE_4(V20, R6) \
	STORE_4(V21, R6) \
	STORE_4(V22, R7) \
	STORE_4(V28, R7)

#define SUPER_64(QUANTS) \
	QUANTS \
	VST1.P [V0.B16, V1.B16], (R5)(R14) \
	VST1.P [V6.B16, V7.B16], (R5)(R14)

#define SUPER_256(QUANTS) \
	SUPER_64(QUANTS) \
	SUPER_64(QUANTS) \
	SUPER_64(QUANTS) \
	SUPER_64(QUANTS)

#define BLOCK_Q4_K \
	SUPER_BLOCK_SCALES \
	SUPER_256(SUPER_NIBBLES)

#define BLOCK_Q5_K \
	SUPER_BLOCK_SCALES \
	VLD1.P 32(R4), [V8.B16, V9.B16] \
	SUPER_256(SUPER_HIGH_BITS)

#define SIX_64 \
	SIXES \
	VSUB   V30.B16, V0.B16, V0.B16 \
	VSUB   V30.B16, V1.B16, V1.B16 \
	VSUB   V30.B16, V2.B16, V2.B16 \
	VSUB   V30.B16, V3.B16, V3.B16 \
	VST1.P [V0.B16], (R5)(R14) \
	VST1.P [V1.B16], (R5)(R14) \
	VST1.P [V2.B16], (R5)(R14) \
	VST1.P [V3.B16], (R5)(R14)

#define SIX_128 \
	VLD1   (R4), [V0.B16, V1.B16, V2.B16, V3.B16] \
	VLD1.P 32(R19), [V4.B16, V5.B16] \
	SIX_64 \
	VLD1.P 64(R4), [V0.B16, V1.B16, V2.B16, V3.B16] \
	VUSHR  $4, V0.B16, V0.B16 \
	VUSHR  $4, V1.B16, V1.B16 \
	VUSHR  $4, V2.B16, V2.B16 \
	VUSHR  $4, V3.B16, V3.B16 \
	SIX_64

// SIX_SCALES unpacks the scales of four groups of 16, SXTL of n.
#define SIX_SCALES(SXTL, n) \
	SXTL(20, n) \
	SCVTF_4S(20, 20) \
	FMUL_LANE_4S(20, 20, 29, 0) \
	STORE_4(V20, R6)

#define BLOCK_Q6_K \
	ADD    $128, R4, R19 \
	ADD    $192, R4, R20 \
	VLD1.P 16(R20), [V21.B16] \
	VLD1.P 2(R20), V29.H[0] \
	FCVTL_4S(29, 29) \
	SXTL_8H(22, 21) \
	SXTL2_8H(21, 21) \
	SIX_SCALES(SXTL_4S, 22) \
	SIX_SCALES(SXTL2_4S, 22) \
	SIX_SCALES(SXTL_4S, 21) \
	SIX_SCALES(SXTL2_4S, 21) \
	SIX_128 \
	SIX_128 \
	MOVD   R20, R4

// STORE_SCALE stores that of a group, twice its number plus one in R.
#define STORE_SCALE(R) \
	VMOV R, V20.S[0] \
	SCVTF_4S(20, 20) \
	FMUL_LANE_4S(20, 20, 29, 0) \
	VST1.P V20.S[0], (R6)(R15)

// GRID_32 unpacks group i of 32 of a type with a codebook.
#define GRID_32(GRID, i) \
	GRID(i) \
	VST1.P [V0.B16, V1.B16], (R5)(R14) \
	STORE_SCALE(R24)

// GRID_16 is the like for two groups of 16.
#define GRID_16(GRID, i) \
	GRID(i) \
	VST1.P [V0.B16], (R5)(R14) \
	VST1.P [V1.B16], (R5)(R14) \
	STORE_SCALE(R24) \
	STORE_SCALE(R25)

#define GRID_BLOCK(SCALE, UNPACK, GRID, bytes) \
	SCALE \
	UNPACK(GRID, 0) \
	UNPACK(GRID, 1) \
	UNPACK(GRID, 2) \
	UNPACK(GRID, 3) \
	UNPACK(GRID, 4) \
	UNPACK(GRID, 5) \
	UNPACK(GRID, 6) \
	UNPACK(GRID, 7) \
	ADD $bytes, R4

// func unpackQ8_0NEON(q *int8, scale, min *float32, w *byte, stride, blocks int)
TEXT ·unpackQ8_0NEON(SB), NOSPLIT, $0-48
	ZERO(30)
	UNPACK(32, SCALE_BLOCK(BYTES))
	RET

// func unpackQ4_0NEON(q *int8, scale, min *float32, w *byte, stride, blocks int)
TEXT ·unpackQ4_0NEON(SB), NOSPLIT, $0-48
	NIBBLE_CONSTANTS
	VMOVI $8, V30.B16
	UNPACK(32, SCALE_BLOCK(NIBBLES))
	RET

// func unpackQ4_1NEON(q *int8, scale, min *float32, w *byte, stride, blocks int)
TEXT ·unpackQ4_1NEON(SB), NOSPLIT, $0-48
	NIBBLE_CONSTANTS
	UNPACK(32, MIN_BLOCK(NIBBLES))
	RET

// func unpackQ5_0NEON(q *int8, scale, min *float32, w *byte, stride, blocks int)
TEXT ·unpackQ5_0NEON(SB), NOSPLIT, $0-48
	HIGH_BIT_CONSTANTS
	VMOVI $16, V30.B16
	UNPACK(32, SCALE_BLOCK(NIBBLES_AND_HIGH_BITS))
	RET

// func unpackQ5_1NEON(q *int8, scale, min *float32, w *byte, stride, blocks int)
TEXT ·unpackQ5_1NEON(SB), NOSPLIT, $0-48
	HIGH_BIT_CONSTANTS
	UNPACK(32, MIN_BLOCK(NIBBLES_AND_HIGH_BITS))
	RET

// func unpackQ4_KNEON(q *int8, scale, min *float32, w *byte, stride, blocks int)
TEXT ·unpackQ4_KNEON(SB), NOSPLIT, $0-48
	NIBBLE_CONSTANTS
	UNPACK(32, BLOCK_Q4_K)
	RET

// func unpackQ5_KNEON(q *int8, scale, min *float32, w *byte, stride, blocks int)
TEXT ·unpackQ5_KNEON(SB), NOSPLIT, $0-48
	VMOVI $31, V27.B16
	UNPACK(32, BLOCK_Q5_K)
	RET

// func unpackQ6_KNEON(q *int8, scale, min *float32, w *byte, stride, blocks int)
TEXT ·unpackQ6_KNEON(SB), NOSPLIT, $0-48
	VMOVI $63, V27.B16
	VMOVI $32, V30.B16
	UNPACK(16, BLOCK_Q6_K)
	RET

// func unpackIQ1_SNEON(q *int8, scale, min *float32, w *byte, stride, blocks int)
TEXT ·unpackIQ1_SNEON(SB), NOSPLIT, $0-48
	GRID_CONSTANTS($·gridIQ1+16(SB), EIGHTH)
	UNPACK(32, GRID_BLOCK(GRID_SCALE, GRID_32, GRID_IQ1_S, 50))
	RET

// func unpackIQ1_MNEON(q *int8, scale, min *float32, w *byte, stride, blocks int)
TEXT ·unpackIQ1_MNEON(SB), NOSPLIT, $0-48
	GRID_CONSTANTS($·gridIQ1+16(SB), EIGHTH)
	UNPACK(16, GRID_BLOCK(GRID_SCALE_IQ1_M, GRID_16, GRID_IQ1_M, 56))
	RET

// func unpackIQ2_XXSNEON(q *int8, scale, min *float32, w *byte, stride, blocks int)
TEXT ·unpackIQ2_XXSNEON(SB), NOSPLIT, $0-48
	GRID_CONSTANTS($·gridIQ2_XXS+16(SB), EIGHTH)
	UNPACK(32, GRID_BLOCK(GRID_SCALE, GRID_32, GRID_IQ2_XXS, 66))
	RET

// func unpackIQ2_XSNEON(q *int8, scale, min *float32, w *byte, stride, blocks int)
TEXT ·unpackIQ2_XSNEON(SB), NOSPLIT, $0-48
	GRID_CONSTANTS($·gridIQ2_XS+16(SB), EIGHTH)
	UNPACK(16, GRID_BLOCK(GRID_SCALE, GRID_16, GRID_IQ2_XS, 74))
	RET

// func unpackIQ2_SNEON(q *int8, scale, min *float32, w *byte, stride, blocks int)
TEXT ·unpackIQ2_SNEON(SB), NOSPLIT, $0-48
	GRID_CONSTANTS($·gridIQ2_S+16(SB), EIGHTH)
	UNPACK(16, GRID_BLOCK(GRID_SCALE, GRID_16, GRID_IQ2_S, 82))
	RET

// func unpackIQ3_XXSNEON(q *int8, scale, min *float32, w *byte, stride, blocks int)
TEXT ·unpackIQ3_XXSNEON(SB), NOSPLIT, $0-48
	GRID_CONSTANTS($·gridIQ3_XXS+16(SB), QUARTER)
	UNPACK(32, GRID_BLOCK(GRID_SCALE, GRID_32, GRID_IQ3_XXS, 98))
	RET

// func unpackIQ3_SNEON(q *int8, scale, min *float32, w *byte, stride, blocks int)
TEXT ·unpackIQ3_SNEON(SB), NOSPLIT, $0-48
	GRID_CONSTANTS($·gridIQ3_S+16(SB), ONE)
	UNPACK(32, GRID_BLOCK(GRID_SCALE, GRID_32, GRID_IQ3_S, 110))
	RET
