//go:build (!amd64 && !arm64) || purego

package asm

func widen(f Float, dst []float32, w []byte) { widenGeneric(f, dst, w) }

func gemvFloat(f Float, dst []float32, w []byte, stride int, x []float32) {
	gemvFloatGeneric(f, dst, w, stride, x)
}

func gemmFloat(c *[PanelRows * TileRows]float32, w []float32, stride int, a []float32, _ []byte) {
	gemmFloatGeneric(c, w, stride, a)
}

func gemmFloat2(c *[2 * PanelRows * TileRows]float32, w []float32, stride int, a []float32, ahead []byte) {
	gemmFloatTwice(c, w, stride, a, ahead)
}

func addFloats(sum []float64, x []float32) { addFloatsGeneric(sum, x) }
