//go:build (!amd64 && !arm64) || purego

package asm

// Without assembly there is one tier, generic.
var tiers []tier

const canFlush = false

func flush([]byte) {}

func pause() {}

func fetchRows(*float32, int, int) {}

func read(sums *[8]uint64, x []byte, blocks, _, _, _ int) { readGeneric(sums, x, blocks) }

func peak(rounds int) (lanes int, sum float32) { return 1, peakGeneric(rounds) }

func intPeak(rounds int) (products int, sum int32) { return 4, intPeakGeneric(rounds) }

func largest(x []float32) float32 { return maxGeneric(x) }

func expSum(x []float32, m float32) float64 { return expSumGeneric(x, m) }

func scale(dst, x []float32, s float32) { scaleGeneric(dst, x, s) }

func sums(x []float32, pivot float32) (sum, squares float64) { return sumsGeneric(x, pivot) }

func sumSquares(x []float32) float64 {
	_, squares := sumsGeneric(x, 0)
	return squares
}

func normalize(dst, x, gain, bias []float32, c, scale, offset float32) {
	normalizeGeneric(dst, x, gain, bias, c, scale, offset)
}

func layerNormRows(_, x, _, _ []float32, width int, _ float64) (done int, sum, squares float64) {
	sum, squares = sums(x[:width], 0)
	return 0, sum, squares
}

func rmsNormRows(_, _, _, _ []float32, _ int, _ float64) int { return 0 }

// MulRows is how many rows MulPanels takes side by side.
const MulRows = 4

func mulPanels32(c, a, b []float32, rows, k, panels, ldc, lda, stride int) {
	mulPanelsGeneric(c, a, b, rows, k, panels, ldc, lda, stride, widen32)
}

func mulPanels16(c, a []float32, b []uint16, rows, k, panels, ldc, lda, stride int) {
	mulPanelsGeneric(c, a, b, rows, k, panels, ldc, lda, stride, widen16)
}

func bias(x []float32, slope, first float32) { biasGeneric(x, slope, first) }

func exp2Sums(x []float32, ld int, n []int, top []float32, sum []float64) {
	exp2SumsGeneric(x, ld, n, top, sum)
}

func softcap(x []float32, scale, limit float32) { softcapGeneric(x, scale, limit) }

func scaleAdd(x, y []float32, a, b float32) { scaleAddGeneric(x, y, a, b) }

func rotateHalves(x, own, other []float32, heads, headDim int) {
	rotateHalvesGeneric(x, own, other, heads, headDim)
}

func rotatePairs(x, own, other []float32, heads, headDim int) {
	rotatePairsGeneric(x, own, other, heads, headDim)
}

func spread16(dst []uint16, x []float32, stride int) { spread16Generic(dst, x, stride) }

func scatter16(dst []uint16, x []float32) { scatter16Generic(dst, x) }
