//go:build !purego

package asm

import "unsafe"

func widen(f Float, dst []float32, w []byte) {
	if len(dst) == 0 {
		return
	}
	switch {
	case f == F32:
		copy(unsafe.Slice((*byte)(unsafe.Pointer(&dst[0])), 4*len(dst)), w)
	case f == F16 && useAVX512:
		widenF16AVX512(&dst[0], &w[0], len(dst))
	case f == F16 && useAVX2:
		widenF16AVX2(&dst[0], &w[0], len(dst))
	case f == BF16 && useAVX512:
		widenBF16AVX512(&dst[0], &w[0], len(dst))
	case f == BF16 && useAVX2:
		widenBF16AVX2(&dst[0], &w[0], len(dst))
	default:
		widenGeneric(f, dst, w)
	}
}

func gemvFloat(f Float, dst []float32, w []byte, stride int, x []float32) {
	if !useAVX2 || len(x) == 0 || len(dst) == 0 {
		gemvFloatGeneric(f, dst, w, stride, x)
		return
	}
	d, rows, n := &dst[0], len(dst), len(x)
	switch {
	case f == F32 && useAVX512:
		gemvF32AVX512(d, &w[0], stride, rows, n, &x[0])
	case f == F32:
		gemvF32AVX2(d, &w[0], stride, rows, n, &x[0])
	case f == F16 && useAVX512:
		gemvF16AVX512(d, &w[0], stride, rows, n, &x[0])
	case f == F16:
		gemvF16AVX2(d, &w[0], stride, rows, n, &x[0])
	case useAVX512:
		gemvBF16AVX512(d, &w[0], stride, rows, n, &x[0])
	default:
		gemvBF16AVX2(d, &w[0], stride, rows, n, &x[0])
	}
}

func gemmFloat(c *[PanelRows * TileRows]float32, w []float32, stride int, a []float32, ahead []byte) {
	if len(a) == 0 || !useAVX2 {
		gemmFloatGeneric(c, w, stride, a)
		return
	}
	from, step := fetching(w, ahead)
	if useAVX512 {
		gemmFloatAVX512(&c[0], &w[0], stride, len(a)/TileRows, &a[0], from, step)
	} else {
		gemmFloatAVX2(&c[0], &w[0], stride, len(a)/TileRows, &a[0], from, step)
	}
}

// With AVX-512 a broadcast weight serves both tiles, so that loads do not bound
// the products.
func gemmFloat2(c *[2 * PanelRows * TileRows]float32, w []float32, stride int, a []float32, ahead []byte) {
	if len(a) == 0 || !useAVX512 {
		gemmFloatTwice(c, w, stride, a, ahead)
		return
	}
	from, step := fetching(w, ahead)
	gemmFloat2AVX512(&c[0], &w[0], stride, len(a)/(2*TileRows), &a[0], from, step)
}

// fetching returns where gemmFloat begins to fetch, and how far it goes for
// every four columns; without anything ahead it stays at the weights.
func fetching(w []float32, ahead []byte) (from uintptr, step int) {
	if len(ahead) == 0 {
		return uintptr(unsafe.Pointer(&w[0])), 0
	}
	return uintptr(unsafe.Pointer(&ahead[0])), 4 * FetchBytes
}

func addFloats(sum []float64, x []float32) {
	switch {
	case len(x) == 0 || !useAVX2:
		addFloatsGeneric(sum, x)
	case useAVX512:
		addFloatsAVX512(&sum[0], &x[0], len(x))
	default:
		addFloatsAVX2(&sum[0], &x[0], len(x))
	}
}
