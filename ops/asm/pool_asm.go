//go:build (amd64 || arm64) && !purego

package asm

// Pause tells the processor that this is a spin loop, some tens of
// nanoseconds' worth.
func Pause() { pause() }

// FetchRows begins to bring a cache line of each row to the processor: that of
// x[0], x[stride], and so on, rows of them, at least one.
func FetchRows(x []float32, stride, rows int) { fetchRows(&x[0], stride, rows) }
