package asm

import "encoding/binary"

// The probes are what a machine can do at best: benchmarks put the kernels
// beside them.

// readBlock is how many bytes a step of Read takes.
const readBlock = 512

// Read adds up the 64-bit words of x in turn, 8 apart, and returns the sum of
// all: as fast as memory is read. The last len(x)%512 bytes are left out.
func Read(x []byte) uint64 {
	var sums [8]uint64
	read(&sums, x[:len(x)/readBlock*readBlock])
	var sum uint64
	for _, s := range sums {
		sum += s
	}
	return sum
}

// readGeneric is the definition of read: sums[i%8] += word i of x.
func readGeneric(sums *[8]uint64, x []byte) {
	for ; len(x) >= 64; x = x[64:] {
		b := (*[64]byte)(x)
		for i := range sums {
			sums[i] += binary.LittleEndian.Uint64(b[8*i:])
		}
	}
}

// peakChains is how many fused multiply-adds run side by side, each waiting
// for the one before it alone: more than the latency times the number of
// units of any processor at hand.
const peakChains = 12

// Peak runs rounds of fused multiply-adds that only the arithmetic
// bounds. It returns how many floating-point operations they were, and the
// sum of one lane of all chains: rounds times the number of chains, while that is
// below 2^24.
func Peak(rounds int) (flops int, sum float32) {
	lanes, sum := peak(rounds)
	return 2 * peakChains * lanes * rounds, sum
}

// peakGeneric is the definition of peak, with one lane, and with a
// multiplication and an addition where the processor has no instruction for
// both: each chain adds 1*1 in every round.
func peakGeneric(rounds int) float32 {
	var a, b, c, d, e, f, g, h, i, j, k, l float32
	one := float32(min(rounds, 1)) // no constant, so that the products are computed
	for range rounds {
		a += one * one
		b += one * one
		c += one * one
		d += one * one
		e += one * one
		f += one * one
		g += one * one
		h += one * one
		i += one * one
		j += one * one
		k += one * one
		l += one * one
	}
	return a + b + c + d + e + f + g + h + i + j + k + l
}
