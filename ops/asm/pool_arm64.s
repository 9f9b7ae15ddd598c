//go:build !purego

#include "textflag.h"

// func pause()
TEXT ·pause(SB), NOSPLIT, $0-0
	YIELD
	RET

// func fetchRows(p *float32, stride, rows int)
TEXT ·fetchRows(SB), NOSPLIT, $0-24
	MOVD p+0(FP), R0
	MOVD stride+8(FP), R1
	MOVD rows+16(FP), R2
	LSL  $2, R1
row:
	PRFM (R0), PSTL1KEEP
	ADD  R1, R0
	SUBS $1, R2
	BNE  row
	RET
