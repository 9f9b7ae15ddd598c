//go:build (!amd64 && !arm64) || purego

package asm

func dotCodes(dst []float32, a Codes, c []float32) { dotCodesGeneric(dst, a, c) }
