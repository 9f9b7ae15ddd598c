//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"

// Loads of 16, 4 and 1 stored numbers from R4 as float32: to V0 to V3, V0, F0.

#define F32_16 \
	VLD1.P 64(R4), [V0.S4, V1.S4, V2.S4, V3.S4]

#define F32_4 \
	VLD1.P 16(R4), [V0.S4]

#define F32_1 \
	FMOVS.P 4(R4), F0

#define F16_16 \
	VLD1.P 32(R4), [V4.H8, V5.H8] \
	FCVTL_4S(0, 4)  \
	FCVTL2_4S(1, 4) \
	FCVTL_4S(2, 5)  \
	FCVTL2_4S(3, 5)

#define F16_4 \
	FMOVD.P 8(R4), F4 \
	FCVTL_4S(0, 4)

#define F16_1 \
	VLD1.P 2(R4), V4.H[0] \
	FCVTL_4S(0, 4)

#define BF16_16 \
	VLD1.P 32(R4), [V4.H8, V5.H8] \
	SHLL_4S(0, 4)  \
	SHLL2_4S(1, 4) \
	SHLL_4S(2, 5)  \
	SHLL2_4S(3, 5)

#define BF16_4 \
	FMOVD.P 8(R4), F4 \
	SHLL_4S(0, 4)

#define BF16_1 \
	VLD1.P 2(R4), V4.H[0] \
	SHLL_4S(0, 4)

// ADD_16 adds 16 products to four vectors of sums.
#define ADD_16(LOAD, d) \
	LOAD \
	VLD1.P 64(R5), [V8.S4, V9.S4, V10.S4, V11.S4] \
	FMLA_4S(d, 0, 8) \
	FMLA_4S(d+1, 1, 9) \
	FMLA_4S(d+2, 2, 10) \
	FMLA_4S(d+3, 3, 11)

// GEMV_FLOAT multiplies rows with x: 32 partial sums, in V16 to V23, to whose sum
// what is left over is added one by one.
#define GEMV_FLOAT(LOAD16, LOAD1) \
	MOVD dst+0(FP), R0 \
	MOVD w+8(FP), R1 \
	MOVD stride+16(FP), R2 \
	MOVD rows+24(FP), R3 \
	MOVD n+32(FP), R10 \
	MOVD x+40(FP), R11 \
row: \
	MOVD R1, R4 \
	MOVD R11, R5 \
	ZERO(16) \
	ZERO(17) \
	ZERO(18) \
	ZERO(19) \
	ZERO(20) \
	ZERO(21) \
	ZERO(22) \
	ZERO(23) \
	SUBS $32, R10, R8 \
	BLT  rest \
block: \
	ADD_16(LOAD16, 16) \
	ADD_16(LOAD16, 20) \
	SUBS $32, R8 \
	BGE  block \
rest: \
	ADD  $32, R8 \
	FADD_4S(16, 16, 20) \
	FADD_4S(17, 17, 21) \
	FADD_4S(18, 18, 22) \
	FADD_4S(19, 19, 23) \
	FADD_4S(16, 16, 18) \
	FADD_4S(17, 17, 19) \
	FADD_4S(16, 16, 17) \
	FADDP_4S(16, 16, 16) \
	FADDP_2S(16, 16) \
	CBZ  R8, store \
single: \
	LOAD1 \
	FMOVS.P 4(R5), F8 \
	FMADDS  F0, F16, F8, F16 \
	SUB  $1, R8 \
	CBNZ R8, single \
store: \
	FMOVS.P F16, 4(R0) \
	ADD  R2, R1 \
	SUB  $1, R3 \
	CBNZ R3, row

// WIDEN converts numbers to float32.
#define WIDEN(LOAD16, LOAD4, LOAD1) \
	MOVD dst+0(FP), R0 \
	MOVD w+8(FP), R4 \
	MOVD n+16(FP), R8 \
	SUBS $16, R8 \
	BLT  rest \
block: \
	LOAD16 \
	VST1.P [V0.S4, V1.S4, V2.S4, V3.S4], 64(R0) \
	SUBS $16, R8 \
	BGE  block \
rest: \
	ADD  $16, R8 \
	SUBS $4, R8 \
	BLT  tail \
vector: \
	LOAD4 \
	VST1.P [V0.S4], 16(R0) \
	SUBS $4, R8 \
	BGE  vector \
tail: \
	ADD  $4, R8 \
	CBZ  R8, done \
single: \
	LOAD1 \
	FMOVS.P F0, 4(R0) \
	SUB  $1, R8 \
	CBNZ R8, single \
done:

// func gemvF32NEON(dst *float32, w *byte, stride, rows, n int, x *float32)
TEXT ·gemvF32NEON(SB), NOSPLIT, $0-48
	GEMV_FLOAT(F32_16, F32_1)
	RET

// func gemvF16NEON(dst *float32, w *byte, stride, rows, n int, x *float32)
TEXT ·gemvF16NEON(SB), NOSPLIT, $0-48
	GEMV_FLOAT(F16_16, F16_1)
	RET

// func gemvBF16NEON(dst *float32, w *byte, stride, rows, n int, x *float32)
TEXT ·gemvBF16NEON(SB), NOSPLIT, $0-48
	GEMV_FLOAT(BF16_16, BF16_1)
	RET

// func widenF16NEON(dst *float32, w *byte, n int)
TEXT ·widenF16NEON(SB), NOSPLIT, $0-24
	WIDEN(F16_16, F16_4, F16_1)
	RET

// func widenBF16NEON(dst *float32, w *byte, n int)
TEXT ·widenBF16NEON(SB), NOSPLIT, $0-24
	WIDEN(BF16_16, BF16_4, BF16_1)
	RET

// ADD_LANE adds the products of one column of four rows, lane i of V0 to V3,
// with 16 activations.
#define ADD_LANE(i) \
	VLD1.P 64(R5), [V4.S4, V5.S4, V6.S4, V7.S4] \
	FMLA_LANE_4S(16, 4, 0, i) \
	FMLA_LANE_4S(17, 5, 0, i) \
	FMLA_LANE_4S(18, 6, 0, i) \
	FMLA_LANE_4S(19, 7, 0, i) \
	FMLA_LANE_4S(20, 4, 1, i) \
	FMLA_LANE_4S(21, 5, 1, i) \
	FMLA_LANE_4S(22, 6, 1, i) \
	FMLA_LANE_4S(23, 7, 1, i) \
	FMLA_LANE_4S(24, 4, 2, i) \
	FMLA_LANE_4S(25, 5, 2, i) \
	FMLA_LANE_4S(26, 6, 2, i) \
	FMLA_LANE_4S(27, 7, 2, i) \
	FMLA_LANE_4S(28, 4, 3, i) \
	FMLA_LANE_4S(29, 5, 3, i) \
	FMLA_LANE_4S(30, 6, 3, i) \
	FMLA_LANE_4S(31, 7, 3, i)

// func gemmFloatNEON(c, w *float32, stride, k int, a *float32)
TEXT ·gemmFloatNEON(SB), NOSPLIT, $0-40
	MOVD c+0(FP), R0
	MOVD w+8(FP), R1
	MOVD stride+16(FP), R2
	MOVD k+24(FP), R3
	MOVD a+32(FP), R4
	LSL  $2, R2
	MOVD $4, R6

quad: // four rows
	ZERO(16)
	ZERO(17)
	ZERO(18)
	ZERO(19)
	ZERO(20)
	ZERO(21)
	ZERO(22)
	ZERO(23)
	ZERO(24)
	ZERO(25)
	ZERO(26)
	ZERO(27)
	ZERO(28)
	ZERO(29)
	ZERO(30)
	ZERO(31)
	MOVD R4, R5
	MOVD R1, R10
	ADD  R2, R10, R11
	ADD  R2, R11, R12
	ADD  R2, R12, R13
	ADD  R2, R13, R1
	SUBS $4, R3, R8
	BLT  tail

vector: // four columns
	VLD1.P 16(R10), [V0.S4]
	VLD1.P 16(R11), [V1.S4]
	VLD1.P 16(R12), [V2.S4]
	VLD1.P 16(R13), [V3.S4]
	ADD_LANE(0)
	ADD_LANE(1)
	ADD_LANE(2)
	ADD_LANE(3)
	SUBS   $4, R8
	BGE    vector

tail:
	ADD $4, R8
	CBZ R8, store

single:
	FMOVS.P 4(R10), F0
	FMOVS.P 4(R11), F1
	FMOVS.P 4(R12), F2
	FMOVS.P 4(R13), F3
	ADD_LANE(0)
	SUB     $1, R8
	CBNZ    R8, single

store:
	VST1.P [V16.S4, V17.S4, V18.S4, V19.S4], 64(R0)
	VST1.P [V20.S4, V21.S4, V22.S4, V23.S4], 64(R0)
	VST1.P [V24.S4, V25.S4, V26.S4, V27.S4], 64(R0)
	VST1.P [V28.S4, V29.S4, V30.S4, V31.S4], 64(R0)
	SUB    $1, R6
	CBNZ   R6, quad
	RET

// func addFloatsNEON(sum *float64, x *float32, n int)
TEXT ·addFloatsNEON(SB), NOSPLIT, $0-24
	MOVD sum+0(FP), R0
	MOVD x+8(FP), R1
	MOVD n+16(FP), R8
	SUBS $4, R8
	BLT  tail

vector:
	VLD1.P 16(R1), [V0.S4]
	VLD1   (R0), [V2.D2, V3.D2]
	FCVTL2_2D(1, 0)
	FCVTL_2D(0, 0)
	FADD_2D(2, 2, 0)
	FADD_2D(3, 3, 1)
	VST1.P [V2.D2, V3.D2], 32(R0)
	SUBS   $4, R8
	BGE    vector

tail:
	ADD $4, R8
	CBZ R8, done

single:
	FMOVS.P 4(R1), F0
	FMOVD   (R0), F1
	FCVTSD  F0, F0
	FADDD   F0, F1, F1
	FMOVD.P F1, 8(R0)
	SUB     $1, R8
	CBNZ    R8, single

done:
	RET
