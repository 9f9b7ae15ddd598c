package quant

import "encoding/binary"

// iq4 holds the 16 levels of the IQ4 formats, closer together near zero.
var iq4 = [16]int8{-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113}

// IQ4_NL, 32 values in 18 B: d, 16 B of nibbles as in Q4_0.
//
//	x = d * iq4[q]
func decodeIQ4_NL(dst []float32, src []byte) {
	for ; len(src) > 0; dst, src = dst[32:], src[18:] {
		x, b := (*[32]float32)(dst), (*[18]byte)(src)
		d := half(b[:2])
		for i, q := range b[2:] {
			x[i] = d * float32(iq4[q&15])
			x[i+16] = d * float32(iq4[q>>4])
		}
	}
}

// IQ4_XS, 256 values in 136 B: d, a 16-bit word with the two high bits of
// eight group scales, 4 B with their low nibbles, 128 B of nibbles. A group is
// 32 values in 16 B, laid out as in Q4_0.
//
//	x = d * (scale - 32) * iq4[q]
func decodeIQ4_XS(dst []float32, src []byte) {
	for ; len(src) > 0; src = src[136:] {
		d, high := half(src[:2]), binary.LittleEndian.Uint16(src[2:4])
		for g := range 8 {
			s := int(src[4+g/2]>>(g%2*4)&15) | int(high>>(2*g)&3)<<4
			scale := d * float32(s-32)
			x := (*[32]float32)(dst)
			for i, q := range (*[16]byte)(src[8+16*g:]) {
				x[i] = scale * float32(iq4[q&15])
				x[i+16] = scale * float32(iq4[q>>4])
			}
			dst = dst[32:]
		}
	}
}
