//go:build !purego

package asm

import "golang.org/x/sys/cpu"

var useAVX2, useAVX512 bool

// AVX512 means what Zen 4 and Ice Lake have in common: F, BW, DQ, VL and VNNI.
var tiers = []tier{
	{"avx2", cpu.X86.HasAVX2 && cpu.X86.HasFMA && cpu.X86.HasF16C, &useAVX2},
	{"avx512", cpu.X86.HasAVX2 && cpu.X86.HasFMA && cpu.X86.HasF16C && cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW &&
		cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512VL && cpu.X86.HasAVX512VNNI, &useAVX512},
}
