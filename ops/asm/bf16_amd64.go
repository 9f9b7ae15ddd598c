//go:build !purego

package asm

import "golang.org/x/sys/cpu"

//go:noescape
func gemmBF16AVX512(c, w *float32, stride, pairs int, a *uint32)

//go:noescape
func roundBF16AVX512(dst *uint16, x *float32, n int)

//go:noescape
func gemvPairsBF16AVX512(dst *float32, w *byte, stride, rows int, x *uint32, words int)

// bf16PeakAVX512 adds two products 1*1 to each lane of 12 registers in every round and
// returns the sum of their first lanes.
func bf16PeakAVX512(rounds int) float32

// HasBF16 reports whether [GemmBF16] and [GemvBF16] have kernels here.
func HasBF16() bool { return useAVX512 && cpu.X86.HasAVX512BF16 }

func gemmBF16(c *[2 * len(Tile{})]float32, w []float32, stride int, a []uint32) {
	if !HasBF16() {
		gemmBF16Generic(c, w, stride, a)
		return
	}
	pairs := len(a) / (2 * PanelRows)
	gemmBF16AVX512(&c[0], &w[0], 4*stride, pairs, &a[0])
	gemmBF16AVX512(&c[8*PanelRows], &w[8*stride], 4*stride, pairs, &a[0])
}

func gemvBF16(dst []float32, w []byte, stride int, x []uint32) {
	if !HasBF16() {
		gemvBF16Generic(dst, w, stride, x)
		return
	}
	gemvPairsBF16AVX512(&dst[0], &w[0], stride, len(dst), &x[0], len(x))
}

func roundBF16(dst []uint16, x []float32) {
	n := 0
	if n = len(x) &^ 15; n > 0 && HasBF16() {
		roundBF16AVX512(&dst[0], &x[0], n)
	} else {
		n = 0
	}
	roundBF16Generic(dst[n:], x[n:])
}
