//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"

// FOLD adds up V0 to V3 and carries the sum on in float64, in V20 and V21.
#define FOLD \
	FADD_4S(0, 0, 1) \
	FADD_4S(2, 2, 3) \
	FADD_4S(0, 0, 2) \
	FCVTL_2D(4, 0)   \
	FCVTL2_2D(5, 0)  \
	FADD_2D(20, 20, 4) \
	FADD_2D(21, 21, 5)

#define ZERO4 \
	VEOR V0.B16, V0.B16, V0.B16 \
	VEOR V1.B16, V1.B16, V1.B16 \
	VEOR V2.B16, V2.B16, V2.B16 \
	VEOR V3.B16, V3.B16, V3.B16

// func diffSumNEON(x []float32, c float32) float64
TEXT ·diffSumNEON(SB), NOSPLIT, $0-40
	MOVD  x_base+0(FP), R0
	MOVD  x_len+8(FP), R1
	FMOVS c+24(FP), F30
	VDUP  V30.S[0], V30.S4
	VEOR  V20.B16, V20.B16, V20.B16
	VEOR  V21.B16, V21.B16, V21.B16

block: // 8 iterations of 16 floats
	ZERO4
	MOVD $8, R2

chain:
	CMP    $16, R1
	BLT    rest
	VLD1.P 64(R0), [V4.S4, V5.S4, V6.S4, V7.S4]
	FSUB_4S(4, 4, 30)
	FSUB_4S(5, 5, 30)
	FSUB_4S(6, 6, 30)
	FSUB_4S(7, 7, 30)
	FADD_4S(0, 0, 4)
	FADD_4S(1, 1, 5)
	FADD_4S(2, 2, 6)
	FADD_4S(3, 3, 7)
	SUB    $16, R1
	SUB    $1, R2
	CBNZ   R2, chain
	B      fold

rest: // 4 floats
	CBZ    R1, fold
	VLD1.P 16(R0), [V4.S4]
	FSUB_4S(4, 4, 30)
	FADD_4S(0, 0, 4)
	SUB    $4, R1
	B      rest

fold:
	FOLD
	CBNZ  R1, block
	FADD_2D(20, 20, 21)
	FADDP_2D(20, 20)
	FMOVD F20, ret+32(FP)
	RET

// func diffSquaresNEON(x []float32, c float32) float64
TEXT ·diffSquaresNEON(SB), NOSPLIT, $0-40
	MOVD  x_base+0(FP), R0
	MOVD  x_len+8(FP), R1
	FMOVS c+24(FP), F30
	VDUP  V30.S[0], V30.S4
	VEOR  V20.B16, V20.B16, V20.B16
	VEOR  V21.B16, V21.B16, V21.B16

block: // 8 iterations of 16 floats
	ZERO4
	MOVD $8, R2

chain:
	CMP    $16, R1
	BLT    rest
	VLD1.P 64(R0), [V4.S4, V5.S4, V6.S4, V7.S4]
	FSUB_4S(4, 4, 30)
	FSUB_4S(5, 5, 30)
	FSUB_4S(6, 6, 30)
	FSUB_4S(7, 7, 30)
	VFMLA  V4.S4, V4.S4, V0.S4
	VFMLA  V5.S4, V5.S4, V1.S4
	VFMLA  V6.S4, V6.S4, V2.S4
	VFMLA  V7.S4, V7.S4, V3.S4
	SUB    $16, R1
	SUB    $1, R2
	CBNZ   R2, chain
	B      fold

rest: // 4 floats
	CBZ    R1, fold
	VLD1.P 16(R0), [V4.S4]
	FSUB_4S(4, 4, 30)
	VFMLA  V4.S4, V4.S4, V0.S4
	SUB    $4, R1
	B      rest

fold:
	FOLD
	CBNZ  R1, block
	FADD_2D(20, 20, 21)
	FADDP_2D(20, 20)
	FMOVD F20, ret+32(FP)
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
