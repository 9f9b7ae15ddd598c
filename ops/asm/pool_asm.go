//go:build (amd64 || arm64) && !purego

package asm

// Pause tells the processor that this is a spin loop, some tens of
// nanoseconds' worth.
func Pause() { pause() }
