package quant

// Q3_K, 256 values in 110 B: 32 B of high bits, 64 B of low bit pairs laid
// out as in Q2_K, 12 B of 6-bit group scales, d. The high bit of value i is
// bit i/32 of byte i%32. A group is 16 values; its scale has four low bits in
// the first eight bytes, two groups to a byte, and two high bits in the last
// four, four groups to a byte.
//
//	x = d * (scale - 32) * (q - 4)
func decodeQ3_K(dst []float32, src []byte) {
	for ; len(src) > 0; dst, src = dst[256:], src[110:] {
		x, b := (*[256]float32)(dst), (*[110]byte)(src)
		high, scales := b[:32], b[96:108]
		d := half(b[108:110])
		for g := range 16 {
			s := scales[g%8]>>(g/8*4)&15 | scales[8+g%4]>>(g/4*2)&3<<4
			scale := d * float32(int(s)-32)
			q, h := b[32+32*(g/8)+16*(g%2):], high[16*(g%2):]
			shift, bit := g%8/2*2, g/2
			for i := range 16 {
				x[16*g+i] = scale * float32(int(q[i]>>shift&3|h[i]>>bit&1<<2)-4)
			}
		}
	}
}
