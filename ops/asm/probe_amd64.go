//go:build !purego

package asm

// canFlush tells that flush takes memory out of the caches.
const canFlush = true

func read(sums *[8]uint64, x []byte) {
	switch {
	case useAVX512:
		readAVX512(sums, x)
	case useAVX2:
		readAVX2(sums, x)
	default:
		readGeneric(sums, x)
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
