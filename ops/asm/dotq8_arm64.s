//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"

// FOUR adds four columns of each half of a group to the sums in d: halfwords of
// the quants in lo and hi, of which SXTL takes a half, times c in V(a) and V(b),
// times the scale in V0.
#define FOUR(SXTL, d, lo, hi, a, b) \
	SXTL(5, lo) \
	SXTL(6, hi) \
	SCVTF_4S(5, 5) \
	SCVTF_4S(6, 6) \
	FMUL_4S(5, 5, a) \
	FMLA_4S(5, 6, b) \
	FMLA_4S(d, 5, 0)

// func dotQ8NEON(dst *float32, q *int8, scale, c *float32, rows, groups int)
TEXT ·dotQ8NEON(SB), NOSPLIT, $0-48
	MOVD dst+0(FP), R0
	MOVD q+8(FP), R1
	MOVD scale+16(FP), R2
	MOVD rows+32(FP), R4

row:
	MOVD c+24(FP), R3
	MOVD groups+40(FP), R5
	ZERO(16)
	ZERO(17)
	ZERO(18)
	ZERO(19)

group:
	VLD1R.P 4(R2), [V0.S4]
	VLD1.P  32(R1), [V1.B16, V2.B16]
	VLD1.P  64(R3), [V20.S4, V21.S4, V22.S4, V23.S4]
	VLD1.P  64(R3), [V24.S4, V25.S4, V26.S4, V27.S4]
	SXTL_8H(3, 1)
	SXTL_8H(4, 2)
	FOUR(SXTL_4S, 16, 3, 4, 20, 24)
	FOUR(SXTL2_4S, 17, 3, 4, 21, 25)
	SXTL2_8H(3, 1)
	SXTL2_8H(4, 2)
	FOUR(SXTL_4S, 18, 3, 4, 22, 26)
	FOUR(SXTL2_4S, 19, 3, 4, 23, 27)
	SUB     $1, R5
	CBNZ    R5, group

	// 16 sums become 8, 4, 2, 1.
	FADD_4S(16, 16, 18)
	FADD_4S(17, 17, 19)
	FADD_4S(16, 16, 17)
	VEXT    $8, V16.B16, V16.B16, V17.B16
	FADD_4S(16, 16, 17)
	FADDP_2S(16, 16)
	FMOVS   F16, (R0)
	ADD     $4, R0
	SUB     $1, R4
	CBNZ    R4, row
	RET
