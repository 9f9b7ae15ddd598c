//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"
#include "quants_arm64.h"
#include "fields_arm64.h"
#include "unpack_arm64.h"

// STORE unpacks a group of 32.
#define STORE(QUANTS) \
	QUANTS \
	VST1.P [V0.B16, V1.B16], (R5)(R14)

#define STORE_4X(QUANTS) \
	STORE(QUANTS) \
	STORE(QUANTS) \
	STORE(QUANTS) \
	STORE(QUANTS)

#define LESS_ZERO_POINT(QUANTS) \
	QUANTS \
	VSUB V30.B16, V0.B16, V0.B16 \
	VSUB V30.B16, V1.B16, V1.B16

// SCALE_2 and SCALE_4 store a scale as often.
#define SCALE_2 \
	FMOVS.P F20, 64(R6) \
	FMOVS.P F20, 64(R6)

#define SCALE_4 \
	SCALE_2 \
	SCALE_2

#define HALF_TO_F20 \
	VLD1.P 2(R4), V20.H[0] \
	FCVTHS F20, F20

#define BLOCK_MXFP4 \
	VLD1.P 1(R4), V20.B[0] \
	VUXTL  V20.B8, V20.H8 \
	VUXTL  V20.H4, V20.S4 \
	EXPONENTS(V20, 20) \
	FMOVS.P F20, 64(R6) \
	STORE(LEVELS)

#define BLOCK_IQ4_XS \
	SCALES_IQ4_XS \
	STORE_4(V20, R6) \
	STORE_4(V21, R6) \
	STORE_4X(LEVELS) \
	STORE_4X(LEVELS)

#define BLOCK_TQ2_0 \
	VLD1.P 32(R4), [V4.B16, V5.B16] \
	STORE_4X(LESS_ZERO_POINT(PAIRS)) \
	VLD1.P 32(R4), [V4.B16, V5.B16] \
	STORE_4X(LESS_ZERO_POINT(PAIRS)) \
	HALF_TO_F20 \
	SCALE_4 \
	SCALE_4

#define TERNARY_STORE(i) \
	VST1.P [V0.B16, V1.B16], (R5)(R14)

#define BLOCK_TQ1_0 \
	TERNARY_256(TERNARY_STORE) \
	HALF_TO_F20 \
	SCALE_4 \
	SCALE_4

#define BLOCK_Q2_0 \
	HALF_TO_F20 \
	SCALE_2 \
	STORE(LESS_ZERO_POINT(FOURS)) \
	STORE(LESS_ZERO_POINT(FOURS))

#define BLOCK_Q1_0 \
	HALF_TO_F20 \
	SCALE_4 \
	STORE_4X(SIGNS)

// STORE_16 unpacks two groups of 16.
#define STORE_16(QUANTS) \
	QUANTS \
	VST1.P [V0.B16], (R5)(R14) \
	VST1.P [V1.B16], (R5)(R14)

#define STORE_16_4X(QUANTS) \
	VLD1.P 32(R4), [V4.B16, V5.B16] \
	STORE_16(QUANTS) \
	STORE_16(QUANTS) \
	STORE_16(QUANTS) \
	STORE_16(QUANTS)

// STORE_SCALES stores four numbers, SXTL of n times lane i of V29.
#define STORE_SCALES(SXTL, n, i, SIGN, at) \
	SXTL(20, n) \
	SCVTF_4S(20, 20) \
	FMUL_LANE_4S(20, 20, 29, i) \
	SIGN \
	STORE_4(V20, at)

// STORE_SCALES_16 stores those of the bytes of n.
#define STORE_SCALES_16(n, i, SIGN, at) \
	SXTL_8H(21, n) \
	SXTL2_8H(22, n) \
	STORE_SCALES(SXTL_4S, 21, i, SIGN, at) \
	STORE_SCALES(SXTL2_4S, 21, i, SIGN, at) \
	STORE_SCALES(SXTL_4S, 22, i, SIGN, at) \
	STORE_SCALES(SXTL2_4S, 22, i, SIGN, at)

#define POSITIVE

#define NEGATIVE FNEG_4S(20, 20)

#define BLOCK_Q2_K \
	SCALES_Q2_K \
	STORE_SCALES_16(8, 0, POSITIVE, R6) \
	STORE_SCALES_16(9, 1, NEGATIVE, R7) \
	STORE_16_4X(PAIRS) \
	STORE_16_4X(PAIRS) \
	ADD $4, R4

#define BLOCK_Q3_K \
	SCALES_Q3_K \
	STORE_SCALES_16(8, 0, POSITIVE, R6) \
	VLD1.P 32(R4), [V6.B16, V7.B16] \
	STORE_16_4X(LESS_ZERO_POINT(TRIPLES)) \
	STORE_16_4X(LESS_ZERO_POINT(TRIPLES)) \
	ADD $14, R4

#define BLOCK_NVFP4 \
	VLD1.P 4(R4), V8.S[0] \
	UE4M3 \
	FCVTL_4S(20, 20) \
	FMUL_4S(20, 20, 23) \
	STORE_4(V20, R6) \
	STORE_16(LEVELS_16) \
	STORE_16(LEVELS_16)

// func unpackQ2_KNEON(q *int8, scale, min *float32, w *byte, stride, blocks int)
TEXT ·unpackQ2_KNEON(SB), NOSPLIT, $0-48
	Q2_K_CONSTANTS
	UNPACK(16, BLOCK_Q2_K)
	RET

// func unpackQ3_KNEON(q *int8, scale, min *float32, w *byte, stride, blocks int)
TEXT ·unpackQ3_KNEON(SB), NOSPLIT, $0-48
	Q3_K_CONSTANTS
	VMOVI $4, V30.B16
	UNPACK(16, BLOCK_Q3_K)
	RET

// func unpackIQ4_NLNEON(q *int8, scale, min *float32, w *byte, stride, blocks int)
TEXT ·unpackIQ4_NLNEON(SB), NOSPLIT, $0-48
	LEVEL_CONSTANTS($·levelsIQ4(SB))
	ZERO(30)
	UNPACK(32, SCALE_BLOCK(LEVELS))
	RET

// func unpackIQ4_XSNEON(q *int8, scale, min *float32, w *byte, stride, blocks int)
TEXT ·unpackIQ4_XSNEON(SB), NOSPLIT, $0-48
	IQ4_XS_CONSTANTS
	UNPACK(32, BLOCK_IQ4_XS)
	RET

// func unpackMXFP4NEON(q *int8, scale, min *float32, w *byte, stride, blocks int)
TEXT ·unpackMXFP4NEON(SB), NOSPLIT, $0-48
	MXFP4_CONSTANTS
	UNPACK(32, BLOCK_MXFP4)
	RET

// func unpackNVFP4NEON(q *int8, scale, min *float32, w *byte, stride, blocks int)
TEXT ·unpackNVFP4NEON(SB), NOSPLIT, $0-48
	NVFP4_CONSTANTS
	UNPACK(16, BLOCK_NVFP4)
	RET

// func unpackTQ1_0NEON(q *int8, scale, min *float32, w *byte, stride, blocks int)
TEXT ·unpackTQ1_0NEON(SB), NOSPLIT, $0-48
	TERNARY_CONSTANTS
	UNPACK(32, BLOCK_TQ1_0)
	RET

// func unpackTQ2_0NEON(q *int8, scale, min *float32, w *byte, stride, blocks int)
TEXT ·unpackTQ2_0NEON(SB), NOSPLIT, $0-48
	VMOVI $3, V27.B16
	VMOVI $1, V30.B16
	UNPACK(32, BLOCK_TQ2_0)
	RET

// func unpackQ1_0NEON(q *int8, scale, min *float32, w *byte, stride, blocks int)
TEXT ·unpackQ1_0NEON(SB), NOSPLIT, $0-48
	HIGH_BIT_CONSTANTS
	UNPACK(32, BLOCK_Q1_0)
	RET

// func unpackQ2_0NEON(q *int8, scale, min *float32, w *byte, stride, blocks int)
TEXT ·unpackQ2_0NEON(SB), NOSPLIT, $0-48
	FOUR_CONSTANTS
	VMOVI $1, V30.B16
	UNPACK(32, BLOCK_Q2_0)
	RET
