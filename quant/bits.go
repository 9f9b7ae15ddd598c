package quant

// Q1_0, 128 values in 18 B: d, 16 B of signs, that of x[i] in bit i%8 of byte
// i/8.
//
//	x = d if the bit is set, else -d
func decodeQ1_0(dst []float32, src []byte) {
	for ; len(src) > 0; dst, src = dst[128:], src[18:] {
		x, b := (*[128]float32)(dst), (*[18]byte)(src)
		d := half(b[:2])
		for i, q := range b[2:] {
			y := (*[8]float32)(x[8*i:])
			for j := range y {
				y[j] = d * float32(2*int(q>>j&1)-1)
			}
		}
	}
}

// Q2_0, 64 values in 18 B: d, 16 B of 2-bit quants, that of x[i] in bits
// 2*(i%4) of byte i/4.
//
//	x = d * (q - 1)
func decodeQ2_0(dst []float32, src []byte) {
	for ; len(src) > 0; dst, src = dst[64:], src[18:] {
		x, b := (*[64]float32)(dst), (*[18]byte)(src)
		d := half(b[:2])
		for i, q := range b[2:] {
			y := (*[4]float32)(x[4*i:])
			for j := range y {
				y[j] = d * float32(int(q>>(2*j)&3)-1)
			}
		}
	}
}
