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

func encodeQ6_K(dst []byte, src []float32) {
	for ; len(src) > 0; dst, src = dst[210:], src[256:] {
		x, b := (*[256]float32)(src), (*[210]byte)(dst)
		var scale [16]float32
		var top float32 // the scale of largest magnitude becomes -128
		for g := range scale {
			scale[g] = fitScale(x[16*g:16*g+16], 32, within)
			if max(scale[g], -scale[g]) > max(top, -top) {
				top = scale[g]
			}
		}
		d := putHalf(b[208:210], top/-128)
		invD := inverse(d)
		var l [256]byte
		for g := range scale {
			s := level(float32(scale[g]*invD)+128, 255) - 128
			b[192+g] = byte(s)
			inv := inverse(d * float32(s))
			for i, v := range x[16*g : 16*g+16] {
				l[16*g+i] = byte(level(float32(v*inv)+32, 63))
			}
		}
		for h := range 2 {
			low, high, l := (*[64]byte)(b[64*h:]), (*[32]byte)(b[128+32*h:]), (*[128]byte)(l[128*h:])
			for i := range high {
				low[i] = l[i]&15 | l[i+64]<<4
				low[i+32] = l[i+32]&15 | l[i+96]<<4
				high[i] = l[i]>>4 | l[i+32]>>4<<2 | l[i+64]>>4<<4 | l[i+96]>>4<<6
			}
		}
	}
}
