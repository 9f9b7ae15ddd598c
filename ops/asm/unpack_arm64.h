// What unpacks rows: see unpack_arm64.s and fields_arm64.s.

// UNPACK unpacks 16 rows. BLOCK unpacks the block at R4: quants to R5, scales
// to R6, mins to R7; the next group's are R14 and R15 bytes further on.
#define UNPACK(group, BLOCK) \
	MOVD q+0(FP), R0 \
	MOVD scale+8(FP), R1 \
	MOVD min+16(FP), R2 \
	MOVD w+24(FP), R3 \
	MOVD stride+32(FP), R10 \
	MOVD blocks+40(FP), R11 \
	MOVD $16, R12 \
	MOVD $(16*group), R14 \
	MOVD $64, R15 \
row: \
	MOVD R3, R4 \
	MOVD R0, R5 \
	MOVD R1, R6 \
	MOVD R2, R7 \
	MOVD R11, R8 \
block: \
	BLOCK \
	SUB  $1, R8 \
	CBNZ R8, block \
	ADD  R10, R3 \
	ADD  $group, R0 \
	ADD  $4, R1 \
	ADD  $4, R2 \
	SUB  $1, R12 \
	CBNZ R12, row

// SCALE_BLOCK begins with its scale. V30 is what to subtract from the quants.
#define SCALE_BLOCK(QUANTS) \
	VLD1.P 2(R4), V20.H[0] \
	FCVTHS F20, F20 \
	QUANTS \
	VSUB   V30.B16, V0.B16, V0.B16 \
	VSUB   V30.B16, V1.B16, V1.B16 \
	VST1.P [V0.B16, V1.B16], (R5)(R14) \
	FMOVS.P F20, 64(R6)

#define STORE_4(v, at) \
	VST1.P v.S[0], (at)(R15) \
	VST1.P v.S[1], (at)(R15) \
	VST1.P v.S[2], (at)(R15) \
	VST1.P v.S[3], (at)(R15)
