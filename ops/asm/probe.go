package asm

import "encoding/binary"

// The probes are what a machine can do at best: benchmarks put the kernels
// beside them.

// readBlock is how many bytes a step of Read takes: half of them in each of two
// streams.
const readBlock = 512

// readLoops are ways to read memory. Which is the fastest depends on the processor,
// the size of its pages and how many threads read.
var readLoops = [...]struct {
	streams int
	ahead   int // bytes that are fetched ahead
}{{1, 0}, {1, 4 << 10}, {1, 12 << 10}, {2, 0}, {2, 4 << 10}}

// ReadLoops is the number of loops that Read has.
const ReadLoops = len(readLoops)

// Read adds up the 64-bit words of x in turn, 8 apart, and returns the sum of
// all: as fast as memory is read by one of the loops. The last len(x)%512 bytes are
// left out.
func Read(loop int, x []byte) uint64 {
	blocks := len(x) / readBlock
	if blocks == 0 {
		return 0
	}
	l := &readLoops[loop]
	other, step := readBlock/2, readBlock
	if l.streams == 2 {
		other, step = blocks*readBlock/2, readBlock/2
	}
	var sums [8]uint64
	read(&sums, x, blocks, other, step, l.ahead)
	var sum uint64
	for _, s := range sums {
		sum += s
	}
	return sum
}

// readGeneric is the definition of read: sums[i%8] += word i of x.
func readGeneric(sums *[8]uint64, x []byte, blocks int) {
	for x = x[:blocks*readBlock]; len(x) > 0; x = x[64:] {
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

// IntPeak is Peak for products of bytes, with which integer kernels multiply. It returns
// how many operations they were, two for each product, and the sum of one lane of all
// chains: four times the rounds times the number of chains, for up to 1,000 rounds.
func IntPeak(rounds int) (ops int, sum int32) {
	products, sum := intPeak(rounds)
	return 2 * peakChains * products * rounds, sum
}

// intPeakGeneric is the definition of intPeak, with four products to a chain.
func intPeakGeneric(rounds int) int32 {
	one := int32(int8(min(rounds, 1))) // no constant, so that the products are computed
	var sums [peakChains]int32
	for range rounds {
		for i := range sums {
			sums[i] += one*one + one*one + one*one + one*one
		}
	}
	var sum int32
	for _, s := range sums {
		sum += s
	}
	return sum
}

// BF16Peak is Peak for products of pairs in BF16, each added to a chain in float32: 0 operations
// where [HasBF16] is false.
func BF16Peak(rounds int) (flops int, sum float32) {
	if !HasBF16() {
		return 0, 0
	}
	return 2 * 2 * 16 * peakChains * rounds, bf16Peak(rounds)
}
