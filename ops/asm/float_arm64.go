//go:build !purego

package asm

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

func gemmFloat(c *Tile, w []float32, stride int, a []float32, _ []byte) {
	gemmFloatNEON(&c[0], &w[0], stride, len(a)/PanelRows, &a[0])
}
