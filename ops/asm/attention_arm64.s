//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"

// func mulPanels32x4NEON(c, a, b []float32, k, panels, ldc, lda, stride int)
TEXT ·mulPanels32x4NEON(SB), NOSPLIT, $0-112
	MOVD c_base+0(FP), R0
	MOVD a_base+24(FP), R1
	MOVD b_base+48(FP), R2
	MOVD panels+80(FP), R4
	MOVD ldc+88(FP), R5
	MOVD lda+96(FP), R6
	MOVD stride+104(FP), R7
	LSL  $2, R5
	LSL  $2, R6
	LSL  $2, R7

panel:
	CBZ  R4, done
	VEOR V16.B16, V16.B16, V16.B16
	VEOR V17.B16, V17.B16, V17.B16
	VEOR V18.B16, V18.B16, V18.B16
	VEOR V19.B16, V19.B16, V19.B16
	VEOR V20.B16, V20.B16, V20.B16
	VEOR V21.B16, V21.B16, V21.B16
	VEOR V22.B16, V22.B16, V22.B16
	VEOR V23.B16, V23.B16, V23.B16
	VEOR V24.B16, V24.B16, V24.B16
	VEOR V25.B16, V25.B16, V25.B16
	VEOR V26.B16, V26.B16, V26.B16
	VEOR V27.B16, V27.B16, V27.B16
	VEOR V28.B16, V28.B16, V28.B16
	VEOR V29.B16, V29.B16, V29.B16
	VEOR V30.B16, V30.B16, V30.B16
	VEOR V31.B16, V31.B16, V31.B16
	MOVD R1, R8
	ADD  R6, R8, R9
	ADD  R6, R9, R10
	ADD  R6, R10, R11
	MOVD R2, R12
	MOVD k+72(FP), R13
	CBZ  R13, store

term:
	VLD1.P 64(R12), [V0.S4, V1.S4, V2.S4, V3.S4]
	VLD1R.P 4(R8), [V4.S4]
	VLD1R.P 4(R9), [V5.S4]
	VLD1R.P 4(R10), [V6.S4]
	VLD1R.P 4(R11), [V7.S4]
	VFMLA V0.S4, V4.S4, V16.S4
	VFMLA V1.S4, V4.S4, V17.S4
	VFMLA V2.S4, V4.S4, V18.S4
	VFMLA V3.S4, V4.S4, V19.S4
	VFMLA V0.S4, V5.S4, V20.S4
	VFMLA V1.S4, V5.S4, V21.S4
	VFMLA V2.S4, V5.S4, V22.S4
	VFMLA V3.S4, V5.S4, V23.S4
	VFMLA V0.S4, V6.S4, V24.S4
	VFMLA V1.S4, V6.S4, V25.S4
	VFMLA V2.S4, V6.S4, V26.S4
	VFMLA V3.S4, V6.S4, V27.S4
	VFMLA V0.S4, V7.S4, V28.S4
	VFMLA V1.S4, V7.S4, V29.S4
	VFMLA V2.S4, V7.S4, V30.S4
	VFMLA V3.S4, V7.S4, V31.S4
	SUB  $1, R13
	CBNZ R13, term

store:
	MOVD R0, R8
	VST1 [V16.S4, V17.S4, V18.S4, V19.S4], (R8)
	ADD  R5, R8
	VST1 [V20.S4, V21.S4, V22.S4, V23.S4], (R8)
	ADD  R5, R8
	VST1 [V24.S4, V25.S4, V26.S4, V27.S4], (R8)
	ADD  R5, R8
	VST1 [V28.S4, V29.S4, V30.S4, V31.S4], (R8)
	ADD  $64, R0
	ADD  R7, R2
	SUB  $1, R4
	B    panel

done:
	RET

// func mulPanels32x1NEON(c, a, b []float32, k, panels, stride int)
TEXT ·mulPanels32x1NEON(SB), NOSPLIT, $0-96
	MOVD c_base+0(FP), R0
	MOVD a_base+24(FP), R1
	MOVD b_base+48(FP), R2
	MOVD panels+80(FP), R4
	MOVD stride+88(FP), R7
	LSL  $2, R7

panel:
	CBZ  R4, done
	VEOR V16.B16, V16.B16, V16.B16
	VEOR V17.B16, V17.B16, V17.B16
	VEOR V18.B16, V18.B16, V18.B16
	VEOR V19.B16, V19.B16, V19.B16
	MOVD R1, R8
	MOVD R2, R12
	MOVD k+72(FP), R13
	CBZ  R13, store

term:
	VLD1.P 64(R12), [V0.S4, V1.S4, V2.S4, V3.S4]
	VLD1R.P 4(R8), [V4.S4]
	VFMLA V0.S4, V4.S4, V16.S4
	VFMLA V1.S4, V4.S4, V17.S4
	VFMLA V2.S4, V4.S4, V18.S4
	VFMLA V3.S4, V4.S4, V19.S4
	SUB  $1, R13
	CBNZ R13, term

store:
	MOVD R0, R8
	VST1 [V16.S4, V17.S4, V18.S4, V19.S4], (R8)
	ADD  $64, R0
	ADD  R7, R2
	SUB  $1, R4
	B    panel

done:
	RET

// func mulPanels16x4NEON(c, a []float32, b []uint16, k, panels, ldc, lda, stride int)
TEXT ·mulPanels16x4NEON(SB), NOSPLIT, $0-112
	MOVD c_base+0(FP), R0
	MOVD a_base+24(FP), R1
	MOVD b_base+48(FP), R2
	MOVD panels+80(FP), R4
	MOVD ldc+88(FP), R5
	MOVD lda+96(FP), R6
	MOVD stride+104(FP), R7
	LSL  $2, R5
	LSL  $2, R6
	LSL  $1, R7

panel:
	CBZ  R4, done
	VEOR V16.B16, V16.B16, V16.B16
	VEOR V17.B16, V17.B16, V17.B16
	VEOR V18.B16, V18.B16, V18.B16
	VEOR V19.B16, V19.B16, V19.B16
	VEOR V20.B16, V20.B16, V20.B16
	VEOR V21.B16, V21.B16, V21.B16
	VEOR V22.B16, V22.B16, V22.B16
	VEOR V23.B16, V23.B16, V23.B16
	VEOR V24.B16, V24.B16, V24.B16
	VEOR V25.B16, V25.B16, V25.B16
	VEOR V26.B16, V26.B16, V26.B16
	VEOR V27.B16, V27.B16, V27.B16
	VEOR V28.B16, V28.B16, V28.B16
	VEOR V29.B16, V29.B16, V29.B16
	VEOR V30.B16, V30.B16, V30.B16
	VEOR V31.B16, V31.B16, V31.B16
	MOVD R1, R8
	ADD  R6, R8, R9
	ADD  R6, R9, R10
	ADD  R6, R10, R11
	MOVD R2, R12
	MOVD k+72(FP), R13
	CBZ  R13, store

term:
	VLD1.P 32(R12), [V4.H8, V5.H8]
	FCVTL_4S(0, 4)
	FCVTL2_4S(1, 4)
	FCVTL_4S(2, 5)
	FCVTL2_4S(3, 5)
	VLD1R.P 4(R8), [V4.S4]
	VLD1R.P 4(R9), [V5.S4]
	VLD1R.P 4(R10), [V6.S4]
	VLD1R.P 4(R11), [V7.S4]
	VFMLA V0.S4, V4.S4, V16.S4
	VFMLA V1.S4, V4.S4, V17.S4
	VFMLA V2.S4, V4.S4, V18.S4
	VFMLA V3.S4, V4.S4, V19.S4
	VFMLA V0.S4, V5.S4, V20.S4
	VFMLA V1.S4, V5.S4, V21.S4
	VFMLA V2.S4, V5.S4, V22.S4
	VFMLA V3.S4, V5.S4, V23.S4
	VFMLA V0.S4, V6.S4, V24.S4
	VFMLA V1.S4, V6.S4, V25.S4
	VFMLA V2.S4, V6.S4, V26.S4
	VFMLA V3.S4, V6.S4, V27.S4
	VFMLA V0.S4, V7.S4, V28.S4
	VFMLA V1.S4, V7.S4, V29.S4
	VFMLA V2.S4, V7.S4, V30.S4
	VFMLA V3.S4, V7.S4, V31.S4
	SUB  $1, R13
	CBNZ R13, term

store:
	MOVD R0, R8
	VST1 [V16.S4, V17.S4, V18.S4, V19.S4], (R8)
	ADD  R5, R8
	VST1 [V20.S4, V21.S4, V22.S4, V23.S4], (R8)
	ADD  R5, R8
	VST1 [V24.S4, V25.S4, V26.S4, V27.S4], (R8)
	ADD  R5, R8
	VST1 [V28.S4, V29.S4, V30.S4, V31.S4], (R8)
	ADD  $64, R0
	ADD  R7, R2
	SUB  $1, R4
	B    panel

done:
	RET

// func mulPanels16x1NEON(c, a []float32, b []uint16, k, panels, stride int)
TEXT ·mulPanels16x1NEON(SB), NOSPLIT, $0-96
	MOVD c_base+0(FP), R0
	MOVD a_base+24(FP), R1
	MOVD b_base+48(FP), R2
	MOVD panels+80(FP), R4
	MOVD stride+88(FP), R7
	LSL  $1, R7

panel:
	CBZ  R4, done
	VEOR V16.B16, V16.B16, V16.B16
	VEOR V17.B16, V17.B16, V17.B16
	VEOR V18.B16, V18.B16, V18.B16
	VEOR V19.B16, V19.B16, V19.B16
	MOVD R1, R8
	MOVD R2, R12
	MOVD k+72(FP), R13
	CBZ  R13, store

term:
	VLD1.P 32(R12), [V4.H8, V5.H8]
	FCVTL_4S(0, 4)
	FCVTL2_4S(1, 4)
	FCVTL_4S(2, 5)
	FCVTL2_4S(3, 5)
	VLD1R.P 4(R8), [V4.S4]
	VFMLA V0.S4, V4.S4, V16.S4
	VFMLA V1.S4, V4.S4, V17.S4
	VFMLA V2.S4, V4.S4, V18.S4
	VFMLA V3.S4, V4.S4, V19.S4
	SUB  $1, R13
	CBNZ R13, term

store:
	MOVD R0, R8
	VST1 [V16.S4, V17.S4, V18.S4, V19.S4], (R8)
	ADD  $64, R0
	ADD  R7, R2
	SUB  $1, R4
	B    panel

done:
	RET

DATA iota<>+0(SB)/4, $0x00000000
DATA iota<>+4(SB)/4, $0x3f800000
DATA iota<>+8(SB)/4, $0x40000000
DATA iota<>+12(SB)/4, $0x40400000
GLOBL iota<>(SB), RODATA|NOPTR, $16

// func biasNEON(x []float32, slope, first float32)
TEXT ·biasNEON(SB), NOSPLIT, $0-32
	MOVD  x_base+0(FP), R0
	MOVD  x_len+8(FP), R1
	FMOVS slope+24(FP), F29
	FMOVS first+28(FP), F30
	VDUP  V29.S[0], V29.S4
	VDUP  V30.S[0], V30.S4
	MOVD  $iota<>(SB), R2
	VLD1  (R2), [V0.S4]
	FADD_4S(30, 30, 0)
	SPLAT(0x40800000, V31) // 4

vector:
	CBZ    R1, done
	VLD1   (R0), [V0.S4]
	VFMLA  V29.S4, V30.S4, V0.S4
	VST1.P [V0.S4], 16(R0)
	FADD_4S(30, 30, 31)
	SUB    $4, R1
	B      vector

done:
	RET

// func exp2SumNEON(x []float32, top float32) (sum float64)
//
// The coefficients are those of _gen/attention.go.
TEXT ·exp2SumNEON(SB), NOSPLIT, $0-40
	MOVD  x_base+0(FP), R0
	MOVD  x_len+8(FP), R1
	FMOVS top+24(FP), F31
	VDUP  V31.S[0], V31.S4
	SPLAT(0xc2fa0000, V16) // -125
	SPLAT(0x3920a7b1, V17)
	SPLAT(0x3aaf8245, V18)
	SPLAT(0x3c1d9706, V19)
	SPLAT(0x3d6357c4, V20)
	SPLAT(0x3e75fdee, V21)
	SPLAT(0x3f317218, V22)
	SPLAT(0x3f800000, V23)
	VEOR  V29.B16, V29.B16, V29.B16
	VEOR  V30.B16, V30.B16, V30.B16

block: // 8 iterations of 4 floats, summed up in float32
	VEOR V28.B16, V28.B16, V28.B16
	MOVD $8, R2

chain:
	CBZ    R1, fold
	VLD1   (R0), [V0.S4]
	FSUB_4S(0, 0, 31)
	FMAX_4S(0, 0, 16)
	FRINTN_4S(1, 0)
	FSUB_4S(0, 0, 1)
	FCVTNS_4S(1, 1)
	VSHL   $23, V1.S4, V1.S4
	VORR   V18.B16, V18.B16, V3.B16
	VFMLA  V0.S4, V17.S4, V3.S4
	VORR   V19.B16, V19.B16, V2.B16
	VFMLA  V0.S4, V3.S4, V2.S4
	VORR   V20.B16, V20.B16, V3.B16
	VFMLA  V0.S4, V2.S4, V3.S4
	VORR   V21.B16, V21.B16, V2.B16
	VFMLA  V0.S4, V3.S4, V2.S4
	VORR   V22.B16, V22.B16, V3.B16
	VFMLA  V0.S4, V2.S4, V3.S4
	VORR   V23.B16, V23.B16, V2.B16
	VFMLA  V0.S4, V3.S4, V2.S4
	VADD   V1.S4, V2.S4, V0.S4
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
	FMOVD F29, sum+32(FP)
	RET

// func scaleAddNEON(x, y []float32, a, b float32)
TEXT ·scaleAddNEON(SB), NOSPLIT, $0-56
	MOVD  x_base+0(FP), R0
	MOVD  x_len+8(FP), R1
	MOVD  y_base+24(FP), R2
	FMOVS a+48(FP), F30
	FMOVS b+52(FP), F31
	VDUP  V30.S[0], V30.S4
	VDUP  V31.S[0], V31.S4

vector:
	CBZ    R1, done
	VLD1   (R0), [V0.S4]
	VLD1.P 16(R2), [V1.S4]
	FMUL_4S(1, 1, 31)
	VFMLA  V30.S4, V0.S4, V1.S4
	VST1.P [V1.S4], 16(R0)
	SUB    $4, R1
	B      vector

done:
	RET

// func rotateHalvesNEON(low, high, ownLow, ownHigh, otherLow, otherHigh []float32)
TEXT ·rotateHalvesNEON(SB), NOSPLIT, $0-144
	MOVD low_base+0(FP), R0
	MOVD low_len+8(FP), R1
	MOVD high_base+24(FP), R2
	MOVD ownLow_base+48(FP), R3
	MOVD ownHigh_base+72(FP), R4
	MOVD otherLow_base+96(FP), R5
	MOVD otherHigh_base+120(FP), R6

vector:
	CBZ    R1, done
	VLD1   (R0), [V0.S4]
	VLD1   (R2), [V1.S4]
	VLD1.P 16(R3), [V2.S4]
	VLD1.P 16(R4), [V3.S4]
	VLD1.P 16(R5), [V4.S4]
	VLD1.P 16(R6), [V5.S4]
	FMUL_4S(4, 1, 4)
	FMUL_4S(5, 0, 5)
	VFMLA  V0.S4, V2.S4, V4.S4
	VFMLA  V1.S4, V3.S4, V5.S4
	VST1.P [V4.S4], 16(R0)
	VST1.P [V5.S4], 16(R2)
	SUB    $4, R1
	B      vector

done:
	RET

// func rotatePairsNEON(x, own, other []float32)
TEXT ·rotatePairsNEON(SB), NOSPLIT, $0-72
	MOVD x_base+0(FP), R0
	MOVD x_len+8(FP), R1
	MOVD own_base+24(FP), R2
	MOVD other_base+48(FP), R3

vector:
	CBZ    R1, done
	VLD1   (R0), [V0.S4]
	VLD1.P 16(R2), [V1.S4]
	VLD1.P 16(R3), [V2.S4]
	VREV64 V0.S4, V3.S4
	FMUL_4S(3, 3, 2)
	VFMLA  V0.S4, V1.S4, V3.S4
	VST1.P [V3.S4], 16(R0)
	SUB    $4, R1
	B      vector

done:
	RET

// func spread16NEON(dst []uint16, x []float32, stride int)
TEXT ·spread16NEON(SB), NOSPLIT, $0-56
	MOVD dst_base+0(FP), R0
	MOVD x_base+24(FP), R1
	MOVD x_len+32(FP), R2
	MOVD stride+48(FP), R3
	LSL  $1, R3

panel:
	CBZ    R2, done
	VLD1.P 64(R1), [V0.S4, V1.S4, V2.S4, V3.S4]
	FCVTN_4H(4, 0)
	FCVTN2_8H(4, 1)
	FCVTN_4H(5, 2)
	FCVTN2_8H(5, 3)
	VST1   [V4.H8, V5.H8], (R0)
	ADD    R3, R0
	SUB    $16, R2
	B      panel

done:
	RET

// func scatter16NEON(dst []uint16, x []float32)
TEXT ·scatter16NEON(SB), NOSPLIT, $0-48
	MOVD dst_base+0(FP), R0
	MOVD x_base+24(FP), R1
	MOVD x_len+32(FP), R2

vector:
	CBZ    R2, done
	VLD1.P 16(R1), [V0.S4]
	FCVTN_4H(0, 0)
	VMOV   V0.D[0], R3
	MOVH   R3, (R0)
	LSR    $16, R3
	MOVH   R3, 32(R0)
	LSR    $16, R3
	MOVH   R3, 64(R0)
	LSR    $16, R3
	MOVH   R3, 96(R0)
	ADD    $128, R0
	SUB    $4, R2
	B      vector

done:
	RET
