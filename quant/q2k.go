package quant

// The K formats hold 256 values in groups whose own scales are quantised
// again, under one or two half-precision scales for the block.

// Q2_K, 256 values in 84 B: 16 B of group scales (low nibble) and mins
// (high nibble), 64 B of 2-bit quants, d, m. A group is 16 values. The quants
// lie in two halves of 128 values by 32 bytes: within a half, value i is in
// bits 2*(i/32) of byte i%32.
//
//	x = d * scale * q - m * min
func decodeQ2_K(dst []float32, src []byte) {
	for ; len(src) > 0; dst, src = dst[256:], src[84:] {
		x, b := (*[256]float32)(dst), (*[84]byte)(src)
		d, m := half(b[80:82]), half(b[82:84])
		for g := range 16 {
			s := b[g]
			scale, min := d*float32(s&15), m*float32(s>>4)
			q := b[16+32*(g/8)+16*(g%2):]
			shift := g % 8 / 2 * 2
			for i := range 16 {
				x[16*g+i] = scale*float32(q[i]>>shift&3) - min
			}
		}
	}
}
