package asm

import (
	"math"
	"unsafe"
)

// Group is how many activations share a scale.
const Group = 32

// TileRows is how many activation rows lie side by side in a [Tile].
const TileRows = 16

// Codes are activations in groups of 32: a code for each value, and for each
// group a scale, the product of the scale and the sum of the codes, the sum,
// and those of the first and the second 16 codes. A value is code*scale.
type Codes struct {
	Q          []int8
	Scale, Low []float32
	Sum, Half  []int32
}

// NewCodes returns room for so many groups.
func NewCodes(groups int) Codes {
	return Codes{
		Q:     words[int8](make([]uint32, groups*Group/4)),
		Scale: make([]float32, groups),
		Low:   make([]float32, groups),
		Sum:   make([]int32, groups),
		Half:  make([]int32, 2*groups),
	}
}

// Groups returns the groups lo to hi (exclusive).
func (c Codes) Groups(lo, hi int) Codes {
	return Codes{c.Q[lo*Group : hi*Group], c.Scale[lo:hi], c.Low[lo:hi], c.Sum[lo:hi], c.Half[2*lo : 2*hi]}
}

// An Eight is eight groups of an activation row, as [Gemv] reads them. Paired
// and Crossed are there in tiers that read them: AVX2 and above.
type Eight struct {
	Q          [8 * Group]int8
	Paired     [8 * Group]int8 // groups 0 and 4, 1 and 5, ...: the first 16 codes of both, then the others
	Crossed    [8 * Group]int8 // four codes of each group in turn: those from 4*n, n = 0, 2, 1, 3, 4, 6, 5, 7
	Scale, Low [8]float32
	Sum        [8]int32
	Half       [16]int32 // of four groups, those of the first 16 codes, then of the others
	_          [32]byte  // fills cache lines
}

// Eights returns how many there are in a row of so many groups.
func Eights(groups int) int { return (groups + 7) / 8 }

// Arrange makes the eights of a row. If the last groups are less than eight,
// they are at the end of the last one.
func Arrange(a []Eight, c Codes) {
	n := len(c.Scale)
	for i := range a {
		e := &a[i]
		lo, hi := 8*i, min(8*i+8, n)
		part := c.Groups(lo, hi)
		at := 8 - (hi - lo)
		if at > 0 {
			*e = Eight{}
		}
		copy(e.Q[at*Group:], part.Q)
		copy(e.Scale[at:], part.Scale)
		copy(e.Low[at:], part.Low)
		copy(e.Sum[at:], part.Sum)
		for k, s := range part.Half {
			g := at + k/2
			e.Half[g/4*8+k%2*4+g%4] = s
		}
		if readsCrossed() {
			cross(e)
		}
	}
}

// crossGeneric is the definition of cross: it makes Paired and Crossed.
func crossGeneric(e *Eight) {
	for k := range 4 {
		copy(e.Paired[64*k:][:16], e.Q[32*k:])
		copy(e.Paired[64*k+16:][:16], e.Q[32*k+128:])
		copy(e.Paired[64*k+32:][:16], e.Q[32*k+16:])
		copy(e.Paired[64*k+48:][:16], e.Q[32*k+144:])
	}
	for k, n := range [8]int{0, 2, 1, 3, 4, 6, 5, 7} {
		for g := range 8 {
			copy(e.Crossed[32*k+4*g:][:4], e.Q[32*g+4*n:])
		}
	}
}

// A Tile is 16 activation rows side by side: for every four columns, four
// codes of each row, exclusive-or [TileFlip]; for every group the scale of
// each row, and its product with the sum of the codes.
type Tile struct {
	Q          []uint32 // [columns/4][16]
	Scale, Low []float32
	// Half has the sums of the first and the second 16 codes of each group, 16
	// bits each, where [TileHalves] tells so.
	Half []uint32
}

// PackHalves makes [Tile.Half] of the codes of up to 16 rows.
func PackHalves(dst []uint32, half []int32, rows int) {
	groups := len(dst) / TileRows
	for r := range rows {
		row := half[2*groups*r:][:2*groups]
		for g := range groups {
			dst[g*TileRows+r] = uint32(row[2*g])&0xffff | uint32(row[2*g+1])<<16
		}
	}
}

// quantTiny is the magnitude below which a group counts as all zeros. It keeps
// scales, and their products with those of weights, in the range where
// products with powers of two are exact.
const quantTiny = 0x1p-64

// quantizeGeneric is the definition of Quantize.
func quantizeGeneric(c Codes, x []float32) {
	for g := range c.Scale {
		in, out := x[g*Group:][:Group], c.Q[g*Group:][:Group]
		// The bit patterns of magnitudes are ordered like the magnitudes, and
		// put a NaN above them all: it must reach the scale.
		var top uint32
		for _, v := range in {
			top = max(top, math.Float32bits(v)&0x7fffffff)
		}
		amax := math.Float32frombits(top)
		c.Scale[g] = amax*(1.0/127) + (amax - amax) // NaN for infinities: their sign is lost
		var inv float32
		if !(amax < quantTiny) {
			inv = 127 / amax
		}
		half := c.Half[2*g:][:2]
		clear(half)
		for i, v := range in {
			out[i] = -128 // for NaN and infinities: what the conversion instructions give
			if r := math.RoundToEven(float64(v * inv)); r >= -127 && r <= 127 {
				out[i] = int8(r)
			}
			half[i/16] += int32(out[i])
		}
		c.Sum[g] = half[0] + half[1]
		c.Low[g] = c.Scale[g] * float32(c.Sum[g])
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

// words returns the memory of x as elements of another type.
func words[T int8 | int32 | float32](x []uint32) []T {
	n := 4 * len(x) / int(unsafe.Sizeof(*new(T)))
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(x))), n)
}
