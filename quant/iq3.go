package quant

import "encoding/binary"

// The IQ3 formats are like IQ2 with grids of four magnitudes, so that eight
// signs go with two points. A group is 32 values, eight points.

// IQ3_XXS, 256 values in 98 B: d, 64 byte indices, then 4 B per group of signs
// and scale as in IQ2_XXS.
//
//	x = d * (scale + 1/2) / 2 * ±grid
func decodeIQ3_XXS(dst []float32, src []byte) {
	grid := gridIQ3_XXS()
	for ; len(src) > 0; src = src[98:] {
		d := half(src[:2])
		for g := range 8 {
			b := src[2+8*g:]
			u := binary.LittleEndian.Uint32(src[66+4*g:])
			scale := d * (0.5 + float32(u>>28)) / 2
			for i := range 4 {
				s := sevenSigns(u >> (7 * i))
				signed(dst[:4], scale, grid[b[2*i]][:], s)
				signed(dst[4:8], scale, grid[b[2*i+1]][:], s>>4)
				dst = dst[8:]
			}
		}
	}
}

// IQ3_S, 256 values in 110 B: d, 64 low bytes of indices, 8 B with the ninth
// bits of eight indices each, 32 B of signs, 4 B of scales, a nibble to a
// group.
//
//	x = d * (2 * scale + 1) * ±grid
func decodeIQ3_S(dst []float32, src []byte) {
	grid := gridIQ3_S()
	for ; len(src) > 0; src = src[110:] {
		d := half(src[:2])
		for g := range 8 {
			b, high, signs := src[2+8*g:], int(src[66+g]), src[74+4*g:]
			scale := d * float32(1+2*(src[106+g/2]>>(g%2*4)&15))
			for i := range 4 {
				first := int(b[2*i]) | high<<(8-2*i)&256
				second := int(b[2*i+1]) | high<<(7-2*i)&256
				signed(dst[:4], scale, grid[first][:], signs[i])
				signed(dst[4:8], scale, grid[second][:], signs[i]>>4)
				dst = dst[8:]
			}
		}
	}
}
