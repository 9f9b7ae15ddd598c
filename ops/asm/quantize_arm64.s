//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"

// QUANTS turns four values into integers, times V12. Conversion would make 0 of
// a NaN: V31 is what it becomes.
#define QUANTS(d) \
	FMUL_4S(d, d, 12) \
	FMAXNM_4S(d, d, 31) \
	FCVTNS_4S(d, d)

// func quantizeNEON(q *int8, scale, scaledSum *float32, sum, halfSum *int32, x *float32, groups int)
TEXT ·quantizeNEON(SB), NOSPLIT, $0-56
	MOVD q+0(FP), R0
	MOVD scale+8(FP), R1
	MOVD scaledSum+16(FP), R2
	MOVD sum+24(FP), R3
	MOVD halfSum+32(FP), R4
	MOVD x+40(FP), R5
	MOVD groups+48(FP), R6
	SPLAT(0x7fffffff, V26)
	SPLAT(0x3c010204, V27) // 1/127
	SPLAT(0x42fe0000, V28) // 127
	SPLAT(0x1f800000, V29) // quantTiny
	ZERO(30)
	SPLAT(0xc3000000, V31) // -128

group:
	// Magnitudes are ordered like their bit patterns; NaN is above them all.
	VLD1.P 64(R5), [V0.S4, V1.S4, V2.S4, V3.S4]
	VLD1.P 64(R5), [V4.S4, V5.S4, V6.S4, V7.S4]
	VAND   V26.B16, V0.B16, V16.B16
	VAND   V26.B16, V1.B16, V17.B16
	VAND   V26.B16, V2.B16, V18.B16
	VAND   V26.B16, V3.B16, V19.B16
	VAND   V26.B16, V4.B16, V20.B16
	VAND   V26.B16, V5.B16, V21.B16
	VAND   V26.B16, V6.B16, V22.B16
	VAND   V26.B16, V7.B16, V23.B16
	VUMAX  V17.S4, V16.S4, V16.S4
	VUMAX  V19.S4, V18.S4, V18.S4
	VUMAX  V21.S4, V20.S4, V20.S4
	VUMAX  V23.S4, V22.S4, V22.S4
	VUMAX  V18.S4, V16.S4, V16.S4
	VUMAX  V22.S4, V20.S4, V20.S4
	VUMAX  V20.S4, V16.S4, V16.S4
	UMAXV_4S(8, 16)

	FMULS   F27, F8, F9
	FSUBS   F8, F8, F10
	FADDS   F10, F9, F9
	FMOVS.P F9, 4(R1)
	FDIVS   F8, F28, F12
	FCMPS   F29, F8
	FCSELS  MI, F30, F12, F12
	VDUP    V12.S[0], V12.S4

	QUANTS(0)
	QUANTS(1)
	QUANTS(2)
	QUANTS(3)
	QUANTS(4)
	QUANTS(5)
	QUANTS(6)
	QUANTS(7)
	VUZP1  V1.H8, V0.H8, V0.H8
	VUZP1  V3.H8, V2.H8, V2.H8
	VUZP1  V5.H8, V4.H8, V4.H8
	VUZP1  V7.H8, V6.H8, V6.H8
	VUZP1  V2.B16, V0.B16, V0.B16
	VUZP1  V6.B16, V4.B16, V1.B16
	VST1.P [V0.B16, V1.B16], 32(R0)

	SADDLV_16B(0, 0)
	SADDLV_16B(1, 1)
	SXTL_4S(0, 0)
	SXTL_4S(1, 1)
	FMOVS.P F0, 4(R4)
	FMOVS.P F1, 4(R4)
	VADD    V1.S4, V0.S4, V0.S4
	FMOVS.P F0, 4(R3)
	SCVTF_4S(0, 0)
	FMULS   F0, F9, F9
	FMOVS.P F9, 4(R2)
	SUB     $1, R6
	CBNZ    R6, group
	RET
