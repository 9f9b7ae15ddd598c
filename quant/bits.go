package quant

// Q1_0, 128 values in 18 B: d, 16 B of signs, that of x[i] in bit i%8 of byte
// i/8.
//
//	x = d if the bit is set, else -d
func decodeQ1_0(dst []float32, src []byte) {
	for ; len(src) > 0; dst, src = dst[128:], src[18:] {
		x, b := (*[128]float32)(dst), (*[18]byte)(src)
		d := half(b[:2])
		for i := range x {
			if b[2+i/8]>>(i%8)&1 != 0 {
				x[i] = d
			} else {
				x[i] = -d
			}
		}
	}
}

// Q2_0, 64 values in 18 B: d, 16 B of 2-bit levels, that of x[i] in bits
// 2*(i%4) of byte i/4.
//
//	x = d * (q - 1)
func decodeQ2_0(dst []float32, src []byte) {
	for ; len(src) > 0; dst, src = dst[64:], src[18:] {
		x, b := (*[64]float32)(dst), (*[18]byte)(src)
		d := half(b[:2])
		for i := range x {
			x[i] = d * float32(int(b[2+i/4]>>(i%4*2)&3)-1)
		}
	}
}
