package quant

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// The IQ2 formats store eight values at a time as an index into a grid of
// eight magnitudes each, and their signs. A group is 32 values, four points.

// IQ2_XXS, 256 values in 66 B: d, then per group 8 B: four byte indices, and
// 32 bits with four times seven signs (see sevenSigns) and a 4-bit scale on
// top.
//
//	x = d * (scale + 1/2) / 4 * ±grid
func decodeIQ2_XXS(dst []float32, src []byte) {
	grid := gridIQ2_XXS()
	for ; len(src) > 0; src = src[66:] {
		d := half(src[:2])
		for g := range 8 {
			b := src[2+8*g:]
			u := binary.LittleEndian.Uint32(b[4:8])
			scale := d * (0.5 + float32(u>>28)) / 4
			for i := range 4 {
				signed(dst[:8], scale, grid[b[i]][:], sevenSigns(u>>(7*i)))
				dst = dst[8:]
			}
		}
	}
}

// IQ2_XS, 256 values in 74 B: d, 32 16-bit words with a 9-bit index below
// seven signs, 8 B of scales, two nibbles to a group, 16 values each.
//
//	x = d * (scale + 1/2) / 4 * ±grid
func decodeIQ2_XS(dst []float32, src []byte) {
	grid := gridIQ2_XS()
	for ; len(src) > 0; src = src[74:] {
		d := half(src[:2])
		for i := range 32 {
			w := binary.LittleEndian.Uint16(src[2+2*i:])
			s := src[66+i/4] >> (i % 4 / 2 * 4) & 15
			signed(dst[:8], d*(0.5+float32(s))/4, grid[w&511][:], sevenSigns(uint32(w>>9)))
			dst = dst[8:]
		}
	}
}

// IQ2_S, 256 values in 82 B: d, 32 low bytes of indices, 32 B of signs, 8 B
// with the two high bits of four indices each, 8 B of scales as in IQ2_XS.
//
//	x = d * (scale + 1/2) / 4 * ±grid
func decodeIQ2_S(dst []float32, src []byte) {
	grid := gridIQ2_S()
	for ; len(src) > 0; src = src[82:] {
		d := half(src[:2])
		for i := range 32 {
			index := int(src[2+i]) | int(src[66+i/4]>>(i%4*2)&3)<<8
			s := src[74+i/4] >> (i % 4 / 2 * 4) & 15
			signed(dst[:8], d*(0.5+float32(s))/4, grid[index][:], src[34+i])
			dst = dst[8:]
		}
	}
}

// signed writes scale times the magnitudes, negated where a bit of signs is
// set.
func signed(dst []float32, scale float32, magnitudes []int8, signs byte) {
	dst = dst[:len(magnitudes)]
	for i, m := range magnitudes {
		v := math.Float32bits(scale * float32(m))
		dst[i] = math.Float32frombits(v ^ uint32(signs>>i&1)<<31)
	}
}

// sevenSigns completes the seven low bits to eight signs, of which an even
// number is set.
func sevenSigns(u uint32) byte {
	s := byte(u & 127)
	return s | byte(bits.OnesCount8(s)&1)<<7
}
