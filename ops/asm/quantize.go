package asm

import (
	"math"
	"unsafe"
)

// Group is how many activations share a scale.
const Group = 32

// Q8 is quantised activations, in groups of 32 as ggml's block_q8_1: a quant for
// each value, and for each group a scale, the product of the scale and the sum of
// the quants, that sum, and those of the first and the second 16 quants. A value
// is quant*scale.
type Q8 struct {
	Q                []int8
	Scale, ScaledSum []float32
	Sum, HalfSum     []int32
}

// NewQ8 returns room for that many groups.
func NewQ8(groups int) Q8 {
	words := make([]uint32, groups*Group/4) // the transposition reads words
	return Q8{
		Q:         unsafe.Slice((*int8)(unsafe.Pointer(unsafe.SliceData(words))), groups*Group),
		Scale:     make([]float32, groups),
		ScaledSum: make([]float32, groups),
		Sum:       make([]int32, groups),
		HalfSum:   make([]int32, 2*groups),
	}
}

// Groups returns the groups lo to hi (exclusive).
func (a Q8) Groups(lo, hi int) Q8 {
	return Q8{a.Q[lo*Group : hi*Group], a.Scale[lo:hi], a.ScaledSum[lo:hi], a.Sum[lo:hi], a.HalfSum[2*lo : 2*hi]}
}

// Quantize writes the quants of x to a, as many groups as a has. A group with a
// NaN or an infinity gets the scale NaN; groups below 2^-64 in magnitude are
// zeros.
func Quantize(a Q8, x []float32) {
	if kernel := active.quantize; kernel != nil && len(x) > 0 {
		kernel(&a.Q[0], &a.Scale[0], &a.ScaledSum[0], &a.Sum[0], &a.HalfSum[0], &x[0], len(a.Scale))
		return
	}
	quantizeGeneric(a, x)
}

// quantTiny is the magnitude below which a group counts as all zeros. It keeps
// scales, and their products with those of weights, in the range where
// products with powers of two are exact.
const quantTiny = 0x1p-64

// quantizeGeneric is the definition of Quantize.
func quantizeGeneric(a Q8, x []float32) {
	for g := range a.Scale {
		in, out := x[g*Group:][:Group], a.Q[g*Group:][:Group]
		// The bit patterns of magnitudes are ordered like the magnitudes, and
		// put a NaN above them all: it must reach the scale.
		var top uint32
		for _, v := range in {
			top = max(top, math.Float32bits(v)&0x7fffffff)
		}
		amax := math.Float32frombits(top)
		a.Scale[g] = amax*(1.0/127) + (amax - amax) // NaN for infinities: their sign is lost
		var inv float32
		if !(amax < quantTiny) {
			inv = 127 / amax
		}
		half := a.HalfSum[2*g:][:2]
		clear(half)
		for i, v := range in {
			out[i] = -128 // for NaN and infinities: what the conversion instructions give
			if r := math.RoundToEven(float64(v * inv)); r >= -127 && r <= 127 {
				out[i] = int8(r)
			}
			half[i/16] += int32(out[i])
		}
		a.Sum[g] = half[0] + half[1]
		a.ScaledSum[g] = a.Scale[g] * float32(a.Sum[g])
	}
}

// A Q8x8 is eight groups of an activation row, as [Gemv] reads them. The other
// orders of Q are there in tiers that read them: AVX2 and above.
type Q8x8 struct {
	Q                [8 * Group]int8
	Paired           [8 * Group]int8 // groups 0 and 4, 1 and 5, ...: the first 16 quants of both, then the others
	Transposed       [8 * Group]int8 // four quants of each group in turn: those from 4*n, n = 0, 2, 1, 3, 4, 6, 5, 7
	Interleaved      [8 * Group]int8 // see shuffleGeneric
	Strided          [8 * Group]int8 // every fourth quant, from the first on, the second, the third, the fourth: with VBMI
	Scale, ScaledSum [8]float32
	Sum              [8]int32
	_                [32]byte  // what follows begins with a cache line
	HalfSum          [16]int32 // of four groups, those of the first 16 quants, then of the others
	// HalfScale is the scale that belongs to each HalfSum, ScaledHalfSum the product.
	HalfScale, ScaledHalfSum [16]float32
}

// Q8x8Count returns how many Q8x8 a row of that many groups takes.
func Q8x8Count(groups int) int { return (groups + 7) / 8 }

// PackQ8x8 packs a row. If the last groups are less than eight, they are at the
// end of the last Q8x8, behind zeros.
func PackQ8x8(dst []Q8x8, a Q8) {
	n := len(a.Scale)
	for i := range dst {
		e := &dst[i]
		lo, hi := 8*i, min(8*i+8, n)
		part := a.Groups(lo, hi)
		at := 8 - (hi - lo)
		if at > 0 {
			*e = Q8x8{}
		}
		copy(e.Q[at*Group:], part.Q)
		copy(e.Scale[at:], part.Scale)
		copy(e.ScaledSum[at:], part.ScaledSum)
		copy(e.Sum[at:], part.Sum)
		for k, s := range part.HalfSum {
			g := at + k/2
			h := g/4*8 + k%2*4 + g%4
			e.HalfSum[h], e.HalfScale[h], e.ScaledHalfSum[h] = s, e.Scale[g], float32(s)*e.Scale[g]
		}
		if active.shuffle != nil {
			active.shuffle((*byte)(unsafe.Pointer(e)))
		}
		if active.stride != nil {
			active.stride((*byte)(unsafe.Pointer(e)))
		}
	}
}

// shuffleGeneric makes the other orders of Q.
func shuffleGeneric(e *Q8x8) {
	for k := range 4 {
		copy(e.Paired[64*k:][:16], e.Q[32*k:])
		copy(e.Paired[64*k+16:][:16], e.Q[32*k+128:])
		copy(e.Paired[64*k+32:][:16], e.Q[32*k+16:])
		copy(e.Paired[64*k+48:][:16], e.Q[32*k+144:])
	}
	// Eight quants of two groups in turn, of the groups 0 and 1, then 4 and 5; from
	// the ninth of 16 on; and so on from the groups 2 and 3 on.
	for i := range 32 {
		g, from := i/16*2+i%8/4*4+i%2, i%4/2*16+i/8%2*8
		copy(e.Interleaved[8*i:][:8], e.Q[Group*g+from:])
	}
	for k, n := range [8]int{0, 2, 1, 3, 4, 6, 5, 7} {
		for g := range 8 {
			copy(e.Transposed[32*k+4*g:][:4], e.Q[32*g+4*n:])
		}
	}
}

// strideGeneric makes Strided.
func strideGeneric(e *Q8x8) {
	for i, q := range e.Q {
		e.Strided[i%4*64+i/4] = q
	}
}
