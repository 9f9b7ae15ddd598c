//go:build !purego

package asm

// Not every system lets programs flush; the widest kernels are in use.
const canFlush = false

func flush([]byte) {}

//go:noescape
func readNEON(sums *[8]uint64, x []byte)

//go:noescape
func peakNEON(rounds int) float32

func read(sums *[8]uint64, x []byte) {
	if useNEON {
		readNEON(sums, x)
		return
	}
	readGeneric(sums, x)
}

func peak(rounds int) (lanes int, sum float32) {
	if useNEON {
		return 4, peakNEON(rounds)
	}
	return 1, peakGeneric(rounds)
}
