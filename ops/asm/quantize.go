package asm

import "math"

// Group is how many activations share a scale.
const Group = 32

// TileRows is how many activation rows lie side by side in a [Tile].
const TileRows = 16

// An Int8 is one activation row in groups of 32: a code for each value, and
// for each group a scale and the sum of its codes. A value is code*scale.
type Int8 struct {
	Q     []int8
	Scale []float32
	Sum   []int32
}

// A Tile is 16 activation rows side by side: for every four columns, four
// codes of each row, exclusive-or [TileFlip]; for every group the scale of
// each row, the sum of its codes, and the product of the two.
type Tile struct {
	Q          []uint32 // [columns/4][16]
	Scale, Low []float32
	Sum        []int32
}

// quantTiny is the magnitude below which a group counts as all zeros: its
// reciprocal would overflow.
const quantTiny = 0x1p-100

// quantizeGeneric is the definition of Quantize.
func quantizeGeneric(a Int8, x []float32) {
	for g := range a.Scale {
		in, out := x[g*Group:][:Group], a.Q[g*Group:][:Group]
		// The bit patterns of magnitudes are ordered like the magnitudes, and
		// put a NaN above them all: it must reach the scale.
		var top uint32
		for _, v := range in {
			top = max(top, math.Float32bits(v)&0x7fffffff)
		}
		amax := math.Float32frombits(top)
		a.Scale[g] = amax * (1.0 / 127)
		var inv float32
		if !(amax < quantTiny) {
			inv = 127 / amax
		}
		var sum int32
		for i, v := range in {
			out[i] = -128 // for NaN and infinities: what the conversion instructions give
			if r := math.RoundToEven(float64(v * inv)); r >= -127 && r <= 127 {
				out[i] = int8(r)
			}
			sum += int32(out[i])
		}
		a.Sum[g] = sum
	}
}

// transposeGeneric is the definition of Transpose.
func transposeGeneric(dst, src []uint32, stride, rows, cols int, flip uint32) {
	for c := range cols {
		out := (*[TileRows]uint32)(dst[c*TileRows:])
		for r := range out {
			out[r] = flip
			if r < rows {
				out[r] ^= src[r*stride+c]
			}
		}
	}
}
