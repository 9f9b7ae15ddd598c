//go:build !purego

package asm

// Not every system lets programs flush; the widest kernels are in use.
const canFlush = false

func flush([]byte) {}

//go:noescape
func readNEON(sums *[8]uint64, x *byte, blocks, other, step, ahead int)

//go:noescape
func peakNEON(rounds int) float32

//go:noescape
func intPeakNEON(rounds int) int32

//go:noescape
func intPeakDotProd(rounds int) int32

//go:noescape
func intPeakI8MM(rounds int) int32

func read(sums *[8]uint64, x []byte, blocks, other, step, ahead int) {
	if useNEON {
		readNEON(sums, &x[0], blocks, other, step, ahead)
		return
	}
	readGeneric(sums, x, blocks)
}

func peak(rounds int) (lanes int, sum float32) {
	if useNEON {
		return 4, peakNEON(rounds)
	}
	return 1, peakGeneric(rounds)
}

func intPeak(rounds int) (products int, sum int32) {
	switch {
	case useI8MM:
		return 32, intPeakI8MM(rounds)
	case useDotProd:
		return 16, intPeakDotProd(rounds)
	case useNEON:
		return 8, intPeakNEON(rounds)
	}
	return 4, intPeakGeneric(rounds)
}
