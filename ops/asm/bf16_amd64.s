//go:build !purego

#include "textflag.h"

// The assembler has no AVX512_BF16. DP is VDPBF16PS acc, w, a: the register acc gets the
// products of 16 pairs, where row has the bytes of acc's upper half and of w, and reg acc and a.
#define DP(row0, row1, reg) BYTE $0x62; BYTE $row0; BYTE $row1; BYTE $0x40; BYTE $0x52; BYTE $reg

// func gemmBF16AVX512(c, w *float32, stride, pairs int, a *uint32)
//
// It sets c[r*16+n] to the products of 8 rows of weights, stride bytes apart, with the 16 rows
// of each of two panels, the second 256 numbers of c behind the first.
TEXT ·gemmBF16AVX512(SB), NOSPLIT, $0-40
	MOVQ c+0(FP), DI
	MOVQ w+8(FP), SI
	MOVQ stride+16(FP), DX
	MOVQ pairs+24(FP), CX
	MOVQ a+32(FP), R10
	MOVQ CX, R11
	SHLQ $6, R11
	ADDQ R10, R11
	LEAQ (DX)(DX*2), BX
	LEAQ (SI)(DX*4), R9
	VPXORD Z0, Z0, Z0
	VMOVDQA64 Z0, Z1
	VMOVDQA64 Z0, Z2
	VMOVDQA64 Z0, Z3
	VMOVDQA64 Z0, Z4
	VMOVDQA64 Z0, Z5
	VMOVDQA64 Z0, Z6
	VMOVDQA64 Z0, Z7
	VMOVDQA64 Z0, Z8
	VMOVDQA64 Z0, Z9
	VMOVDQA64 Z0, Z10
	VMOVDQA64 Z0, Z11
	VMOVDQA64 Z0, Z12
	VMOVDQA64 Z0, Z13
	VMOVDQA64 Z0, Z14
	VMOVDQA64 Z0, Z15

loop:
	VMOVDQU32    (R10), Z16
	VMOVDQU32    (R11), Z17
	VPBROADCASTD (SI), Z18
	VPBROADCASTD (SI)(DX*1), Z19
	VPBROADCASTD (SI)(DX*2), Z20
	VPBROADCASTD (SI)(BX*1), Z21
	VPBROADCASTD (R9), Z22
	VPBROADCASTD (R9)(DX*1), Z23
	VPBROADCASTD (R9)(DX*2), Z24
	VPBROADCASTD (R9)(BX*1), Z25
	DP(0xB2, 0x6E, 0xC0)
	DP(0xB2, 0x6E, 0xC9)
	DP(0xB2, 0x66, 0xD0)
	DP(0xB2, 0x66, 0xD9)
	DP(0xB2, 0x5E, 0xE0)
	DP(0xB2, 0x5E, 0xE9)
	DP(0xB2, 0x56, 0xF0)
	DP(0xB2, 0x56, 0xF9)
	DP(0x32, 0x4E, 0xC0)
	DP(0x32, 0x4E, 0xC9)
	DP(0x32, 0x46, 0xD0)
	DP(0x32, 0x46, 0xD9)
	DP(0x32, 0x3E, 0xE0)
	DP(0x32, 0x3E, 0xE9)
	DP(0x32, 0x36, 0xF0)
	DP(0x32, 0x36, 0xF9)
	ADDQ $64, R10
	ADDQ $64, R11
	ADDQ $4, SI
	ADDQ $4, R9
	DECQ CX
	JNZ  loop

	VMOVUPS Z0, (DI)
	VMOVUPS Z1, 1024(DI)
	VMOVUPS Z2, 64(DI)
	VMOVUPS Z3, 1088(DI)
	VMOVUPS Z4, 128(DI)
	VMOVUPS Z5, 1152(DI)
	VMOVUPS Z6, 192(DI)
	VMOVUPS Z7, 1216(DI)
	VMOVUPS Z8, 256(DI)
	VMOVUPS Z9, 1280(DI)
	VMOVUPS Z10, 320(DI)
	VMOVUPS Z11, 1344(DI)
	VMOVUPS Z12, 384(DI)
	VMOVUPS Z13, 1408(DI)
	VMOVUPS Z14, 448(DI)
	VMOVUPS Z15, 1472(DI)
	VZEROUPPER
	RET

// func gemvPairsBF16AVX512(dst *float32, w *byte, stride, rows int, x *uint32, words int)
//
// It multiplies rows, at least one, of weights, stride bytes apart, with x.
TEXT ·gemvPairsBF16AVX512(SB), NOSPLIT, $0-48
	MOVQ  dst+0(FP), DI
	MOVQ  w+8(FP), SI
	MOVQ  stride+16(FP), DX
	MOVQ  rows+24(FP), CX
	MOVQ  x+32(FP), R10
	MOVQ  words+40(FP), R11
	MOVQ  R11, R12
	ANDQ  $~31, R12 // words in iterations
	SUBQ  R12, R11
	MOVQ  $-1, AX
	BZHIQ R11, AX, AX
	KMOVW AX, K1
	SHRQ  $16, AX
	KMOVW AX, K2

row:
	VPXORD Z0, Z0, Z0
	VPXORD Z1, Z1, Z1
	XORQ   R13, R13
	CMPQ   R13, R12
	JGE    tail

iteration:
	PREFETCHT0 1024(SI)(R13*4)
	PREFETCHT0 1088(SI)(R13*4)
	VMOVDQU32  (SI)(R13*4), Z18
	VMOVDQU32  64(SI)(R13*4), Z19
	VMOVDQU32  (R10)(R13*4), Z16
	VMOVDQU32  64(R10)(R13*4), Z17
	DP(0xB2, 0x6E, 0xC0)
	DP(0xB2, 0x66, 0xC9)
	ADDQ       $32, R13
	CMPQ       R13, R12
	JL         iteration

tail:
	CMPQ        R11, $0
	JE          sum
	VMOVDQU32.Z (SI)(R13*4), K1, Z18
	VMOVDQU32.Z 64(SI)(R13*4), K2, Z19
	VMOVDQU32.Z (R10)(R13*4), K1, Z16
	VMOVDQU32.Z 64(R10)(R13*4), K2, Z17
	DP(0xB2, 0x6E, 0xC0)
	DP(0xB2, 0x66, 0xC9)

sum:
	VADDPS        Z1, Z0, Z0
	VEXTRACTF64X4 $1, Z0, Y1
	VADDPS        Y1, Y0, Y0
	VEXTRACTF128  $1, Y0, X1
	VADDPS        X1, X0, X0
	VPERMILPS     $0x0E, X0, X1
	VADDPS        X1, X0, X0
	VPERMILPS     $0x01, X0, X1
	VADDSS        X1, X0, X0
	VMOVSS        X0, (DI)
	ADDQ          $4, DI
	ADDQ          DX, SI
	DECQ          CX
	JNZ           row
	VZEROUPPER
	RET

// func roundBF16AVX512(dst *uint16, x *float32, n int)
//
// It rounds n numbers, a multiple of 16.
TEXT ·roundBF16AVX512(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ n+16(FP), CX

next:
	VMOVUPS (SI), Z0
	BYTE $0x62; BYTE $0xF2; BYTE $0x7E; BYTE $0x48; BYTE $0x72; BYTE $0xC8 // VCVTNEPS2BF16 Z0, Y1
	VMOVDQU Y1, (DI)
	ADDQ    $64, SI
	ADDQ    $32, DI
	SUBQ    $16, CX
	JNZ     next
	VZEROUPPER
	RET

// func bf16PeakAVX512(rounds int) float32
TEXT ·bf16PeakAVX512(SB), NOSPLIT, $0-12
	MOVQ rounds+0(FP), CX
	MOVL $0x3f803f80, AX
	VPBROADCASTD AX, Z16
	VPBROADCASTD AX, Z18
	VPXORD Z0, Z0, Z0
	VPXORD Z1, Z1, Z1
	VPXORD Z2, Z2, Z2
	VPXORD Z3, Z3, Z3
	VPXORD Z4, Z4, Z4
	VPXORD Z5, Z5, Z5
	VPXORD Z6, Z6, Z6
	VPXORD Z7, Z7, Z7
	VPXORD Z8, Z8, Z8
	VPXORD Z9, Z9, Z9
	VPXORD Z10, Z10, Z10
	VPXORD Z11, Z11, Z11

round:
	TESTQ CX, CX
	JZ    end
	DP(0xB2, 0x6E, 0xC0)
	DP(0xB2, 0x6E, 0xC8)
	DP(0xB2, 0x6E, 0xD0)
	DP(0xB2, 0x6E, 0xD8)
	DP(0xB2, 0x6E, 0xE0)
	DP(0xB2, 0x6E, 0xE8)
	DP(0xB2, 0x6E, 0xF0)
	DP(0xB2, 0x6E, 0xF8)
	DP(0x32, 0x6E, 0xC0)
	DP(0x32, 0x6E, 0xC8)
	DP(0x32, 0x6E, 0xD0)
	DP(0x32, 0x6E, 0xD8)
	DECQ CX
	JMP  round

end:
	VADDSS X1, X0, X0
	VADDSS X2, X0, X0
	VADDSS X3, X0, X0
	VADDSS X4, X0, X0
	VADDSS X5, X0, X0
	VADDSS X6, X0, X0
	VADDSS X7, X0, X0
	VADDSS X8, X0, X0
	VADDSS X9, X0, X0
	VADDSS X10, X0, X0
	VADDSS X11, X0, X0
	VMOVSS X0, ret+8(FP)
	VZEROUPPER
	RET
