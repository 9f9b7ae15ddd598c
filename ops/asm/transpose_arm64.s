//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"

// TRANSPOSE sets V4 to V7 to the columns of V0 to V3. It uses V0 to V3.
#define TRANSPOSE \
	VTRN1 V1.S4, V0.S4, V4.S4 \
	VTRN2 V1.S4, V0.S4, V5.S4 \
	VTRN1 V3.S4, V2.S4, V0.S4 \
	VTRN2 V3.S4, V2.S4, V1.S4 \
	VZIP2 V0.D2, V4.D2, V6.D2 \
	VZIP2 V1.D2, V5.D2, V7.D2 \
	VZIP1 V0.D2, V4.D2, V4.D2 \
	VZIP1 V1.D2, V5.D2, V5.D2

// func transposeNEON(dst, src *uint32, stride, rows, cols int, flip uint32)
TEXT ·transposeNEON(SB), NOSPLIT, $0-44
	MOVD dst+0(FP), R0
	MOVD src+8(FP), R1
	MOVD stride+16(FP), R2
	MOVD rows+24(FP), R3
	MOVD cols+32(FP), R4
	MOVW flip+40(FP), R5
	LSL  $2, R2
	VDUP R5, V16.S4

cols: // four
	MOVD R0, R6
	MOVD R1, R7
	MOVD R3, R8

rows: // four
	VLD1 (R7), [V0.S4]
	ADD  R2, R7
	VLD1 (R7), [V1.S4]
	ADD  R2, R7
	VLD1 (R7), [V2.S4]
	ADD  R2, R7
	VLD1 (R7), [V3.S4]
	ADD  R2, R7
	TRANSPOSE
	VEOR V16.B16, V4.B16, V4.B16
	VEOR V16.B16, V5.B16, V5.B16
	VEOR V16.B16, V6.B16, V6.B16
	VEOR V16.B16, V7.B16, V7.B16
	FMOVQ F4, (R6)
	FMOVQ F5, 64(R6)
	FMOVQ F6, 128(R6)
	FMOVQ F7, 192(R6)
	ADD  $16, R6
	SUB  $4, R8
	CBNZ R8, rows
	ADD  $256, R0
	ADD  $16, R1
	SUB  $4, R4
	CBNZ R4, cols
	RET

// func epilogueNEON(dst *float32, stride int, c *float32, rows, lanes int, bias, mean *float32, add bool)
TEXT ·epilogueNEON(SB), NOSPLIT, $0-57
	MOVD  dst+0(FP), R0
	MOVD  stride+8(FP), R1
	MOVD  c+16(FP), R2
	MOVD  rows+24(FP), R3
	MOVD  lanes+32(FP), R4
	MOVD  bias+40(FP), R5
	MOVD  mean+48(FP), R6
	MOVBU add+56(FP), R7
	LSL   $2, R1

	// What is not there is -0, or 0 to subtract: this changes nothing.
	SPLAT(0x80000000, V16)
	VORR V16.B16, V16.B16, V17.B16
	VORR V16.B16, V16.B16, V18.B16
	VORR V16.B16, V16.B16, V19.B16
	VORR V16.B16, V16.B16, V20.B16
	ZERO(24)
	ZERO(25)
	ZERO(26)
	ZERO(27)

lanes: // four
	CBZ    R6, rows
	VLD1R.P 4(R6), [V24.S4]
	VLD1R.P 4(R6), [V25.S4]
	VLD1R.P 4(R6), [V26.S4]
	VLD1R.P 4(R6), [V27.S4]

rows:
	MOVD R0, R8
	MOVD R2, R9
	MOVD R5, R10
	MOVD R3, R11

four:
	ADD R1, R8, R12
	ADD R1, R12, R13
	ADD R1, R13, R14
	FMOVQ (R9), F0
	FMOVQ 64(R9), F1
	FMOVQ 128(R9), F2
	FMOVQ 192(R9), F3
	ADD $256, R9
	TRANSPOSE
	CBZ R7, bias
	VLD1 (R8), [V16.S4]
	VLD1 (R12), [V17.S4]
	VLD1 (R13), [V18.S4]
	VLD1 (R14), [V19.S4]

bias:
	CBZ    R10, sum
	VLD1.P 16(R10), [V20.S4]

sum:
	FADD_4S(4, 4, 16)
	FADD_4S(5, 5, 17)
	FADD_4S(6, 6, 18)
	FADD_4S(7, 7, 19)
	FADD_4S(4, 4, 20)
	FADD_4S(5, 5, 20)
	FADD_4S(6, 6, 20)
	FADD_4S(7, 7, 20)
	FSUB_4S(4, 4, 24)
	FSUB_4S(5, 5, 25)
	FSUB_4S(6, 6, 26)
	FSUB_4S(7, 7, 27)
	VST1 [V4.S4], (R8)
	VST1 [V5.S4], (R12)
	VST1 [V6.S4], (R13)
	VST1 [V7.S4], (R14)
	ADD  $16, R8
	SUB  $4, R11
	CBNZ R11, four
	ADD  R1<<2, R0
	ADD  $16, R2
	SUB  $4, R4
	CBNZ R4, lanes
	RET
