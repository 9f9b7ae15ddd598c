// NEON instructions that the Go assembler does not spell (Go 1.26), as their
// encodings. A macro is named after the ARM mnemonic and the arrangement, and
// takes register numbers, destination first.

#define FADD_4S(d, n, m)   WORD $(0x4E20D400 | (m)<<16 | (n)<<5 | (d))
#define FSUB_4S(d, n, m)   WORD $(0x4EA0D400 | (m)<<16 | (n)<<5 | (d))
#define FMUL_4S(d, n, m)   WORD $(0x6E20DC00 | (m)<<16 | (n)<<5 | (d))
#define FDIV_4S(d, n, m)   WORD $(0x6E20FC00 | (m)<<16 | (n)<<5 | (d))
#define FMAX_4S(d, n, m)   WORD $(0x4E20F400 | (m)<<16 | (n)<<5 | (d))
#define FMIN_4S(d, n, m)   WORD $(0x4EA0F400 | (m)<<16 | (n)<<5 | (d))
#define FADD_2D(d, n, m)   WORD $(0x4E60D400 | (m)<<16 | (n)<<5 | (d))
#define FADDP_2D(d, n)     WORD $(0x7E70D800 | (n)<<5 | (d))
#define FMAXV_4S(d, n)     WORD $(0x6E30F800 | (n)<<5 | (d))
#define FABS_4S(d, n)      WORD $(0x4EA0F800 | (n)<<5 | (d))
#define FNEG_4S(d, n)      WORD $(0x6EA0F800 | (n)<<5 | (d))
#define FRINTN_4S(d, n)    WORD $(0x4E218800 | (n)<<5 | (d))
#define FCVTNS_4S(d, n)    WORD $(0x4E21A800 | (n)<<5 | (d))
#define CMLT_ZERO_4S(d, n) WORD $(0x4EA0A800 | (n)<<5 | (d))
#define SSHR_1_4S(d, n)    WORD $(0x4F3F0400 | (n)<<5 | (d))

// FCVTL widens the low half of n, FCVTL2 the high half; FCVTN narrows n into
// the low half of d, FCVTN2 into the high half.
#define FCVTL_2D(d, n)     WORD $(0x0E617800 | (n)<<5 | (d))
#define FCVTL2_2D(d, n)    WORD $(0x4E617800 | (n)<<5 | (d))
#define FCVTL_4S(d, n)     WORD $(0x0E217800 | (n)<<5 | (d))
#define FCVTL2_4S(d, n)    WORD $(0x4E217800 | (n)<<5 | (d))
#define FCVTN_4H(d, n)     WORD $(0x0E216800 | (n)<<5 | (d))
#define FCVTN2_8H(d, n)    WORD $(0x4E216800 | (n)<<5 | (d))

// Products of signed bytes: SDOT adds four to each word, SMMLA adds eight to
// each of 2x2 words, SMULL and SMLAL2 make halfwords of the low and the high
// half. A LANE is word i of m.
#define SDOT_4S(d, n, m)         WORD $(0x4E809400 | (m)<<16 | (n)<<5 | (d))
#define SDOT_LANE_4S(d, n, m, i) WORD $(0x4F80E000 | ((i)&1)<<21 | (m)<<16 | ((i)>>1)<<11 | (n)<<5 | (d))
#define SMMLA_4S(d, n, m)        WORD $(0x4E80A400 | (m)<<16 | (n)<<5 | (d))
#define SMULL_8H(d, n, m)        WORD $(0x0E20C000 | (m)<<16 | (n)<<5 | (d))
#define SMULL2_8H(d, n, m)       WORD $(0x4E20C000 | (m)<<16 | (n)<<5 | (d))
#define SMLAL2_8H(d, n, m)       WORD $(0x4E208000 | (m)<<16 | (n)<<5 | (d))
#define ADDP_8H(d, n, m)         WORD $(0x4E60BC00 | (m)<<16 | (n)<<5 | (d))
#define SADALP_4S(d, n)          WORD $(0x4E606800 | (n)<<5 | (d))
#define SADDLV_16B(d, n)         WORD $(0x4E303800 | (n)<<5 | (d))
#define UMAXV_4S(d, n)           WORD $(0x6EB0A800 | (n)<<5 | (d))
#define DUP_LANE_4S(d, n, i)     WORD $(0x4E040400 | (i)<<19 | (n)<<5 | (d))
#define USHL_16B(d, n, m)        WORD $(0x6E204400 | (m)<<16 | (n)<<5 | (d)) // by signed counts: to the right if negative
#define CMHI_16B(d, n, m)        WORD $(0x6E203400 | (m)<<16 | (n)<<5 | (d))
#define SMAX_4S(d, n, m)         WORD $(0x4EA06400 | (m)<<16 | (n)<<5 | (d))
#define MUL_16B(d, n, m)         WORD $(0x4E209C00 | (m)<<16 | (n)<<5 | (d))
#define BIC_16B(d, n, m)         WORD $(0x4E601C00 | (m)<<16 | (n)<<5 | (d))
#define MVN_16B(d, n)            WORD $(0x6E205800 | (n)<<5 | (d))
#define SSHR_16_4S(d, n)         WORD $(0x4F300400 | (n)<<5 | (d))
#define ZERO(d)                  WORD $(0x6F00E400 | (d))

// SXTL and SXTL2 widen signed integers, SHLL and SHLL2 bfloat16 to float32.
#define SXTL_8H(d, n)  WORD $(0x0F08A400 | (n)<<5 | (d))
#define SXTL2_8H(d, n) WORD $(0x4F08A400 | (n)<<5 | (d))
#define SXTL_4S(d, n)  WORD $(0x0F10A400 | (n)<<5 | (d))
#define SXTL2_4S(d, n) WORD $(0x4F10A400 | (n)<<5 | (d))
#define SHLL_4S(d, n)  WORD $(0x2E613800 | (n)<<5 | (d))
#define SHLL2_4S(d, n) WORD $(0x6E613800 | (n)<<5 | (d))

#define SCVTF_4S(d, n)           WORD $(0x4E21D800 | (n)<<5 | (d))
#define FMLA_4S(d, n, m)         WORD $(0x4E20CC00 | (m)<<16 | (n)<<5 | (d))
#define FMAXNM_4S(d, n, m)       WORD $(0x4E20C400 | (m)<<16 | (n)<<5 | (d))
#define FADDP_4S(d, n, m)        WORD $(0x6E20D400 | (m)<<16 | (n)<<5 | (d))
#define FADDP_2S(d, n)           WORD $(0x7E30D800 | (n)<<5 | (d))
#define FMUL_LANE_4S(d, n, m, i) WORD $(0x4F809000 | ((i)&1)<<21 | (m)<<16 | ((i)>>1)<<11 | (n)<<5 | (d))
#define FMLA_LANE_4S(d, n, m, i) WORD $(0x4F801000 | ((i)&1)<<21 | (m)<<16 | ((i)>>1)<<11 | (n)<<5 | (d))

// SPLAT fills v with a float32 given by its bits. It uses R9.
#define SPLAT(bits, v) MOVD $(bits), R9; VDUP R9, v.S4
