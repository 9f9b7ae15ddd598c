package asm

func tileFlip() uint32 { return 0 }

func quantize(a Int8, x []float32) { quantizeGeneric(a, x) }

func transpose(dst, src []uint32, stride, rows, cols int, flip uint32) {
	transposeGeneric(dst, src, stride, rows, cols, flip)
}

func gemv(f Format, dst *[PanelRows]float32, w []byte, stride int, a Int8) {
	gemvGeneric(f, dst, w, stride, a)
}

func unpack(f Format, p Panel, rows, blocks int, w []byte, stride int) {
	unpackGeneric(f, p, rows, blocks, w, stride)
}

func gemm(f Format, c *[PanelRows * TileRows]float32, p Panel, t Tile, blocks int) {
	gemmGeneric(f, c, p, t, blocks)
}

func finish(dst []float32, stride int, c *[PanelRows * TileRows]float32, rows, lanes int, bias, shift []float32, add bool) {
	finishGeneric(dst, stride, c, rows, lanes, bias, shift, add)
}

func addColumns(f Format, sum []float64, p Panel, rows int) { addColumnsGeneric(f, sum, p, rows) }
