package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

func pool() {
	TEXT("pause", NOSPLIT, "func()")
	Doc("pause is one PAUSE instruction.")
	PAUSE()
	RET()

	fetchRows()
}

func fetchRows() {
	TEXT("fetchRows", NOSPLIT, "func(p *float32, stride, rows int)")
	Doc("fetchRows fetches what is at p and at the same place of the rows after it, stride elements apart.")
	Pragma("noescape")
	p, stride := pointer("p"), integer("stride")
	SHLQ(U8(2), stride)
	loop("row", integer("rows"), func() {
		PREFETCHT0(p)
		ADDQ(stride, p.Base)
	})
	RET()
}
