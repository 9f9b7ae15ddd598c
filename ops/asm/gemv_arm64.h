// What the products of one row are made of: see gemv_arm64.s and fields_arm64.s.

// DOT_NEON and DOT_DOTPROD add the products of 16 bytes, four to each word of
// d. Two products of halfwords overflow if all four quants are -128, which
// takes an activation that is no number.
#define DOT_NEON(d, n, m) \
	SMULL_8H(18, n, m) \
	SMLAL2_8H(18, n, m) \
	SADALP_4S(d, 18)

#define DOT_DOTPROD(d, n, m) SDOT_4S(d, n, m)

// GEMV multiplies rows of weights with an activation row. The lanes of V30 and
// V31 are the chains 0 to 3 and 4 to 7 of a sum. GROUPS_8 adds eight groups to
// them, of blocks at R4, which it moves on, with the Q8x8 at R6, of which R5
// runs over the quants. If less than eight groups are left, R4 goes back:
// the Q8x8 has zeros for those it has passed. A block is 2^log groups.
#define GEMV(bytes, GROUPS_8) GEMV_BLOCKS(bytes, 0, GROUPS_8)

#define GEMV_BLOCKS(bytes, log, GROUPS_8) \
	MOVD dst+0(FP), R0 \
	MOVD w+8(FP), R1 \
	MOVD stride+16(FP), R2 \
	MOVD rows+24(FP), R3 \
	MOVD groups+32(FP), R10 \
	MOVD a+40(FP), R11 \
	MOVD $bytes, R12 \
row: \
	MOVD R1, R4 \
	MOVD R11, R6 \
	MOVD R10, R8 \
	ZERO(30) \
	ZERO(31) \
next: \
	SUBS $8, R8 \
	BGE  eight \
	ASR  $log, R8, R9 \
	MADD R9, R4, R12, R4 \
eight: \
	ADD  $Q8x8_Q, R6, R5 \
	GROUPS_8 \
	ADD  $Q8x8__size, R6 \
	CMP  $0, R8 \
	BGT  next \
	FADD_4S(30, 30, 31) \
	VEXT $8, V30.B16, V30.B16, V31.B16 \
	FADD_4S(30, 30, 31) \
	FADDP_2S(30, 30) \
	ZERO(31) \
	FADD_4S(30, 30, 31) \
	FMOVS.P F30, 4(R0) \
	ADD  R2, R1 \
	SUB  $1, R3 \
	CBNZ R3, row

// LOAD_8 loads eight words of the Q8x8 to V2 and V3.
#define LOAD_8(field) \
	FMOVQ (field)(R6), F2 \
	FMOVQ (field+16)(R6), F3

// SUM_WORDS adds up the words of eight dots: the result is in V10 and V14.
#define SUM_WORDS \
	VADDP V11.S4, V10.S4, V10.S4 \
	VADDP V13.S4, V12.S4, V12.S4 \
	VADDP V15.S4, V14.S4, V14.S4 \
	VADDP V17.S4, V16.S4, V16.S4 \
	VADDP V12.S4, V10.S4, V10.S4 \
	VADDP V16.S4, V14.S4, V14.S4

// ZERO_POINT subtracts the offset of the quants, a power of two, times the sums of
// the activations.
#define ZERO_POINT(log, sums) \
	LOAD_8(sums) \
	VSHL   $log, V2.S4, V2.S4 \
	VSHL   $log, V3.S4, V3.S4 \
	VSUB   V2.S4, V10.S4, V10.S4 \
	VSUB   V3.S4, V14.S4, V14.S4

// ADD_DOTS adds the dots to the chains, times the scales in V20 and V21 and those
// of the activations in V2 and V3.
#define ADD_DOTS \
	FMUL_4S(20, 20, 2) \
	FMUL_4S(21, 21, 3) \
	SCVTF_4S(10, 10) \
	SCVTF_4S(14, 14) \
	VFMLA V20.S4, V10.S4, V30.S4 \
	VFMLA V21.S4, V14.S4, V31.S4

#define ADD_32 \
	LOAD_8(Q8x8_Scale) \
	ADD_DOTS

// DOT_32 multiplies a group of 32.
#define DOT_32(DOT, d) \
	VLD1.P 32(R5), [V2.B16, V3.B16] \
	ZERO(d) \
	DOT(d, 0, 2) \
	DOT(d, 1, 3)

// BLOCK multiplies block i, which begins with its scale.
#define BLOCK(QUANTS, DOT, i) \
	VLD1.P 2(R4), V20.H[i] \
	QUANTS \
	DOT_32(DOT, 10+i)

// BLOCKS multiplies eight such blocks.
#define BLOCKS(QUANTS, DOT) \
	BLOCK(QUANTS, DOT, 0) \
	BLOCK(QUANTS, DOT, 1) \
	BLOCK(QUANTS, DOT, 2) \
	BLOCK(QUANTS, DOT, 3) \
	BLOCK(QUANTS, DOT, 4) \
	BLOCK(QUANTS, DOT, 5) \
	BLOCK(QUANTS, DOT, 6) \
	BLOCK(QUANTS, DOT, 7) \
	SUM_WORDS \
	FCVTL2_4S(21, 20) \
	FCVTL_4S(20, 20)

// MIN_BLOCK multiplies a block that begins with its scale and min, in lane j
// of V20 or V21.
#define MIN_BLOCK(QUANTS, DOT, v, i, j) \
	VLD1.P 4(R4), v.S[j] \
	QUANTS \
	DOT_32(DOT, 10+i)

#define MIN_BLOCKS(QUANTS, DOT) \
	MIN_BLOCK(QUANTS, DOT, V20, 0, 0) \
	MIN_BLOCK(QUANTS, DOT, V20, 1, 1) \
	MIN_BLOCK(QUANTS, DOT, V20, 2, 2) \
	MIN_BLOCK(QUANTS, DOT, V20, 3, 3) \
	MIN_BLOCK(QUANTS, DOT, V21, 4, 0) \
	MIN_BLOCK(QUANTS, DOT, V21, 5, 1) \
	MIN_BLOCK(QUANTS, DOT, V21, 6, 2) \
	MIN_BLOCK(QUANTS, DOT, V21, 7, 3) \
	SUM_WORDS \
	VUZP2 V21.H8, V20.H8, V22.H8 \
	VUZP1 V21.H8, V20.H8, V20.H8 \
	FCVTL2_4S(21, 20) \
	FCVTL_4S(20, 20) \
	FCVTL2_4S(28, 22) \
	FCVTL_4S(22, 22) \
	ADD_32 \
	LOAD_8(Q8x8_ScaledSum) \
	VFMLA V22.S4, V2.S4, V30.S4 \
	VFMLA V28.S4, V3.S4, V31.S4
