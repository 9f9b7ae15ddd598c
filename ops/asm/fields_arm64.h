// Quants and scales of the types whose layouts quant.Layout describes and that
// quants_arm64.h does not have. As there, quants come to V0 and V1, and R4 moves on.

// LEVELS unpacks 16 bytes of nibbles that number the levels in V26.
#define LEVELS \
	NIBBLES \
	VTBL V0.B16, [V26.B16], V0.B16 \
	VTBL V1.B16, [V26.B16], V1.B16

#define LEVEL_CONSTANTS(levels) \
	NIBBLE_CONSTANTS \
	MOVD levels, R9 \
	VLD1 (R9), [V26.B16]

// EXPONENTS makes numbers 2^(e-128) of words e. V25 is 1 and V24 the number for
// e = 0 in every word. It uses V28.
#define EXPONENTS(v, n) \
	VSHL $22, v.S4, V28.S4 \
	VSUB V25.S4, v.S4, v.S4 \
	VSHL $23, v.S4, v.S4 \
	SMAX_4S(n, n, 28) \
	SMAX_4S(n, n, 24)

#define MXFP4_CONSTANTS \
	LEVEL_CONSTANTS($·levelsE2M1(SB)) \
	SPLAT(1, V25) \
	SPLAT(0x00200000, V24)

// SCALES_IQ4_XS unpacks eight scales to V20 and V21. V27 is 15, V25 3 and V28 32 in
// every byte; V23 and V24 shift nibbles and pairs to the right.
#define SCALES_IQ4_XS \
	VLD1.P 8(R4), [V29.B8] \
	VEXT   $4, V29.B16, V29.B16, V20.B16 \
	VEXT   $2, V29.B16, V29.B16, V22.B16 \
	VZIP1  V20.B16, V20.B16, V20.B16 \
	VZIP1  V22.B16, V22.B16, V22.B16 \
	VZIP1  V22.B16, V22.B16, V22.B16 \
	USHL_16B(20, 20, 23) \
	USHL_16B(22, 22, 24) \
	VAND   V27.B16, V20.B16, V20.B16 \
	VAND   V25.B16, V22.B16, V22.B16 \
	VSHL   $4, V22.B16, V22.B16 \
	VORR   V22.B16, V20.B16, V20.B16 \
	VSUB   V28.B16, V20.B16, V20.B16 \
	FCVTL_4S(29, 29) \
	SXTL_8H(20, 20) \
	SXTL2_4S(21, 20) \
	SXTL_4S(20, 20) \
	SCVTF_4S(20, 20) \
	SCVTF_4S(21, 21) \
	FMUL_LANE_4S(20, 20, 29, 0) \
	FMUL_LANE_4S(21, 21, 29, 0)

#define IQ4_XS_CONSTANTS \
	LEVEL_CONSTANTS($·levelsIQ4(SB)) \
	VMOVI $3, V25.B16 \
	VMOVI $32, V28.B16 \
	MOVD  $0xfc00fc00fc00fc00, R9 \
	VDUP  R9, V23.D2 \
	MOVD  $0xfafcfe00fafcfe00, R9 \
	VDUP  R9, V24.D2

// PAIRS unpacks the lowest two bits of V4 and V5 and moves on to the next. V27 is 3 in
// every byte.
#define PAIRS \
	VAND  V27.B16, V4.B16, V0.B16 \
	VAND  V27.B16, V5.B16, V1.B16 \
	VUSHR $2, V4.B16, V4.B16 \
	VUSHR $2, V5.B16, V5.B16

// TRIPLES is PAIRS with the lowest bits of V6 and V7 above. V27 is 7 in every byte.
#define TRIPLES \
	VORR  V4.B16, V4.B16, V0.B16 \
	VORR  V5.B16, V5.B16, V1.B16 \
	VSLI  $2, V6.B16, V0.B16 \
	VSLI  $2, V7.B16, V1.B16 \
	VAND  V27.B16, V0.B16, V0.B16 \
	VAND  V27.B16, V1.B16, V1.B16 \
	VUSHR $2, V4.B16, V4.B16 \
	VUSHR $2, V5.B16, V5.B16 \
	VUSHR $1, V6.B16, V6.B16 \
	VUSHR $1, V7.B16, V7.B16

// SCALES_Q2_K unpacks 16 scales to V8 and mins to V9, a byte each, and the numbers that
// they are times to V29. V26 is 15 in every byte.
#define SCALES_Q2_K \
	ADD    $80, R4, R19 \
	VLD1   (R19), V29.S[0] \
	FCVTL_4S(29, 29) \
	VLD1.P 16(R4), [V8.B16] \
	VUSHR  $4, V8.B16, V9.B16 \
	VAND   V26.B16, V8.B16, V8.B16

#define Q2_K_CONSTANTS \
	VMOVI $3, V27.B16 \
	VMOVI $15, V26.B16

// SCALES_Q3_K unpacks 16 scales to V8, a byte each, and the number that they are times
// to V29. In every byte, V26 is 15, V24 3, V23 32; V25 shifts the pairs of four
// groups to the right.
#define SCALES_Q3_K \
	ADD    $96, R4, R19 \
	VLD1.P 8(R19), [V8.B8] \
	VLD1.P 4(R19), V9.S[0] \
	VLD1   (R19), V29.H[0] \
	FCVTL_4S(29, 29) \
	VUSHR  $4, V8.B16, V0.B16 \
	VZIP1  V0.D2, V8.D2, V8.D2 \
	VAND   V26.B16, V8.B16, V8.B16 \
	DUP_LANE_4S(9, 9, 0) \
	USHL_16B(9, 9, 25) \
	VAND   V24.B16, V9.B16, V9.B16 \
	VSHL   $4, V9.B16, V9.B16 \
	VORR   V9.B16, V8.B16, V8.B16 \
	VSUB   V23.B16, V8.B16, V8.B16

#define Q3_K_CONSTANTS \
	VMOVI $7, V27.B16 \
	VMOVI $15, V26.B16 \
	VMOVI $3, V24.B16 \
	VMOVI $32, V23.B16 \
	MOVD  $0xfefefefe00000000, R9 \
	VMOV  R9, V25.D[0] \
	MOVD  $0xfafafafafcfcfcfc, R9 \
	VMOV  R9, V25.D[1]

// LEVELS_16 is LEVELS for two groups of 16, eight bytes each.
#define LEVELS_16 \
	VLD1.P 16(R4), [V0.B16] \
	VUSHR  $4, V0.B16, V1.B16 \
	VAND   V27.B16, V0.B16, V0.B16 \
	VZIP1  V1.D2, V0.D2, V4.D2 \
	VZIP2  V1.D2, V0.D2, V1.D2 \
	VTBL   V4.B16, [V26.B16], V0.B16 \
	VTBL   V1.B16, [V26.B16], V1.B16

// UE4M3 makes of eight bytes in V8 numbers in half precision in V20, 2^-8 times theirs.
// V24 is 127 in every halfword. It uses V22.
#define UE4M3 \
	VUXTL V8.B8, V20.H8 \
	VCMEQ V24.H8, V20.H8, V22.H8 \
	BIC_16B(20, 20, 22) \
	VAND  V24.B16, V20.B16, V20.B16 \
	VSHL  $7, V20.H8, V20.H8

// V23 is what makes halves of the numbers of that.
#define NVFP4_CONSTANTS \
	LEVEL_CONSTANTS($·levelsE2M1(SB)) \
	SPLAT(0x007f007f, V24) \
	SPLAT(0x43000000, V23)

// DIGITS makes quants of the first digits of V4 and V5, numbers in base 3. In every
// byte, V26 is 85, V27 170. It uses V2 and V3.
#define DIGITS \
	CMHI_16B(0, 4, 26) \
	CMHI_16B(1, 5, 26) \
	CMHI_16B(2, 4, 27) \
	CMHI_16B(3, 5, 27) \
	VADD V2.B16, V0.B16, V0.B16 \
	VADD V3.B16, V1.B16, V1.B16 \
	MVN_16B(0, 0) \
	MVN_16B(1, 1)

// TRIPLE moves on to the next digits.
#define TRIPLE(v) \
	VSHL $1, v.B16, V0.B16 \
	VADD V0.B16, v.B16, v.B16

#define NEXT_DIGITS \
	TRIPLE(V4) \
	TRIPLE(V5) \
	DIGITS

// TERNARY_256 unpacks a block: five digits of 32 bytes, five of 16, of two places at
// a time, and four of four bytes, which V25 moves all at once.
#define TERNARY_256(GROUP) \
	VLD1.P  32(R4), [V4.B16, V5.B16] \
	DIGITS \
	GROUP(0) \
	NEXT_DIGITS \
	GROUP(1) \
	NEXT_DIGITS \
	GROUP(2) \
	NEXT_DIGITS \
	GROUP(3) \
	NEXT_DIGITS \
	GROUP(4) \
	VLD1.P  16(R4), [V4.B16] \
	VORR    V4.B16, V4.B16, V5.B16 \
	TRIPLE(V5) \
	DIGITS \
	GROUP(5) \
	TRIPLE(V4) \
	TRIPLE(V5) \
	NEXT_DIGITS \
	GROUP(6) \
	TRIPLE(V4) \
	TRIPLE(V4) \
	VLD1R.P 4(R4), [V5.S4] \
	MUL_16B(5, 5, 25) \
	DIGITS \
	GROUP(7)

#define TERNARY_CONSTANTS \
	VMOVI $85, V26.B16 \
	VMOVI $170, V27.B16 \
	MOVD  $0x0303030301010101, R9 \
	VMOV  R9, V25.D[0] \
	MOVD  $0x1b1b1b1b09090909, R9 \
	VMOV  R9, V25.D[1]

// FOURS unpacks eight bytes of four quants each. V27 is 3 in every byte, V23 and V24
// name the byte of each quant, V25 shifts it to the right.
#define FOURS \
	VLD1.P 8(R4), [V5.B8] \
	VTBL   V23.B16, [V5.B16], V0.B16 \
	VTBL   V24.B16, [V5.B16], V1.B16 \
	USHL_16B(0, 0, 25) \
	USHL_16B(1, 1, 25) \
	VAND   V27.B16, V0.B16, V0.B16 \
	VAND   V27.B16, V1.B16, V1.B16

#define FOUR_CONSTANTS \
	VMOVI $3, V27.B16 \
	MOVD  $·byteOfFour(SB), R9 \
	VLD1  (R9), [V23.B16, V24.B16] \
	MOVD  $0xfafcfe00fafcfe00, R9 \
	VDUP  R9, V25.D2

// SIGNS unpacks four bytes of signs, with the constants of HIGH_BITS.
#define SIGNS \
	VLD1R.P 4(R4), [V5.S4] \
	VTBL    V23.B16, [V5.B16], V0.B16 \
	VTBL    V24.B16, [V5.B16], V1.B16 \
	VCMTST  V25.B16, V0.B16, V0.B16 \
	VCMTST  V25.B16, V1.B16, V1.B16 \
	VADD    V0.B16, V0.B16, V0.B16 \
	VADD    V1.B16, V1.B16, V1.B16 \
	MVN_16B(0, 0) \
	MVN_16B(1, 1)
