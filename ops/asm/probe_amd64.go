//go:build !purego

package asm

// canFlush tells that flush takes memory out of the caches.
const canFlush = true

func read(sums *[8]uint64, x []byte, blocks, other, step, ahead int) {
	switch {
	case useAVX512:
		readAVX512(sums, &x[0], blocks, other, step, ahead)
	case useAVX2:
		readAVX2(sums, &x[0], blocks, other, step, ahead)
	default:
		readGeneric(sums, x, blocks)
	}
}

func peak(rounds int) (lanes int, sum float32) {
	switch {
	case useAVX512:
		return 16, peakAVX512(rounds)
	case useAVX2:
		return 8, peakAVX2(rounds)
	}
	return 1, peakGeneric(rounds)
}

func intPeak(rounds int) (products int, sum int32) {
	switch {
	case useAVX512:
		return 64, intPeakAVX512(rounds)
	case useAVX2:
		return 32, intPeakAVX2(rounds)
	}
	return 4, intPeakGeneric(rounds)
}

func bf16Peak(rounds int) float32 { return bf16PeakAVX512(rounds) }
