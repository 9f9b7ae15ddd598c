//go:build !amd64 || purego

package asm

// HasBF16 reports whether [GemmBF16] and [GemvBF16] have kernels here.
func HasBF16() bool { return false }

func gemmBF16(c *[2 * len(Tile{})]float32, w []float32, stride int, a []uint32) {
	gemmBF16Generic(c, w, stride, a)
}

func gemvBF16(dst []float32, w []byte, stride int, x []uint32) {
	gemvBF16Generic(dst, w, stride, x)
}

func roundBF16(dst []uint16, x []float32) { roundBF16Generic(dst, x) }

func bf16Peak(int) float32 { return 0 }
