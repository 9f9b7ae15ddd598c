//go:build !purego

package asm

import "golang.org/x/sys/cpu"

var useNEON, useDotProd, useI8MM bool

// Advanced SIMD is part of the arm64 baseline; its switch exists for tests.
var tiers = []tier{
	{"neon", true, &useNEON},
	{"dotprod", cpu.ARM64.HasASIMDDP, &useDotProd},
	{"i8mm", cpu.ARM64.HasASIMDDP && cpu.ARM64.HasI8MM, &useI8MM},
}
