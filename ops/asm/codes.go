package asm

import (
	"encoding/binary"

	"github.com/x448/float16"
)

// A Format is a block format of stored weights that the integer kernels read.
// A group of its weights is scale*code + low, with an integer code that fits
// in int8.
type Format uint8

const (
	Q8_0 Format = iota
	Q4_0
	Q4_1
	Q5_0
	Q5_1
	Q4_K
	Q5_K
	Q6_K
	formats
)

// A Layout says how a format is stored.
type Layout struct {
	Items, Bytes int  // of a block
	Group        int  // codes that share a scale: 32 or 16
	Low          bool // low is not always zero
}

var layouts = [formats]Layout{
	Q8_0: {32, 34, 32, false},
	Q4_0: {32, 18, 32, false},
	Q4_1: {32, 20, 32, true},
	Q5_0: {32, 22, 32, false},
	Q5_1: {32, 24, 32, true},
	Q4_K: {256, 144, 32, true},
	Q5_K: {256, 176, 32, true},
	Q6_K: {256, 210, 16, false},
}

// Layout returns how f is stored.
func (f Format) Layout() Layout { return layouts[f] }

func half(b []byte) float32 {
	return float16.Frombits(binary.LittleEndian.Uint16(b)).Float32()
}

// decodeScales unpacks the scale and the low of each group of a block.
func decodeScales(f Format, scale, low *[16]float32, b []byte) {
	scale[0] = half(b)
	switch f {
	case Q4_1, Q5_1:
		low[0] = half(b[2:])
	case Q4_K, Q5_K:
		d, m := scale[0], half(b[2:])
		for g := range 8 {
			s, l := scaleMin(b[4:16], g)
			scale[g], low[g] = d*float32(s), -(m * float32(l))
		}
	case Q6_K:
		d := half(b[208:])
		for g := range 16 {
			scale[g] = d * float32(int8(b[192+g]))
		}
	}
}

// decodeCodes unpacks the codes of a block.
func decodeCodes(f Format, code *[256]int8, b []byte) {
	switch f {
	case Q8_0:
		for i, q := range b[2:34] {
			code[i] = int8(q)
		}
	case Q4_0:
		nibbles(code[:32], b[2:18], -8)
	case Q4_1:
		nibbles(code[:32], b[4:20], 0)
	case Q5_0:
		nibbles(code[:32], b[6:22], -16)
		fifth(code[:32], b[2:6])
	case Q5_1:
		nibbles(code[:32], b[8:24], 0)
		fifth(code[:32], b[4:8])
	case Q4_K, Q5_K:
		q := b[16:]
		if f == Q5_K {
			q = b[48:]
		}
		for i := range 128 {
			g, k := i/32, i%32
			code[64*g+k], code[64*g+32+k] = int8(q[i]&15), int8(q[i]>>4)
		}
		if f == Q5_K {
			for i := range code {
				code[i] += int8(b[16+i%32]>>(i/32)&1) << 4
			}
		}
	case Q6_K:
		for i := range code {
			h, k := i/128, i%128
			low := b[64*h+k%64] >> (k / 64 * 4) & 15
			high := b[128+32*h+k%32] >> (k / 32 * 2) & 3
			code[i] = int8(low|high<<4) - 32
		}
	}
}

// nibbles unpacks the low nibbles, then the high ones.
func nibbles(code []int8, b []byte, offset int8) {
	for i, q := range b {
		code[i], code[i+len(b)] = int8(q&15)+offset, int8(q>>4)+offset
	}
}

// fifth adds the bits of a word as the fifth bits of 32 codes.
func fifth(code []int8, b []byte) {
	w := binary.LittleEndian.Uint32(b)
	for i := range code {
		code[i] += int8(w>>i&1) << 4
	}
}

// scaleMin unpacks the 6-bit scale and minimum of group g from the 12 bytes of
// a Q4_K or Q5_K block. Groups 0 to 3 have the low six bits of a byte each,
// scales first; groups 4 to 7 have nibbles in the last four bytes, and their
// high bits in what the first eight left over.
func scaleMin(b []byte, g int) (scale, low byte) {
	if g < 4 {
		return b[g] & 63, b[g+4] & 63
	}
	return b[g+4]&15 | b[g-4]>>6<<4, b[g+4]>>4 | b[g]>>6<<4
}
