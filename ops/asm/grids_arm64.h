// The quants of 32 weights of types with a codebook (quant.Codebook) in V0 and V1,
// signed: group g of the block at R4. R13 is where the points are. R24 gets twice the
// number of the group's scale plus one; of groups of 16, R25 gets that of the
// second. They use R9, R19 to R26, V4 and V5.

// POINTS_8 loads the points R20 to R23 of eight quants.
#define POINTS_8 \
	MOVD  (R13)(R20<<3), R20 \
	MOVD  (R13)(R21<<3), R21 \
	MOVD  (R13)(R22<<3), R22 \
	MOVD  (R13)(R23<<3), R23 \
	PAIRS

#define PAIRS \
	FMOVD R20, F0 \
	FMOVD R22, F1 \
	VMOV  R21, V0.D[1] \
	VMOV  R23, V1.D[1]

// POINTS_4 loads the points R19 and R20 of four quants to R.
#define POINTS_4(R) \
	MOVWU (R13)(R19<<2), R19 \
	MOVWU (R13)(R20<<2), R20 \
	ORR   R20<<32, R19, R

// SIGNS negates the quants that bits of R19 are set for. V25 is the bit of each byte
// in its byte of the word, which V23 and V24 name.
#define SIGNS \
	VDUP   R19, V5.S4 \
	VTBL   V23.B16, [V5.B16], V4.B16 \
	VTBL   V24.B16, [V5.B16], V5.B16 \
	VCMTST V25.B16, V4.B16, V4.B16 \
	VCMTST V25.B16, V5.B16, V5.B16 \
	VEOR   V4.B16, V0.B16, V0.B16 \
	VEOR   V5.B16, V1.B16, V1.B16 \
	VSUB   V4.B16, V0.B16, V0.B16 \
	VSUB   V5.B16, V1.B16, V1.B16

// COMPLETED sets the eighth bits of the bytes of R24 so that an even number is set,
// and leaves them in R19.
#define COMPLETED \
	EOR R24>>4, R24, R25 \
	EOR R25>>2, R25 \
	EOR R25>>1, R25 \
	AND $0x01010101, R25 \
	ORR R25<<7, R24, R19

// SEVENS makes four bytes of the four times seven low bits of R19, and leaves twice
// the four bits above plus one in R26.
#define SEVENS \
	AND  $0x7f, R19, R24 \
	UBFX $7, R19, $7, R25 \
	BFI  $8, R25, $7, R24 \
	UBFX $14, R19, $7, R25 \
	BFI  $16, R25, $7, R24 \
	UBFX $21, R19, $7, R25 \
	BFI  $24, R25, $7, R24 \
	UBFX $28, R19, $4, R25 \
	ODD(R25, R26) \
	COMPLETED

// ODD sets d to 2*n + 1.
#define ODD(n, d) \
	LSL $1, n, d \
	ORR $1, d

// NIBBLES_ODD sets R24 and R25 for the low and the high nibble of a byte.
#define NIBBLES_ODD(at) \
	MOVBU at(R4), R25 \
	AND   $15, R25, R24 \
	LSR   $4, R25 \
	ODD(R24, R24) \
	ODD(R25, R25)

#define GRID_IQ2_XXS(g) \
	MOVBU (2+8*g)(R4), R20 \
	MOVBU (3+8*g)(R4), R21 \
	MOVBU (4+8*g)(R4), R22 \
	MOVBU (5+8*g)(R4), R23 \
	POINTS_8 \
	MOVWU (6+8*g)(R4), R19 \
	SEVENS \
	SIGNS \
	MOVD  R26, R24

#define GRID_IQ2_XS(g) \
	MOVD (2+8*g)(R4), R19 \
	UBFX $0, R19, $9, R20 \
	UBFX $16, R19, $9, R21 \
	UBFX $32, R19, $9, R22 \
	UBFX $48, R19, $9, R23 \
	POINTS_8 \
	UBFX $9, R19, $7, R24 \
	UBFX $25, R19, $7, R25 \
	BFI  $8, R25, $7, R24 \
	UBFX $41, R19, $7, R25 \
	BFI  $16, R25, $7, R24 \
	UBFX $57, R19, $7, R25 \
	BFI  $24, R25, $7, R24 \
	COMPLETED \
	SIGNS \
	NIBBLES_ODD((66+g))

// NUMBER takes byte i of R19, and above it the given bits of R24.
#define NUMBER(i, from, bits, R) \
	UBFX $(8*i), R19, $8, R \
	UBFX $(from), R24, $bits, R25 \
	BFI  $8, R25, $bits, R

#define GRID_IQ2_S(g) \
	MOVWU (2+4*g)(R4), R19 \
	MOVBU (66+g)(R4), R24 \
	NUMBER(0, 0, 2, R20) \
	NUMBER(1, 2, 2, R21) \
	NUMBER(2, 4, 2, R22) \
	NUMBER(3, 6, 2, R23) \
	POINTS_8 \
	MOVWU (34+4*g)(R4), R19 \
	SIGNS \
	NIBBLES_ODD((74+g))

// TWO_BYTES loads the points of two bytes to R.
#define TWO_BYTES(at, R) \
	MOVBU (at)(R4), R19 \
	MOVBU (at+1)(R4), R20 \
	POINTS_4(R)

#define GRID_IQ3_XXS(g) \
	TWO_BYTES(2+8*g, R21) \
	TWO_BYTES(4+8*g, R22) \
	TWO_BYTES(6+8*g, R23) \
	TWO_BYTES(8+8*g, R26) \
	FMOVD R21, F0 \
	FMOVD R23, F1 \
	VMOV  R22, V0.D[1] \
	VMOV  R26, V1.D[1] \
	MOVWU (66+4*g)(R4), R19 \
	SEVENS \
	SIGNS \
	MOVD  R26, R24

// TWO_NUMBERS loads the points of two bytes, each with a bit of R24 above, to R.
#define TWO_NUMBERS(g, i, R) \
	MOVBU (2+8*g+i)(R4), R19 \
	MOVBU (3+8*g+i)(R4), R20 \
	UBFX  $i, R24, $1, R25 \
	BFI   $8, R25, $1, R19 \
	UBFX  $(i+1), R24, $1, R25 \
	BFI   $8, R25, $1, R20 \
	POINTS_4(R)

#define GRID_IQ3_S(g) \
	MOVBU (66+g)(R4), R24 \
	TWO_NUMBERS(g, 0, R21) \
	TWO_NUMBERS(g, 2, R22) \
	TWO_NUMBERS(g, 4, R23) \
	TWO_NUMBERS(g, 6, R26) \
	FMOVD R21, F0 \
	FMOVD R23, F1 \
	VMOV  R22, V0.D[1] \
	VMOV  R26, V1.D[1] \
	MOVWU (74+4*g)(R4), R19 \
	SIGNS \
	MOVBU (106+g/2)(R4), R25 \
	UBFX  $(4*(g&1)), R25, $4, R24 \
	ODD(R24, R24)

// SHIFTED takes one from the quants of R less if bit i of R24 is set, else adds one.
// The points are 16 more than the latter, which V26 has in every byte; R26 has 2
// in every byte.
#define SHIFTED(i, R) \
	UBFX $(i), R24, $1, R25 \
	MUL  R26, R25, R25 \
	SUB  R25, R

#define POINTS_SHIFTED(a, b, c, d) \
	MOVD (R13)(R20<<3), R20 \
	MOVD (R13)(R21<<3), R21 \
	MOVD (R13)(R22<<3), R22 \
	MOVD (R13)(R23<<3), R23 \
	SHIFTED(a, R20) \
	SHIFTED(b, R21) \
	SHIFTED(c, R22) \
	SHIFTED(d, R23) \
	PAIRS \
	VSUB V26.B16, V0.B16, V0.B16 \
	VSUB V26.B16, V1.B16, V1.B16

#define GRID_IQ1_S(g) \
	MOVWU (2+4*g)(R4), R19 \
	MOVHU (34+2*g)(R4), R24 \
	NUMBER(0, 0, 3, R20) \
	NUMBER(1, 3, 3, R21) \
	NUMBER(2, 6, 3, R22) \
	NUMBER(3, 9, 3, R23) \
	POINTS_SHIFTED(15, 15, 15, 15) \
	UBFX  $12, R24, $3, R24 \
	ODD(R24, R24)

#define GRID_IQ1_M(g) \
	MOVWU (4*g)(R4), R19 \
	MOVHU (32+2*g)(R4), R24 \
	NUMBER(0, 0, 3, R20) \
	NUMBER(1, 4, 3, R21) \
	NUMBER(2, 8, 3, R22) \
	NUMBER(3, 12, 3, R23) \
	POINTS_SHIFTED(3, 7, 11, 15) \
	MOVHU (48+g/2*2)(R4), R25 \
	UBFX  $(6*(g&1)), R25, $3, R24 \
	UBFX  $(6*(g&1)+3), R25, $3, R25 \
	ODD(R24, R24) \
	ODD(R25, R25)

// GRID_SCALE loads a block's scale, times V28, to V29.
#define GRID_SCALE \
	VLD1 (R4), V29.H[0] \
	FCVTL_4S(29, 29) \
	FMUL_4S(29, 29, 28)

// GRID_SCALE_IQ1_M is the like for the four high nibbles of the last words: the
// product moves them to the highest 16 bits.
#define GRID_SCALE_IQ1_M \
	MOVD 48(R4), R19 \
	AND  $0xf000f000f000f000, R19 \
	MOVD $0x0000001001001001, R20 \
	MUL  R20, R19 \
	LSR  $48, R19 \
	VMOV R19, V29.H[0] \
	FCVTL_4S(29, 29) \
	FMUL_4S(29, 29, 28)

// GRID_CONSTANTS is what the macros above want to be loaded before; step is the
// bits of Codebook.Step.
#define GRID_CONSTANTS(points, step) \
	SPLAT(step, V28) \
	MOVD  points, R13 \
	MOVD  $·byteOfCode(SB), R9 \
	VLD1  (R9), [V23.B16, V24.B16] \
	MOVD  $0x8040201008040201, R9 \
	VDUP  R9, V25.D2 \
	VMOVI $16, V26.B16 \
	MOVD  $0x0202020202020202, R26

#define EIGHTH  0x3e000000
#define QUARTER 0x3e800000
#define ONE     0x3f800000
