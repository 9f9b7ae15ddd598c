//go:build !purego

package asm

import "unsafe"

// gemvF32NEON and its likes set dst[r] to the sum over i < n of w[r,i]*x[i],
// for r < rows, stride bytes apart. There is at least one row.
//
//go:noescape
func gemvF32NEON(dst *float32, w *byte, stride, rows, n int, x *float32)

//go:noescape
func gemvF16NEON(dst *float32, w *byte, stride, rows, n int, x *float32)

//go:noescape
func gemvBF16NEON(dst *float32, w *byte, stride, rows, n int, x *float32)

//go:noescape
func widenF16NEON(dst *float32, w *byte, n int)

//go:noescape
func widenBF16NEON(dst *float32, w *byte, n int)

//go:noescape
func gemmFloatNEON(c, w *float32, stride, k int, a *float32)

//go:noescape
func addFloatsNEON(sum *float64, x *float32, n int)

func widen(f Float, dst []float32, w []byte) {
	if len(dst) == 0 {
		return
	}
	switch {
	case f == F32:
		copy(unsafe.Slice((*byte)(unsafe.Pointer(&dst[0])), 4*len(dst)), w)
	case !useNEON:
		widenGeneric(f, dst, w)
	case f == F16:
		widenF16NEON(&dst[0], &w[0], len(dst))
	default:
		widenBF16NEON(&dst[0], &w[0], len(dst))
	}
}

func gemvFloat(f Float, dst []float32, w []byte, stride int, x []float32) {
	if !useNEON || len(x) == 0 || len(dst) == 0 {
		gemvFloatGeneric(f, dst, w, stride, x)
		return
	}
	d, rows, n := &dst[0], len(dst), len(x)
	switch f {
	case F32:
		gemvF32NEON(d, &w[0], stride, rows, n, &x[0])
	case F16:
		gemvF16NEON(d, &w[0], stride, rows, n, &x[0])
	case BF16:
		gemvBF16NEON(d, &w[0], stride, rows, n, &x[0])
	}
}

func gemmFloat(c *[PanelRows * TileRows]float32, w []float32, stride int, a []float32, _ []byte) {
	if !useNEON || len(a) == 0 {
		gemmFloatGeneric(c, w, stride, a)
		return
	}
	gemmFloatNEON(&c[0], &w[0], stride, len(a)/TileRows, &a[0])
}

func gemmFloat2(c *[2 * PanelRows * TileRows]float32, w []float32, stride int, a []float32, ahead []byte) {
	gemmFloatTwice(c, w, stride, a, ahead)
}

func addFloats(sum []float64, x []float32) {
	if !useNEON || len(x) == 0 {
		addFloatsGeneric(sum, x)
		return
	}
	addFloatsNEON(&sum[0], &x[0], len(x))
}
