package quant

// Q6_K, 256 values in 210 B: 128 B of low nibbles, 64 B of high bit pairs, 16
// signed bytes of group scales, d. A group is 16 values. The block is two
// halves of 128 values. In a half, value i has its nibble in byte i%64 (low
// one for i < 64) of 64, its pair in bits 2*(i/32) of byte i%32 of 32.
//
//	x = d * scale * (q - 32)
func decodeQ6_K(dst []float32, src []byte) {
	for ; len(src) > 0; dst, src = dst[256:], src[210:] {
		b := (*[210]byte)(src)
		d := half(b[208:210])
		for h := range 2 {
			x := (*[128]float32)(dst[128*h:])
			low, high := (*[64]byte)(b[64*h:]), (*[32]byte)(b[128+32*h:])
			var scale [8]float32
			for g := range scale {
				scale[g] = d * float32(int8(b[192+8*h+g]))
			}
			for i, p := range high {
				a, c, g := low[i], low[i+32], i/16
				x[i] = scale[g] * float32(int(a&15|p&3<<4)-32)
				x[i+32] = scale[g+2] * float32(int(c&15|p>>2&3<<4)-32)
				x[i+64] = scale[g+4] * float32(int(a>>4|p>>4&3<<4)-32)
				x[i+96] = scale[g+6] * float32(int(c>>4|p>>6<<4)-32)
			}
		}
	}
}
