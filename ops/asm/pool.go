package asm

import "unsafe"

// Pause tells the processor that this is a spin loop, of some tens of
// nanoseconds. Without assembly it does nothing, as the fetching below.
func Pause() { pause() }

// FetchRows begins to bring a cache line of each row to the processor: that of
// x[0], x[stride], and so on, rows of them, at least one.
func FetchRows(x []float32, stride, rows int) { fetchRows(&x[0], stride, rows) }

// Fetch begins to bring the cache lines of b to the processor.
func Fetch(b []byte) {
	const line = 64
	if n := (len(b) + line - 1) / line; n > 0 {
		fetchRows((*float32)(unsafe.Pointer(&b[0])), line/4, n)
	}
}
