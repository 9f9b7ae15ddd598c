// The quants of 32 weights in V0 and V1, unsigned, offsets to be subtracted.
// R4 is where they are stored and moves on.

// NIBBLES unpacks 16 bytes. V27 is 15 in every byte.
#define NIBBLES \
	VLD1.P 16(R4), [V0.B16] \
	VUSHR  $4, V0.B16, V1.B16 \
	VAND   V27.B16, V0.B16, V0.B16

// HIGH_BITS loads a word of fifth bits to V4 and V5, 16 or 0 in each byte. V26 is
// 16 in every byte, V25 the bit of each byte in its byte of the word, which
// V23 and V24 name.
#define HIGH_BITS \
	VLD1R.P 4(R4), [V5.S4] \
	VTBL    V23.B16, [V5.B16], V4.B16 \
	VTBL    V24.B16, [V5.B16], V5.B16 \
	VCMTST  V25.B16, V4.B16, V4.B16 \
	VCMTST  V25.B16, V5.B16, V5.B16 \
	VAND    V26.B16, V4.B16, V4.B16 \
	VAND    V26.B16, V5.B16, V5.B16

#define NIBBLES_AND_HIGH_BITS \
	HIGH_BITS \
	NIBBLES \
	VORR V4.B16, V0.B16, V0.B16 \
	VORR V5.B16, V1.B16, V1.B16

#define NIBBLE_CONSTANTS \
	VMOVI $15, V27.B16

#define HIGH_BIT_CONSTANTS \
	NIBBLE_CONSTANTS \
	VMOVI $16, V26.B16 \
	MOVD  $·byteOfCode(SB), R9 \
	VLD1  (R9), [V23.B16, V24.B16] \
	MOVD  $0x8040201008040201, R9 \
	VDUP  R9, V25.D2

// SUPER_SCALES unpacks the scales of eight groups of 32 to V20 and V21, the
// mins to V22 and V28, and moves on from the beginning of the block to
// behind them. It uses V29, R19 to R21.
#define SUPER_SCALES \
	VLD1.P  4(R4), V29.S[0] \
	FCVTL_4S(29, 29) \
	MOVD.P  8(R4), R19 \
	MOVWU.P 4(R4), R20 \
	LSR     $2, R19, R21 \
	AND     $0x3030303030303030, R21 \
	AND     $0x3f3f3f3f3f3f3f3f, R19 \
	ORR     R20<<28, R20 \
	AND     $0x0f0f0f0f0f0f0f0f, R20 \
	ORR     R20, R21 \
	FMOVD   R19, F28 \
	VMOV    R21, V28.D[1] \
	VUZP1   V28.S4, V28.S4, V20.S4 \
	VUZP2   V28.S4, V28.S4, V22.S4 \
	VUXTL   V20.B8, V20.H8 \
	VUXTL   V22.B8, V22.H8 \
	VUXTL2  V20.H8, V21.S4 \
	VUXTL2  V22.H8, V28.S4 \
	VUXTL   V20.H4, V20.S4 \
	VUXTL   V22.H4, V22.S4 \
	SCVTF_4S(20, 20) \
	SCVTF_4S(21, 21) \
	SCVTF_4S(22, 22) \
	SCVTF_4S(28, 28) \
	FMUL_LANE_4S(20, 20, 29, 0) \
	FMUL_LANE_4S(21, 21, 29, 0) \
	FMUL_LANE_4S(22, 22, 29, 1) \
	FMUL_LANE_4S(28, 28, 29, 1)

// SUPER_NIBBLES unpacks 64 quants of four bits to V0, V1, V6 and V7. V27 is 15
// in every byte.
#define SUPER_NIBBLES \
	VLD1.P 32(R4), [V0.B16, V1.B16] \
	VUSHR  $4, V0.B16, V6.B16 \
	VUSHR  $4, V1.B16, V7.B16 \
	VAND   V27.B16, V0.B16, V0.B16 \
	VAND   V27.B16, V1.B16, V1.B16

// SUPER_HIGH_BITS unpacks 64 quants of five bits to V0, V1, V6 and V7. V27 is 31
// in every byte; V8 and V9 have the fifth bits of the next 64 lowest.
#define SUPER_HIGH_BITS \
	VLD1.P 32(R4), [V0.B16, V1.B16] \
	VUSHR  $4, V0.B16, V6.B16 \
	VUSHR  $4, V1.B16, V7.B16 \
	VSLI   $4, V8.B16, V0.B16 \
	VSLI   $4, V9.B16, V1.B16 \
	VUSHR  $1, V8.B16, V8.B16 \
	VUSHR  $1, V9.B16, V9.B16 \
	VSLI   $4, V8.B16, V6.B16 \
	VSLI   $4, V9.B16, V7.B16 \
	VUSHR  $1, V8.B16, V8.B16 \
	VUSHR  $1, V9.B16, V9.B16 \
	VAND   V27.B16, V0.B16, V0.B16 \
	VAND   V27.B16, V1.B16, V1.B16 \
	VAND   V27.B16, V6.B16, V6.B16 \
	VAND   V27.B16, V7.B16, V7.B16

// SIXES unpacks 64 quants of six bits: those of V0 and V1 get the low bits of
// V4 and V5 on top, those of V2 and V3 the next two. V27 is 63 in every byte.
#define SIXES \
	VSLI  $4, V4.B16, V0.B16 \
	VSLI  $4, V5.B16, V1.B16 \
	VUSHR $2, V4.B16, V4.B16 \
	VUSHR $2, V5.B16, V5.B16 \
	VSLI  $4, V4.B16, V2.B16 \
	VSLI  $4, V5.B16, V3.B16 \
	VUSHR $2, V4.B16, V4.B16 \
	VUSHR $2, V5.B16, V5.B16 \
	VAND  V27.B16, V0.B16, V0.B16 \
	VAND  V27.B16, V1.B16, V1.B16 \
	VAND  V27.B16, V2.B16, V2.B16 \
	VAND  V27.B16, V3.B16, V3.B16
