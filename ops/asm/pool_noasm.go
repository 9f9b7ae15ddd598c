//go:build (!amd64 && !arm64) || purego

package asm

// Pause tells the processor that this is a spin loop.
func Pause() {}

// FetchRows tells the processor that rows will be written.
func FetchRows(x []float32, stride, rows int) {}

// Fetch tells the processor that b will be read.
func Fetch(b []byte) {}
