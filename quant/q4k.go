package quant

import "slices"

// Q4_K, 256 values in 144 B: d, m, 12 B of 6-bit group scales and mins (see
// scaleMin), 128 B of nibbles. A group is 32 values; groups 2n and 2n+1 are
// the low and high nibbles of the n-th 32 bytes.
//
//	x = d * scale * q - m * min
func decodeQ4_K(dst []float32, src []byte) {
	for ; len(src) > 0; dst, src = dst[256:], src[144:] {
		x, b := (*[256]float32)(dst), (*[144]byte)(src)
		d, m := half(b[:2]), half(b[2:4])
		for g := 0; g < 8; g += 2 {
			s0, l0 := scaleMin(b[4:16], g)
			s1, l1 := scaleMin(b[4:16], g+1)
			scale0, min0, scale1, min1 := d*s0, m*l0, d*s1, m*l1
			y0, y1 := (*[32]float32)(x[32*g:]), (*[32]float32)(x[32*g+32:])
			for i, q := range (*[32]byte)(b[16+16*g:]) {
				y0[i] = scale0*float32(q&15) - min0
				y1[i] = scale1*float32(q>>4) - min1
			}
		}
	}
}

// scaleMin unpacks the 6-bit scale and min of group g of a Q4_K or Q5_K
// block from its 12 bytes. Groups 0 to 3 have the low six bits of a byte each:
// scales first, then mins. Groups 4 to 7 have their low four bits in the
// last four bytes, a nibble each, and their high two in what the first eight
// bytes left.
func scaleMin(b []byte, g int) (scale, min float32) {
	_ = b[11]
	if g < 4 {
		return float32(b[g] & 63), float32(b[g+4] & 63)
	}
	return float32(b[g+4]&15 | b[g-4]>>6<<4), float32(b[g+4]>>4 | b[g]>>6<<4)
}

func encodeQ4_K(dst []byte, src []float32) {
	for ; len(src) > 0; dst, src = dst[144:], src[256:] {
		x, b := (*[256]float32)(src), (*[144]byte)(dst)
		l := encodeGroups(b[:16], x, 15)
		for i := range 128 {
			at := i/32*64 + i%32
			b[16+i] = l[at] | l[at+32]<<4
		}
	}
}

// encodeGroups chooses the scales of a Q4_K or Q5_K block, writes its first 16
// bytes and returns the quants, from 0 to top.
func encodeGroups(b []byte, x *[256]float32, top int) *[256]byte {
	var scale, mins [8]float32 // mins are negated
	for g := range 8 {
		d, m := fitLine((*[32]float32)(x[32*g:]), top, true)
		scale[g], mins[g] = d, -m
	}
	d := putHalf(b[:2], slices.Max(scale[:])/63)
	m := putHalf(b[2:4], slices.Max(mins[:])/63)
	invD, invM := inverse(d), inverse(m)
	var quants [256]byte
	for g := range 8 {
		s, o := level(scale[g]*invD, 63), level(mins[g]*invM, 63)
		putScaleMin(b[4:16], g, byte(s), byte(o))
		inv, min := inverse(d*float32(s)), m*float32(o)
		for i, v := range x[32*g : 32*g+32] {
			quants[32*g+i] = byte(level((v+min)*inv, top))
		}
	}
	return &quants
}

// putScaleMin is the inverse of scaleMin.
func putScaleMin(b []byte, g int, scale, min byte) {
	if g < 4 {
		b[g], b[g+4] = scale, min
		return
	}
	b[g+4] = scale&15 | min<<4
	b[g-4] |= scale >> 4 << 6
	b[g] |= min >> 4 << 6
}
