//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"

// The formulas and coefficients are those of _gen/math.go.

// EXP_CONSTANTS loads what EXP reads, V16 to V27.
#define EXP_CONSTANTS \
	SPLAT(0xc2d00000, V16) \
	SPLAT(0x42b20000, V17) \
	SPLAT(0x3fb8aa3b, V18) \
	SPLAT(0x3f317218, V19) \
	SPLAT(0xb102e308, V20) \
	SPLAT(0x3ab51277, V21) \
	SPLAT(0x3c091d2e, V22) \
	SPLAT(0x3d2aac79, V23) \
	SPLAT(0x3e2aaa48, V24) \
	SPLAT(0x3efffffe, V25) \
	SPLAT(0x3f800000, V26) \
	SPLAT(127, V27)

// EXP sets V0 = exp(V0). It uses V1 to V4.
#define EXP \
	FMAX_4S(0, 0, 16) \
	FMIN_4S(0, 0, 17) \
	FMUL_4S(1, 0, 18) \
	FRINTN_4S(1, 1) \
	VFMLS V19.S4, V1.S4, V0.S4 \
	VFMLS V20.S4, V1.S4, V0.S4 \
	VORR  V22.B16, V22.B16, V2.B16 \
	VFMLA V0.S4, V21.S4, V2.S4 \
	VORR  V23.B16, V23.B16, V3.B16 \
	VFMLA V0.S4, V2.S4, V3.S4 \
	VORR  V24.B16, V24.B16, V2.B16 \
	VFMLA V0.S4, V3.S4, V2.S4 \
	VORR  V25.B16, V25.B16, V3.B16 \
	VFMLA V0.S4, V2.S4, V3.S4 \
	FMUL_4S(2, 0, 0) \
	VFMLA V2.S4, V3.S4, V0.S4 \
	FADD_4S(0, 0, 26) \
	FCVTNS_4S(1, 1) \
	SSHR_1_4S(4, 1) \
	VSUB  V4.S4, V1.S4, V1.S4 \
	VADD  V27.S4, V4.S4, V4.S4 \
	VADD  V27.S4, V1.S4, V1.S4 \
	VSHL  $23, V4.S4, V4.S4 \
	VSHL  $23, V1.S4, V1.S4 \
	FMUL_4S(0, 0, 4) \
	FMUL_4S(0, 0, 1)

// TIMES_SIGMOID sets V0 = V5 / (1 + exp(-V6)). It uses V1 to V7.
#define TIMES_SIGMOID \
	FABS_4S(0, 6) \
	FNEG_4S(0, 0) \
	EXP \
	CMLT_ZERO_4S(7, 6) \
	VBSL  V26.B16, V0.B16, V7.B16 \
	FADD_4S(0, 0, 26) \
	FMUL_4S(7, 5, 7) \
	FDIV_4S(0, 7, 0)

// MAP_ARGS loads dst, x, its length, y and its length: R0 to R4.
#define MAP_ARGS \
	MOVD dst_base+0(FP), R0 \
	MOVD x_base+24(FP), R1 \
	MOVD x_len+32(FP), R2 \
	MOVD y_base+48(FP), R3 \
	MOVD y_len+56(FP), R4

// func siluNEON(dst, x, y []float32)
TEXT ·siluNEON(SB), NOSPLIT, $0-72
	MAP_ARGS
	EXP_CONSTANTS

vector:
	CBZ    R2, done
	VLD1.P 16(R1), [V5.S4]
	FMAX_4S(5, 5, 16)
	VORR   V5.B16, V5.B16, V6.B16
	TIMES_SIGMOID
	CBZ    R4, store
	VLD1.P 16(R3), [V1.S4]
	FMUL_4S(0, 0, 1)

store:
	VST1.P [V0.S4], 16(R0)
	SUB    $4, R2
	B      vector

done:
	RET

// func geluNEON(dst, x, y []float32)
TEXT ·geluNEON(SB), NOSPLIT, $0-72
	MAP_ARGS
	EXP_CONSTANTS
	SPLAT(0xc1400000, V28)
	SPLAT(0x3fcc422a, V29) // 2*sqrt(2/pi)
	SPLAT(0x3d922279, V30)

vector:
	CBZ    R2, done
	VLD1.P 16(R1), [V5.S4]
	FMAX_4S(5, 5, 28)
	FMUL_4S(6, 5, 5)
	VORR   V29.B16, V29.B16, V7.B16
	VFMLA  V6.S4, V30.S4, V7.S4
	FMUL_4S(6, 5, 7)
	TIMES_SIGMOID
	CBZ    R4, store
	VLD1.P 16(R3), [V1.S4]
	FMUL_4S(0, 0, 1)

store:
	VST1.P [V0.S4], 16(R0)
	SUB    $4, R2
	B      vector

done:
	RET

// tail<> holds the coefficients of Phi, last first.
DATA tail<>+0(SB)/4, $0x38e82143
DATA tail<>+4(SB)/4, $0x39dd31f7
DATA tail<>+8(SB)/4, $0xba01bf0c
DATA tail<>+12(SB)/4, $0xbb5018da
DATA tail<>+16(SB)/4, $0x3bd4c434
DATA tail<>+20(SB)/4, $0x3c8e97d2
DATA tail<>+24(SB)/4, $0xbdedad37
DATA tail<>+28(SB)/4, $0x3ea17f64
DATA tail<>+32(SB)/4, $0xbf10c8a8
DATA tail<>+36(SB)/4, $0x3f3e920d
GLOBL tail<>(SB), RODATA|NOPTR, $40

// func geluErfNEON(dst, x, y []float32)
TEXT ·geluErfNEON(SB), NOSPLIT, $0-72
	MAP_ARGS
	EXP_CONSTANTS
	SPLAT(0xc1680000, V28)
	SPLAT(0x41680000, V29)
	SPLAT(0x40600000, V30)
	SPLAT(0xbf000000, V31)
	MOVD $tail<>(SB), R5

vector:
	CBZ     R2, done
	VLD1.P  16(R1), [V5.S4]
	FMAX_4S(5, 5, 28)
	FABS_4S(8, 5)
	FMIN_4S(8, 8, 29)
	FADD_4S(9, 8, 30)
	FDIV_4S(10, 26, 9) // 1/(t+k)
	FSUB_4S(9, 8, 30)
	FMUL_4S(9, 9, 10)  // (t-k)/(t+k)
	MOVD    R5, R6
	MOVD    $9, R7
	VLD1R.P 4(R6), [V11.S4]

horner:
	VLD1R.P 4(R6), [V12.S4]
	VFMLA   V9.S4, V11.S4, V12.S4
	VORR    V12.B16, V12.B16, V11.B16
	SUB     $1, R7
	CBNZ    R7, horner
	FMUL_4S(11, 11, 10)
	FMUL_4S(0, 8, 8)   // t^2, and its rounding in V13
	FNEG_4S(13, 0)
	VFMLA   V8.S4, V8.S4, V13.S4
	FMUL_4S(0, 0, 31)
	FMUL_4S(13, 13, 31)
	EXP
	VORR    V0.B16, V0.B16, V14.B16
	VFMLA   V13.S4, V0.S4, V14.S4
	FMUL_4S(11, 11, 14) // Phi(-|x|)
	FSUB_4S(12, 26, 11)
	CMLT_ZERO_4S(7, 5)
	VBSL    V12.B16, V11.B16, V7.B16
	FMUL_4S(0, 5, 7)
	CBZ     R4, store
	VLD1.P  16(R3), [V1.S4]
	FMUL_4S(0, 0, 1)

store:
	VST1.P [V0.S4], 16(R0)
	SUB    $4, R2
	B      vector

done:
	RET

// func reluNEON(dst, x, y []float32)
TEXT ·reluNEON(SB), NOSPLIT, $0-72
	MAP_ARGS
	VEOR V2.B16, V2.B16, V2.B16

vector:
	CBZ    R2, done
	VLD1.P 16(R1), [V0.S4]
	FMAX_4S(0, 0, 2)
	CBZ    R4, store
	VLD1.P 16(R3), [V1.S4]
	FMUL_4S(0, 0, 1)

store:
	VST1.P [V0.S4], 16(R0)
	SUB    $4, R2
	B      vector

done:
	RET

// func relu2NEON(dst, x, y []float32)
TEXT ·relu2NEON(SB), NOSPLIT, $0-72
	MAP_ARGS
	VEOR V2.B16, V2.B16, V2.B16

vector:
	CBZ    R2, done
	VLD1.P 16(R1), [V0.S4]
	FMAX_4S(0, 0, 2)
	FMUL_4S(0, 0, 0)
	CBZ    R4, store
	VLD1.P 16(R3), [V1.S4]
	FMUL_4S(0, 0, 1)

store:
	VST1.P [V0.S4], 16(R0)
	SUB    $4, R2
	B      vector

done:
	RET

// func scaleNEON(x []float32, s float32)
TEXT ·scaleNEON(SB), NOSPLIT, $0-28
	MOVD  x_base+0(FP), R0
	MOVD  x_len+8(FP), R1
	FMOVS s+24(FP), F1
	VDUP  V1.S[0], V1.S4

vector:
	CBZ    R1, done
	VLD1   (R0), [V0.S4]
	FMUL_4S(0, 0, 1)
	VST1.P [V0.S4], 16(R0)
	SUB    $4, R1
	B      vector

done:
	RET

// func maxNEON(x []float32) float32
TEXT ·maxNEON(SB), NOSPLIT, $0-28
	MOVD x_base+0(FP), R0
	MOVD x_len+8(FP), R1
	SPLAT(0xff800000, V0) // -Inf

vector:
	CBZ    R1, done
	VLD1.P 16(R0), [V1.S4]
	FMAX_4S(0, 0, 1)
	SUB    $4, R1
	B      vector

done:
	FMAXV_4S(0, 0)
	FMOVS F0, ret+24(FP)
	RET

// func expSumNEON(x []float32, m float32) float64
TEXT ·expSumNEON(SB), NOSPLIT, $0-40
	MOVD  x_base+0(FP), R0
	MOVD  x_len+8(FP), R1
	FMOVS m+24(FP), F31
	VDUP  V31.S[0], V31.S4
	EXP_CONSTANTS
	VEOR  V29.B16, V29.B16, V29.B16
	VEOR  V30.B16, V30.B16, V30.B16

block: // 8 iterations of 4 floats, summed up in float32
	VEOR V28.B16, V28.B16, V28.B16
	MOVD $8, R2

chain:
	CBZ    R1, fold
	VLD1   (R0), [V0.S4]
	FSUB_4S(0, 0, 31)
	EXP
	VST1.P [V0.S4], 16(R0)
	FADD_4S(28, 28, 0)
	SUB    $4, R1
	SUB    $1, R2
	CBNZ   R2, chain

fold:
	FCVTL_2D(0, 28)
	FCVTL2_2D(1, 28)
	FADD_2D(29, 29, 0)
	FADD_2D(30, 30, 1)
	CBNZ  R1, block
	FADD_2D(29, 29, 30)
	FADDP_2D(29, 29)
	FMOVD F29, ret+32(FP)
	RET

// func softcapNEON(x []float32, scale, limit float32)
TEXT ·softcapNEON(SB), NOSPLIT, $0-32
	MOVD  x_base+0(FP), R0
	MOVD  x_len+8(FP), R1
	FMOVS scale+24(FP), F28
	FMOVS limit+28(FP), F29
	VDUP  V28.S[0], V28.S4
	VDUP  V29.S[0], V29.S4
	EXP_CONSTANTS
	SPLAT(0x80000000, V30)

vector:
	CBZ  R1, done
	VLD1 (R0), [V5.S4]
	FMUL_4S(5, 5, 28)
	FABS_4S(0, 5)
	FNEG_4S(0, 0)
	FADD_4S(0, 0, 0)
	EXP
	FSUB_4S(6, 26, 0)
	FADD_4S(0, 26, 0)
	FDIV_4S(6, 6, 0)
	VAND V30.B16, V5.B16, V5.B16
	VORR V5.B16, V6.B16, V6.B16
	FMUL_4S(6, 6, 29)
	VST1.P [V6.S4], 16(R0)
	SUB  $4, R1
	B    vector

done:
	RET
