//go:build !purego

package asm

// NEON looks whole points up.
func fillRanks() {}
