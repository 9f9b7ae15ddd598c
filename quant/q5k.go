package quant

// Q5_K, 256 values in 176 B: d, m and the group scales as in Q4_K, 32 B of
// fifth bits, 128 B of nibbles as in Q4_K. The fifth bit of value i is bit
// i/32 of byte i%32.
//
//	x = d * scale * q - m * min
func decodeQ5_K(dst []float32, src []byte) {
	for ; len(src) > 0; dst, src = dst[256:], src[176:] {
		x, b := (*[256]float32)(dst), (*[176]byte)(src)
		d, m := half(b[:2]), half(b[2:4])
		high := (*[32]byte)(b[16:])
		for g := 0; g < 8; g += 2 {
			s0, l0 := scaleMin(b[4:16], g)
			s1, l1 := scaleMin(b[4:16], g+1)
			scale0, min0, scale1, min1 := d*s0, m*l0, d*s1, m*l1
			y0, y1 := (*[32]float32)(x[32*g:]), (*[32]float32)(x[32*g+32:])
			for i, q := range (*[32]byte)(b[48+16*g:]) {
				h := high[i] >> g
				y0[i] = scale0*float32(q&15|h&1<<4) - min0
				y1[i] = scale1*float32(q>>4|h&2<<3) - min1
			}
		}
	}
}

func encodeQ5_K(dst []byte, src []float32) {
	for ; len(src) > 0; dst, src = dst[176:], src[256:] {
		x, b := (*[256]float32)(src), (*[176]byte)(dst)
		l := encodeGroups(b[:16], x, 31)
		high := (*[32]byte)(b[16:])
		*high = [32]byte{}
		for i, v := range l {
			high[i%32] |= v >> 4 << (i / 32)
		}
		for i := range 128 {
			at := i/32*64 + i%32
			b[48+i] = l[at]&15 | l[at+32]<<4
		}
	}
}
