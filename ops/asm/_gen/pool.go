package main

import (
	. "github.com/mmcloughlin/avo/build"
)

func pool() {
	TEXT("pause", NOSPLIT, "func()")
	Doc("pause is one PAUSE instruction.")
	PAUSE()
	RET()
}
