//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"

// The sums of 32 of the 64 lanes are in V0 to V7, of 16 when they are folded in V0 to
// V3, those of the squares in V8 to V15. What the other 32 are folded to is in V16 to
// V19 and V20 to V23, totals in float64 in V24 to V27. V28 is the pivot.

// SQUARES8 adds the squares of 8 elements.
#define SQUARES8(q0, q1) \
	FMLA_4S(q0, 29, 29) \
	FMLA_4S(q1, 30, 30)

// SUMS8 adds the differences of 8 elements from the pivot, and their squares.
#define SUMS8(s0, s1, q0, q1) \
	VLD1.P 32(R5), [V29.S4, V30.S4] \
	FSUB_4S(29, 29, 28) \
	FSUB_4S(30, 30, 28) \
	FADD_4S(s0, s0, 29) \
	FADD_4S(s1, s1, 30) \
	SQUARES8(q0, q1)

#define SUMS32 \
	SUMS8(0, 1, 8, 9)   \
	SUMS8(2, 3, 10, 11) \
	SUMS8(4, 5, 12, 13) \
	SUMS8(6, 7, 14, 15)

#define SQUARES32 \
	VLD1.P 32(R5), [V29.S4, V30.S4] \
	SQUARES8(8, 9)   \
	VLD1.P 32(R5), [V29.S4, V30.S4] \
	SQUARES8(10, 11) \
	VLD1.P 32(R5), [V29.S4, V30.S4] \
	SQUARES8(12, 13) \
	VLD1.P 32(R5), [V29.S4, V30.S4] \
	SQUARES8(14, 15)

#define ZERO4(a, b, c, d) \
	ZERO(a) \
	ZERO(b) \
	ZERO(c) \
	ZERO(d)

// FOLD16 adds four registers to four.
#define FOLD16(a, b, c, d, e, f, g, h) \
	FADD_4S(a, a, e) \
	FADD_4S(b, b, f) \
	FADD_4S(c, c, g) \
	FADD_4S(d, d, h)

// TOTAL adds 16 lanes to the totals t and u.
#define TOTAL(a, b, c, d, t, u) \
	FADD_4S(a, a, c)  \
	FADD_4S(b, b, d)  \
	FADD_4S(a, a, b)  \
	FCVTL_2D(29, a)   \
	FCVTL2_2D(30, a)  \
	FADD_2D(t, t, 29) \
	FADD_2D(u, u, 30)

// func sumsNEON(x *float32, rows int, last *float32, pivot float32) (sum, squares float64)
TEXT ·sumsNEON(SB), NOSPLIT, $0-48
	MOVD  x+0(FP), R0
	MOVD  rows+8(FP), R1
	MOVD  last+16(FP), R2
	FMOVS pivot+24(FP), F28
	VDUP  V28.S[0], V28.S4
	ZERO4(24, 25, 26, 27)

block: // of up to 12 rows
	MOVD $12, R3
	CMP  R3, R1
	CSEL LT, R1, R3, R3
	MOVD $0, R4 // where in a row

half:
	ADD  R4, R0, R5
	MOVD R3, R6
	ZERO4(0, 1, 2, 3)
	ZERO4(4, 5, 6, 7)
	ZERO4(8, 9, 10, 11)
	ZERO4(12, 13, 14, 15)
	CBZ  R6, rest

row:
	SUMS32
	ADD  $128, R5
	SUB  $1, R6
	CBNZ R6, row

rest:
	CMP  $12, R3
	BEQ  fold // last is in the next block
	CBZ  R2, fold
	ADD  R4, R2, R5
	SUMS32

fold:
	FOLD16(0, 1, 2, 3, 4, 5, 6, 7)
	FOLD16(8, 9, 10, 11, 12, 13, 14, 15)
	CBNZ R4, total
	MOVD $128, R4
	VORR V0.B16, V0.B16, V16.B16
	VORR V1.B16, V1.B16, V17.B16
	VORR V2.B16, V2.B16, V18.B16
	VORR V3.B16, V3.B16, V19.B16
	VORR V8.B16, V8.B16, V20.B16
	VORR V9.B16, V9.B16, V21.B16
	VORR V10.B16, V10.B16, V22.B16
	VORR V11.B16, V11.B16, V23.B16
	B    half

total:
	FOLD16(0, 1, 2, 3, 16, 17, 18, 19)
	TOTAL(0, 1, 2, 3, 24, 25)
	FOLD16(8, 9, 10, 11, 20, 21, 22, 23)
	TOTAL(8, 9, 10, 11, 26, 27)
	ADD  R3<<8, R0, R0
	SUB  R3, R1
	CBNZ R1, block
	CMP  $12, R3
	BNE  end
	CBNZ R2, block

end:
	FADD_2D(24, 24, 25)
	FADDP_2D(24, 24)
	FMOVD F24, sum+32(FP)
	FADD_2D(26, 26, 27)
	FADDP_2D(26, 26)
	FMOVD F26, squares+40(FP)
	RET

// func squaresNEON(x *float32, rows int, last *float32) float64
TEXT ·squaresNEON(SB), NOSPLIT, $0-32
	MOVD  x+0(FP), R0
	MOVD  rows+8(FP), R1
	MOVD  last+16(FP), R2
	ZERO(26)
	ZERO(27)

block: // of up to 12 rows
	MOVD $12, R3
	CMP  R3, R1
	CSEL LT, R1, R3, R3
	MOVD $0, R4 // where in a row

half:
	ADD  R4, R0, R5
	MOVD R3, R6
	ZERO4(8, 9, 10, 11)
	ZERO4(12, 13, 14, 15)
	CBZ  R6, rest

row:
	SQUARES32
	ADD  $128, R5
	SUB  $1, R6
	CBNZ R6, row

rest:
	CMP  $12, R3
	BEQ  fold // last is in the next block
	CBZ  R2, fold
	ADD  R4, R2, R5
	SQUARES32

fold:
	FOLD16(8, 9, 10, 11, 12, 13, 14, 15)
	CBNZ R4, total
	MOVD $128, R4
	VORR V8.B16, V8.B16, V20.B16
	VORR V9.B16, V9.B16, V21.B16
	VORR V10.B16, V10.B16, V22.B16
	VORR V11.B16, V11.B16, V23.B16
	B    half

total:
	FOLD16(8, 9, 10, 11, 20, 21, 22, 23)
	TOTAL(8, 9, 10, 11, 26, 27)
	ADD  R3<<8, R0, R0
	SUB  R3, R1
	CBNZ R1, block
	CMP  $12, R3
	BNE  end
	CBNZ R2, block

end:
	FADD_2D(26, 26, 27)
	FADDP_2D(26, 26)
	FMOVD F26, ret+24(FP)
	RET

// func normalizeNEON(dst, x, gain, bias []float32, c, scale, offset float32)
TEXT ·normalizeNEON(SB), NOSPLIT, $0-108
	MOVD  dst_base+0(FP), R0
	MOVD  x_base+24(FP), R1
	MOVD  x_len+32(FP), R2
	MOVD  gain_base+48(FP), R3
	MOVD  gain_len+56(FP), R5
	MOVD  bias_base+72(FP), R4
	MOVD  bias_len+80(FP), R6
	FMOVS c+96(FP), F29
	FMOVS scale+100(FP), F30
	FMOVS offset+104(FP), F31
	VDUP  V29.S[0], V29.S4
	VDUP  V30.S[0], V30.S4
	VDUP  V31.S[0], V31.S4
	CBNZ  R6, gainBias
	CBNZ  R5, gain

plain:
	CBZ    R2, done
	VLD1.P 16(R1), [V0.S4]
	FSUB_4S(0, 0, 29)
	VORR   V31.B16, V31.B16, V1.B16
	VFMLA  V30.S4, V0.S4, V1.S4
	VST1.P [V1.S4], 16(R0)
	SUB    $4, R2
	B      plain

gain:
	CBZ    R2, done
	VLD1.P 16(R1), [V0.S4]
	VLD1.P 16(R3), [V2.S4]
	FSUB_4S(0, 0, 29)
	VORR   V31.B16, V31.B16, V1.B16
	VFMLA  V30.S4, V0.S4, V1.S4
	FMUL_4S(1, 1, 2)
	VST1.P [V1.S4], 16(R0)
	SUB    $4, R2
	B      gain

gainBias:
	CBZ    R2, done
	VLD1.P 16(R1), [V0.S4]
	VLD1.P 16(R3), [V2.S4]
	VLD1.P 16(R4), [V3.S4]
	FSUB_4S(0, 0, 29)
	VORR   V31.B16, V31.B16, V1.B16
	VFMLA  V30.S4, V0.S4, V1.S4
	VFMLA  V2.S4, V1.S4, V3.S4
	VST1.P [V3.S4], 16(R0)
	SUB    $4, R2
	B      gainBias

done:
	RET
