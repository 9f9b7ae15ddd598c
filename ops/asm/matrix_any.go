//go:build (!amd64 && !arm64) || purego

package asm

func tileFlip() uint32 { return 0 }

func readsCrossed() bool { return false }

func cross(e *Eight) { crossGeneric(e) }

func tileHalves() bool { return false }

func codeBytes(Format) int { return 1 }

func quantize(c Codes, x []float32) { quantizeGeneric(c, x) }

func transpose(dst, src []uint32, stride, rows, cols int, flip uint32) {
	transposeGeneric(dst, src, stride, rows, cols, flip)
}

func gemv(f Format, dst []float32, w []byte, stride, groups int, a []Eight) {
	gemvGeneric(f, dst, w, stride, groups, a)
}

func unpack(f Format, p Panel, blocks int, w []byte, stride int) {
	unpackGeneric(f, p, blocks, w, stride)
}

func gemm(f Format, c *[PanelRows * TileRows]float32, p Panel, t Tile, columns int, _ *Chains) {
	gemmGeneric(f, c, p, t, columns)
}

func finish(dst []float32, stride int, c []float32, rows, lanes int, bias, shift []float32, add bool) {
	finishGeneric(dst, stride, c, rows, lanes, bias, shift, add)
}

func addColumns(f Format, sum []float64, p Panel, first, rows int) {
	addColumnsGeneric(f, sum, p, first, rows)
}
