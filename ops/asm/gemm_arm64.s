//go:build !purego

#include "textflag.h"
#include "neon_arm64.h"

// GEMM_ARGS loads the arguments. R8 counts the groups of 32 that are left, R9
// is the chain of the next one, R10 to R11 are the chains: eight times 256
// bytes, which is what the 16 accumulators V16 to V31 hold.
#define GEMM_ARGS \
	MOVD c+0(FP), R0 \
	MOVD q+8(FP), R1 \
	MOVD scale+16(FP), R2 \
	MOVD min+24(FP), R3 \
	MOVD aq+32(FP), R4 \
	MOVD ascale+40(FP), R5 \
	MOVD asum+48(FP), R6 \
	MOVD columns+56(FP), R7 \
	LSR  $5, R7 \
	MOVD chains+64(FP), R10 \
	ADD  $2048, R10, R11

// GROUPS adds all groups of one part of the products to its chains. GROUP adds
// one of 32 and moves R9 on; ROUND sets it for the next ones, up to the given
// end.
#define GROUPS(ROUND, GROUP, end) \
	MOVD R1, R12 \
	MOVD R2, R13 \
	MOVD R3, R14 \
	MOVD R4, R15 \
	MOVD R5, R16 \
	MOVD R6, R17 \
	MOVD R7, R8 \
	ZERO(0) \
	ZERO(1) \
	ZERO(2) \
	ZERO(3) \
	MOVD R10, R9 \
zero: \
	VST1.P [V0.B16, V1.B16, V2.B16, V3.B16], 64(R9) \
	CMP  R9, R11 \
	BNE  zero \
round: \
	ROUND \
group: \
	GROUP \
	SUB  $1, R8 \
	CMP  R9, end \
	BNE  group \
	CBNZ R8, round

// ROUND_32 takes the chains in order, the last ones if there are fewer
// groups.
#define ROUND_32 \
	MOVD $8, R20 \
	CMP  R20, R8 \
	CSEL LT, R8, R20, R20 \
	SUB  R20<<8, R11, R9

// ROUND_16 takes the first four chains; the others are for the second
// groups of 16. If the last groups are two, or six, two of them come first, and
// take the last chains.
#define ROUND_16 \
	MOVD R10, R9 \
	ADD  $1024, R10, R21 \
	AND  $7, R7, R20 \
	CMP  R20, R8 \
	BNE  whole \
	TBZ  $1, R8, whole \
	ADD  $512, R9 \
whole:

// Both groups of 16 of one of 32.
#define TWICE(GROUP) \
	GROUP \
	ADD $768, R9 \
	GROUP \
	SUB $1024, R9

#define ZERO_4(d) \
	ZERO(d) \
	ZERO(d+1) \
	ZERO(d+2) \
	ZERO(d+3)

#define ZERO_16 \
	ZERO_4(16) \
	ZERO_4(20) \
	ZERO_4(24) \
	ZERO_4(28)

#define ADD_4(d, n) \
	FADD_4S(d, d, n) \
	FADD_4S(d+1, d+1, n+1) \
	FADD_4S(d+2, d+2, n+2) \
	FADD_4S(d+3, d+3, n+3)

#define LOAD_CHAIN(i, a, b, c, d) \
	FMOVQ (256*i)(R20), a \
	FMOVQ (256*i+16)(R20), b \
	FMOVQ (256*i+32)(R20), c \
	FMOVQ (256*i+48)(R20), d

// SUM_CHAINS adds up 64 bytes of the chains at R20, to V0 to V3.
#define SUM_CHAINS \
	LOAD_CHAIN(0, F0, F1, F2, F3) \
	LOAD_CHAIN(4, F4, F5, F6, F7) \
	ADD_4(0, 4) \
	LOAD_CHAIN(2, F4, F5, F6, F7) \
	LOAD_CHAIN(6, F8, F9, F10, F11) \
	ADD_4(4, 8) \
	ADD_4(0, 4) \
	LOAD_CHAIN(1, F4, F5, F6, F7) \
	LOAD_CHAIN(5, F8, F9, F10, F11) \
	ADD_4(4, 8) \
	LOAD_CHAIN(3, F8, F9, F10, F11) \
	LOAD_CHAIN(7, F12, F13, F14, F15) \
	ADD_4(8, 12) \
	ADD_4(4, 8) \
	ADD_4(0, 4) \
	ZERO_4(4) \
	ADD_4(0, 4) \
	ADD $64, R20

// GEMM multiplies four rows of weights at a time with the tile. V16 to V31
// have 16 products of each row.
#define GEMM(group, ROUND, GROUP, end) \
	GEMM_ARGS \
	MOVD $4, R19 \
quad: \
	GROUPS(ROUND, GROUP, end) \
	MOVD R10, R20 \
	MOVD $4, R9 \
sum: \
	SUM_CHAINS \
	VST1.P [V0.S4, V1.S4, V2.S4, V3.S4], 64(R0) \
	SUB  $1, R9 \
	CBNZ R9, sum \
	ADD  $(4*group), R1 \
	ADD  $16, R2 \
	ADD  $16, R3 \
	SUB  $1, R19 \
	CBNZ R19, quad

// DOT_ROW_NEON and DOT_ROW_DOTPROD multiply four columns: of the tile, in V4 to
// V7, with word i of r. As to overflows, see DOT_NEON.
#define DOT_NEON(d, n) \
	SMULL_8H(9, n, 8) \
	SMULL2_8H(10, n, 8) \
	ADDP_8H(9, 9, 10) \
	SADALP_4S(d, 9)

#define DOT_ROW_NEON(d, r, i) \
	DUP_LANE_4S(8, r, i) \
	DOT_NEON(d, 4) \
	DOT_NEON(d+1, 5) \
	DOT_NEON(d+2, 6) \
	DOT_NEON(d+3, 7)

#define DOT_ROW_DOTPROD(d, r, i) \
	SDOT_LANE_4S(d, 4, r, i) \
	SDOT_LANE_4S(d+1, 5, r, i) \
	SDOT_LANE_4S(d+2, 6, r, i) \
	SDOT_LANE_4S(d+3, 7, r, i)

#define DOT_4(DOT_ROW, i) \
	VLD1.P 64(R15), [V4.B16, V5.B16, V6.B16, V7.B16] \
	DOT_ROW(16, 0, i) \
	DOT_ROW(20, 1, i) \
	DOT_ROW(24, 2, i) \
	DOT_ROW(28, 3, i)

// DOT_16 multiplies 16 columns of four rows that are so far apart.
#define DOT_16(DOT_ROW, stride, at) \
	FMOVQ (at)(R12), F0 \
	FMOVQ (at+stride)(R12), F1 \
	FMOVQ (at+2*stride)(R12), F2 \
	FMOVQ (at+3*stride)(R12), F3 \
	DOT_4(DOT_ROW, 0) \
	DOT_4(DOT_ROW, 1) \
	DOT_4(DOT_ROW, 2) \
	DOT_4(DOT_ROW, 3)

// CHAIN_ROW adds the products d to d+3 of a row to its chain, times the scale
// in lane i of V0 and those in V4 to V7.
#define CHAIN_ROW(MIN, d, i) \
	FMUL_LANE_4S(12, 4, 0, i) \
	FMUL_LANE_4S(13, 5, 0, i) \
	FMUL_LANE_4S(14, 6, 0, i) \
	FMUL_LANE_4S(15, 7, 0, i) \
	SCVTF_4S(d, d) \
	SCVTF_4S(d+1, d+1) \
	SCVTF_4S(d+2, d+2) \
	SCVTF_4S(d+3, d+3) \
	VLD1   (R9), [V8.S4, V9.S4, V10.S4, V11.S4] \
	FMLA_4S(8, d, 12) \
	FMLA_4S(9, d+1, 13) \
	FMLA_4S(10, d+2, 14) \
	FMLA_4S(11, d+3, 15) \
	MIN(i) \
	VST1.P [V8.S4, V9.S4, V10.S4, V11.S4], 64(R9)

#define NO_MIN(i)

// MIN_ROW adds the products of the min in lane i of V1 and those at R17.
#define MIN_ROW(i) \
	VLD1 (R17), [V12.S4, V13.S4, V14.S4, V15.S4] \
	FMLA_LANE_4S(8, 12, 1, i) \
	FMLA_LANE_4S(9, 13, 1, i) \
	FMLA_LANE_4S(10, 14, 1, i) \
	FMLA_LANE_4S(11, 15, 1, i)

#define CHAIN_ROWS(MIN) \
	VLD1 (R13), [V0.S4] \
	VLD1 (R16), [V4.S4, V5.S4, V6.S4, V7.S4] \
	ADD  $64, R13 \
	CHAIN_ROW(MIN, 16, 0) \
	CHAIN_ROW(MIN, 20, 1) \
	CHAIN_ROW(MIN, 24, 2) \
	CHAIN_ROW(MIN, 28, 3)

#define GROUP_32(DOT_ROW) \
	ZERO_16 \
	DOT_16(DOT_ROW, 32, 0) \
	DOT_16(DOT_ROW, 32, 16) \
	CHAIN_ROWS(NO_MIN) \
	ADD $512, R12 \
	ADD $64, R16

#define GROUP_MIN(DOT_ROW) \
	ZERO_16 \
	DOT_16(DOT_ROW, 32, 0) \
	DOT_16(DOT_ROW, 32, 16) \
	VLD1 (R14), [V1.S4] \
	CHAIN_ROWS(MIN_ROW) \
	ADD $512, R12 \
	ADD $64, R14 \
	ADD $64, R16 \
	ADD $64, R17

#define HALF_GROUP(DOT_ROW) \
	ZERO_16 \
	DOT_16(DOT_ROW, 16, 0) \
	CHAIN_ROWS(NO_MIN) \
	ADD $256, R12

#define GROUP_16(DOT_ROW) \
	TWICE(HALF_GROUP(DOT_ROW)) \
	ADD $64, R16

// MIN_ROW_16 is MIN_ROW with half sums at R17, times the scales in V4 to V7. FIRST
// moves the first of two halfwords to the second.
#define MIN_ROW_16(FIRST, i) \
	VLD1 (R17), [V12.S4, V13.S4, V14.S4, V15.S4] \
	FIRST(V12) \
	FIRST(V13) \
	FIRST(V14) \
	FIRST(V15) \
	HALF_SUM(12, 4) \
	HALF_SUM(13, 5) \
	HALF_SUM(14, 6) \
	HALF_SUM(15, 7) \
	FMLA_LANE_4S(8, 12, 1, i) \
	FMLA_LANE_4S(9, 13, 1, i) \
	FMLA_LANE_4S(10, 14, 1, i) \
	FMLA_LANE_4S(11, 15, 1, i)

#define HALF_SUM(v, scale) \
	SSHR_16_4S(v, v) \
	SCVTF_4S(v, v) \
	FMUL_4S(v, v, scale)

#define FIRST_HALF(v) VSHL $16, v.S4, v.S4

#define SECOND_HALF(v)

#define MIN_ROW_FIRST(i) MIN_ROW_16(FIRST_HALF, i)

#define MIN_ROW_SECOND(i) MIN_ROW_16(SECOND_HALF, i)

#define HALF_GROUP_MIN(DOT_ROW, MIN) \
	ZERO_16 \
	DOT_16(DOT_ROW, 16, 0) \
	VLD1 (R14), [V1.S4] \
	CHAIN_ROWS(MIN) \
	ADD $256, R12 \
	ADD $64, R14

#define GROUP_16_MIN(DOT_ROW) \
	HALF_GROUP_MIN(DOT_ROW, MIN_ROW_FIRST) \
	ADD $768, R9 \
	HALF_GROUP_MIN(DOT_ROW, MIN_ROW_SECOND) \
	SUB $1024, R9 \
	ADD $64, R16 \
	ADD $64, R17

// GEMM_2X2 multiplies eight rows of weights at a time with eight rows of
// activations. V16 to V31 have 2x2 products each; a pair of rows of weights
// has four of them.
#define GEMM_2X2(group, ROUND, GROUP, end) \
	GEMM_ARGS \
	MOVD $2, R19 \
	MOVD $32, R22 \
octets: \
	GROUPS(ROUND, GROUP, end) \
	MOVD R10, R20 \
	MOVD R0, R23 \
	MOVD $4, R9 \
sum: \
	SUM_CHAINS \
	VZIP1 V1.D2, V0.D2, V4.D2 \
	VZIP1 V3.D2, V2.D2, V5.D2 \
	VZIP2 V1.D2, V0.D2, V6.D2 \
	VZIP2 V3.D2, V2.D2, V7.D2 \
	VST1 [V4.S4, V5.S4], (R23) \
	ADD  $64, R23 \
	VST1 [V6.S4, V7.S4], (R23) \
	ADD  $64, R23 \
	SUB  $1, R9 \
	CBNZ R9, sum \
	ADD  R22, R0 \
	ADD  R22, R4 \
	ADD  R22, R5 \
	ADD  R22, R6 \
	NEG  R22, R22 \
	TBNZ $63, R22, octets \
	ADD  $512, R0 \
	ADD  $(8*group), R1 \
	ADD  $32, R2 \
	ADD  $32, R3 \
	SUB  $1, R19 \
	CBNZ R19, octets

// PAIR loads 16 columns of two rows: eight of both to low, the others to high.
#define PAIR(stride, at, low, high) \
	FMOVQ (at)(R12), F8 \
	FMOVQ (at+stride)(R12), F9 \
	VZIP1 V9.D2, V8.D2, low.D2 \
	VZIP2 V9.D2, V8.D2, high.D2

// MMLA_8 multiplies eight columns; i is the first pair of rows of weights.
#define MMLA_8(i) \
	FMOVQ (R15), F8 \
	FMOVQ 16(R15), F9 \
	FMOVQ 64(R15), F10 \
	FMOVQ 80(R15), F11 \
	ADD   $128, R15 \
	VZIP1 V10.S4, V8.S4, V12.S4 \
	VZIP2 V10.S4, V8.S4, V13.S4 \
	VZIP1 V11.S4, V9.S4, V14.S4 \
	VZIP2 V11.S4, V9.S4, V15.S4 \
	MMLA_PAIR(16, i) \
	MMLA_PAIR(20, i+2) \
	MMLA_PAIR(24, i+4) \
	MMLA_PAIR(28, i+6)

#define MMLA_PAIR(d, n) \
	SMMLA_4S(d, n, 12) \
	SMMLA_4S(d+1, n, 13) \
	SMMLA_4S(d+2, n, 14) \
	SMMLA_4S(d+3, n, 15)

#define MMLA_16(stride, at) \
	PAIR(stride, at, V0, V1) \
	PAIR(stride, at+2*stride, V2, V3) \
	PAIR(stride, at+4*stride, V4, V5) \
	PAIR(stride, at+6*stride, V6, V7) \
	MMLA_8(0) \
	MMLA_8(1)

// CHAIN_2X2 adds products to their chain, times the scales in V0 and n.
#define CHAIN_2X2(MIN, d, n, i) \
	FMUL_4S(2, n, 0) \
	SCVTF_4S(d, d) \
	FMOVQ (16*(d-16))(R9), F3 \
	FMLA_4S(3, d, 2) \
	MIN(n+4) \
	FMOVQ F3, (16*(d-16))(R9)

// MIN_2X2 adds the products of the mins in V1 and n.
#define MIN_2X2(n) FMLA_4S(3, n, 1)

#define LOAD_MIN \
	VLD1R.P 8(R17), [V1.D2]

#define CHAIN_COLUMN(LOAD, MIN, i) \
	VLD1R.P 8(R16), [V0.D2] \
	LOAD \
	CHAIN_2X2(MIN, 16+i, 8, i) \
	CHAIN_2X2(MIN, 20+i, 9, i) \
	CHAIN_2X2(MIN, 24+i, 10, i) \
	CHAIN_2X2(MIN, 28+i, 11, i)

#define CHAIN_OCTETS(LOAD, MIN) \
	VLD1  (R13), [V0.S4, V1.S4] \
	VZIP1 V0.S4, V0.S4, V8.S4 \
	VZIP2 V0.S4, V0.S4, V9.S4 \
	VZIP1 V1.S4, V1.S4, V10.S4 \
	VZIP2 V1.S4, V1.S4, V11.S4 \
	ADD   $64, R13 \
	CHAIN_COLUMN(LOAD, MIN, 0) \
	CHAIN_COLUMN(LOAD, MIN, 1) \
	CHAIN_COLUMN(LOAD, MIN, 2) \
	CHAIN_COLUMN(LOAD, MIN, 3) \
	ADD   $256, R9

#define NOTHING

#define GROUP_32_2X2 \
	ZERO_16 \
	MMLA_16(32, 0) \
	MMLA_16(32, 16) \
	CHAIN_OCTETS(NOTHING, NO_MIN) \
	ADD $512, R12 \
	ADD $32, R16

#define GROUP_MIN_2X2 \
	ZERO_16 \
	MMLA_16(32, 0) \
	MMLA_16(32, 16) \
	VLD1  (R14), [V2.S4, V3.S4] \
	VZIP1 V2.S4, V2.S4, V12.S4 \
	VZIP2 V2.S4, V2.S4, V13.S4 \
	VZIP1 V3.S4, V3.S4, V14.S4 \
	VZIP2 V3.S4, V3.S4, V15.S4 \
	CHAIN_OCTETS(LOAD_MIN, MIN_2X2) \
	ADD $512, R12 \
	ADD $64, R14 \
	ADD $32, R16 \
	ADD $32, R17

#define HALF_GROUP_2X2 \
	ZERO_16 \
	MMLA_16(16, 0) \
	CHAIN_OCTETS(NOTHING, NO_MIN) \
	ADD $256, R12 \
	SUB $32, R16

#define GROUP_16_2X2 \
	TWICE(HALF_GROUP_2X2) \
	ADD $64, R16

#define LOAD_HALF_SUM(FIRST) \
	VLD1R.P 8(R17), [V1.D2] \
	FIRST(V1) \
	HALF_SUM(1, 0)

#define LOAD_MIN_FIRST LOAD_HALF_SUM(FIRST_HALF)

#define LOAD_MIN_SECOND LOAD_HALF_SUM(SECOND_HALF)

#define HALF_GROUP_MIN_2X2(LOAD) \
	ZERO_16 \
	MMLA_16(16, 0) \
	VLD1  (R14), [V2.S4, V3.S4] \
	VZIP1 V2.S4, V2.S4, V12.S4 \
	VZIP2 V2.S4, V2.S4, V13.S4 \
	VZIP1 V3.S4, V3.S4, V14.S4 \
	VZIP2 V3.S4, V3.S4, V15.S4 \
	CHAIN_OCTETS(LOAD, MIN_2X2) \
	ADD $256, R12 \
	ADD $64, R14 \
	SUB $32, R16 \
	SUB $32, R17

#define GROUP_16_MIN_2X2 \
	HALF_GROUP_MIN_2X2(LOAD_MIN_FIRST) \
	ADD $768, R9 \
	HALF_GROUP_MIN_2X2(LOAD_MIN_SECOND) \
	SUB $1024, R9 \
	ADD $64, R16 \
	ADD $64, R17

// func gemmNEON(c *float32, q *int8, scale, min *float32, aq *uint32, ascale, asum *float32, columns int, chains *Chains)
TEXT ·gemmNEON(SB), NOSPLIT, $0-72
	GEMM(32, ROUND_32, GROUP_32(DOT_ROW_NEON), R11)
	RET

// func gemmMinNEON(c *float32, q *int8, scale, min *float32, aq *uint32, ascale, asum *float32, columns int, chains *Chains)
TEXT ·gemmMinNEON(SB), NOSPLIT, $0-72
	GEMM(32, ROUND_32, GROUP_MIN(DOT_ROW_NEON), R11)
	RET

// func gemmSub16NEON(c *float32, q *int8, scale, min *float32, aq *uint32, ascale, asum *float32, columns int, chains *Chains)
TEXT ·gemmSub16NEON(SB), NOSPLIT, $0-72
	GEMM(16, ROUND_16, GROUP_16(DOT_ROW_NEON), R21)
	RET

// func gemmDotProd(c *float32, q *int8, scale, min *float32, aq *uint32, ascale, asum *float32, columns int, chains *Chains)
TEXT ·gemmDotProd(SB), NOSPLIT, $0-72
	GEMM(32, ROUND_32, GROUP_32(DOT_ROW_DOTPROD), R11)
	RET

// func gemmMinDotProd(c *float32, q *int8, scale, min *float32, aq *uint32, ascale, asum *float32, columns int, chains *Chains)
TEXT ·gemmMinDotProd(SB), NOSPLIT, $0-72
	GEMM(32, ROUND_32, GROUP_MIN(DOT_ROW_DOTPROD), R11)
	RET

// func gemmSub16DotProd(c *float32, q *int8, scale, min *float32, aq *uint32, ascale, asum *float32, columns int, chains *Chains)
TEXT ·gemmSub16DotProd(SB), NOSPLIT, $0-72
	GEMM(16, ROUND_16, GROUP_16(DOT_ROW_DOTPROD), R21)
	RET

// func gemmI8MM(c *float32, q *int8, scale, min *float32, aq *uint32, ascale, asum *float32, columns int, chains *Chains)
TEXT ·gemmI8MM(SB), NOSPLIT, $0-72
	GEMM_2X2(32, ROUND_32, GROUP_32_2X2, R11)
	RET

// func gemmMinI8MM(c *float32, q *int8, scale, min *float32, aq *uint32, ascale, asum *float32, columns int, chains *Chains)
TEXT ·gemmMinI8MM(SB), NOSPLIT, $0-72
	GEMM_2X2(32, ROUND_32, GROUP_MIN_2X2, R11)
	RET

// func gemmSub16I8MM(c *float32, q *int8, scale, min *float32, aq *uint32, ascale, asum *float32, columns int, chains *Chains)
TEXT ·gemmSub16I8MM(SB), NOSPLIT, $0-72
	GEMM_2X2(16, ROUND_16, GROUP_16_2X2, R21)
	RET

// func gemmSub16MinNEON(c *float32, q *int8, scale, min *float32, aq *uint32, ascale, asum *float32, columns int, chains *Chains)
TEXT ·gemmSub16MinNEON(SB), NOSPLIT, $0-72
	GEMM(16, ROUND_16, GROUP_16_MIN(DOT_ROW_NEON), R21)
	RET

// func gemmSub16MinDotProd(c *float32, q *int8, scale, min *float32, aq *uint32, ascale, asum *float32, columns int, chains *Chains)
TEXT ·gemmSub16MinDotProd(SB), NOSPLIT, $0-72
	GEMM(16, ROUND_16, GROUP_16_MIN(DOT_ROW_DOTPROD), R21)
	RET

// func gemmSub16MinI8MM(c *float32, q *int8, scale, min *float32, aq *uint32, ascale, asum *float32, columns int, chains *Chains)
TEXT ·gemmSub16MinI8MM(SB), NOSPLIT, $0-72
	GEMM_2X2(16, ROUND_16, GROUP_16_MIN_2X2, R21)
	RET
