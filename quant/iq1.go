package quant

import "encoding/binary"

// The IQ1 formats store eight values at a time as an index into a grid of -1,
// 0 and 1, all shifted by 1/8 up or down.

// IQ1_S, 256 values in 50 B: d, 32 low bytes of indices, then a 16-bit word
// per group of 32 values: three high bits for each of its four indices, a
// 3-bit scale, and on top the sign of the shift.
//
//	x = d * (2 * scale + 1) * (grid ± 1/8)
func decodeIQ1_S(dst []float32, src []byte) {
	grid := gridIQ1()
	for ; len(src) > 0; src = src[50:] {
		d := half(src[:2])
		for g := range 8 {
			w := binary.LittleEndian.Uint16(src[34+2*g:])
			scale := d * float32(2*(w>>12&7)+1)
			for i := range 4 {
				index := int(src[2+4*g+i]) | int(w>>(3*i)&7)<<8
				shifted(dst[:8], scale, &grid[index], w&0x8000 != 0)
				dst = dst[8:]
			}
		}
	}
}

// IQ1_M, 256 values in 56 B: 32 low bytes of indices; 16 B with a nibble per
// index, three high bits and above them the sign of the shift; four 16-bit
// words with four 3-bit scales each, for 16 values apiece, and in their top
// nibbles d, lowest nibble first.
//
//	x = d * (2 * scale + 1) * (grid ± 1/8)
func decodeIQ1_M(dst []float32, src []byte) {
	grid := gridIQ1()
	for ; len(src) > 0; src = src[56:] {
		var h [2]byte
		h[0] = src[49]>>4 | src[51]>>4<<4
		h[1] = src[53]>>4 | src[55]>>4<<4
		d := half(h[:])
		for i := range 32 {
			n := src[32+i/2] >> (i % 2 * 4)
			w := binary.LittleEndian.Uint16(src[48+i/8*2:])
			scale := d * float32(2*(w>>(i%8/2*3)&7)+1)
			shifted(dst[:8], scale, &grid[int(src[i])|int(n&7)<<8], n&8 != 0)
			dst = dst[8:]
		}
	}
}

func shifted(dst []float32, scale float32, point *[8]int8, down bool) {
	delta := float32(0.125)
	if down {
		delta = -delta
	}
	dst = dst[:8]
	for i, v := range point {
		dst[i] = scale * (float32(v) + delta)
	}
}
