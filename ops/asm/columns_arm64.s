//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"

// ADD_4 adds four weights to V(d) and V(d+1): quants in c, times V0, plus V1.
#define ADD_4(SXTL, c, d) \
	SXTL(5, c) \
	SCVTF_4S(5, 5) \
	VORR V1.B16, V1.B16, V6.B16 \
	FMLA_4S(6, 5, 0) \
	FCVTL_2D(5, 6) \
	FCVTL2_2D(6, 6) \
	FADD_2D(d, d, 5) \
	FADD_2D(d+1, d+1, 6)

// SUM_COLUMNS adds rows of a panel to sums, which stay in registers for 16
// columns. MIN loads a min to V1, which is zero before.
#define SUM_COLUMNS(group, MIN) \
	MOVD sum+0(FP), R0 \
	MOVD q+8(FP), R1 \
	MOVD scale+16(FP), R2 \
	MOVD min+24(FP), R3 \
	MOVD groups+32(FP), R4 \
	MOVD $group, R10 \
	ZERO(1) \
groups: \
	MOVD R1, R9 \
columns: \
	MOVD R9, R5 \
	MOVD R2, R6 \
	MOVD R3, R7 \
	MOVD rows+40(FP), R8 \
	ADD  $64, R0, R11 \
	VLD1 (R0), [V16.D2, V17.D2, V18.D2, V19.D2] \
	VLD1 (R11), [V20.D2, V21.D2, V22.D2, V23.D2] \
row: \
	VLD1R.P 4(R6), [V0.S4] \
	MIN \
	VLD1.P (R5)(R10), [V2.B16] \
	SXTL_8H(3, 2) \
	SXTL2_8H(4, 2) \
	ADD_4(SXTL_4S, 3, 16) \
	ADD_4(SXTL2_4S, 3, 18) \
	ADD_4(SXTL_4S, 4, 20) \
	ADD_4(SXTL2_4S, 4, 22) \
	SUB  $1, R8 \
	CBNZ R8, row \
	VST1.P [V16.D2, V17.D2, V18.D2, V19.D2], 64(R0) \
	VST1.P [V20.D2, V21.D2, V22.D2, V23.D2], 64(R0) \
	ADD  $16, R9 \
	SUB  R1, R9, R8 \
	CMP  $group, R8 \
	BNE  columns \
	ADD  $(16*group), R1 \
	ADD  $64, R2 \
	ADD  $64, R3 \
	SUB  $1, R4 \
	CBNZ R4, groups

#define NO_MIN

#define LOAD_MIN \
	VLD1R.P 4(R7), [V1.S4]

// func sumColumnsNEON(sum *float64, q *int8, scale, min *float32, groups, rows int)
TEXT ·sumColumnsNEON(SB), NOSPLIT, $0-48
	SUM_COLUMNS(32, NO_MIN)
	RET

// func sumColumnsMinNEON(sum *float64, q *int8, scale, min *float32, groups, rows int)
TEXT ·sumColumnsMinNEON(SB), NOSPLIT, $0-48
	SUM_COLUMNS(32, LOAD_MIN)
	RET

// func sumColumnsSub16NEON(sum *float64, q *int8, scale, min *float32, groups, rows int)
TEXT ·sumColumnsSub16NEON(SB), NOSPLIT, $0-48
	SUM_COLUMNS(16, NO_MIN)
	RET

// func sumColumnsSub16MinNEON(sum *float64, q *int8, scale, min *float32, groups, rows int)
TEXT ·sumColumnsSub16MinNEON(SB), NOSPLIT, $0-48
	SUM_COLUMNS(16, LOAD_MIN)
	RET
