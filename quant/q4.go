package quant

// Q4_0, 32 values in 18 B: d, 16 B of nibbles, x[i] in the low nibble of byte
// i and x[i+16] in the high one.
//
//	x = d * (q - 8)

func decodeQ4_0(dst []float32, src []byte) {
	for ; len(src) > 0; dst, src = dst[32:], src[18:] {
		x, b := (*[32]float32)(dst), (*[18]byte)(src)
		d := half(b[:2])
		for i, q := range b[2:] {
			x[i] = d * float32(int(q&15)-8)
			x[i+16] = d * float32(int(q>>4)-8)
		}
	}
}

func encodeQ4_0(dst []byte, src []float32) {
	for ; len(src) > 0; dst, src = dst[18:], src[32:] {
		x, b := (*[32]float32)(src), (*[18]byte)(dst)
		inv := inverse(putHalf(b[:2], fitScale(x[:], 8, around)))
		for i := range 16 {
			b[2+i] = byte(level(float32(x[i]*inv)+8, 15) | level(float32(x[i+16]*inv)+8, 15)<<4)
		}
	}
}

// Q4_1, 32 values in 20 B: d, m, 16 B of nibbles as in Q4_0.
//
//	x = d * q + m

func decodeQ4_1(dst []float32, src []byte) {
	for ; len(src) > 0; dst, src = dst[32:], src[20:] {
		x, b := (*[32]float32)(dst), (*[20]byte)(src)
		d, m := half(b[:2]), half(b[2:4])
		for i, q := range b[4:] {
			// The product is exact, so fusing it into the sum changes nothing.
			x[i] = d*float32(q&15) + m
			x[i+16] = d*float32(q>>4) + m
		}
	}
}

func encodeQ4_1(dst []byte, src []float32) {
	for ; len(src) > 0; dst, src = dst[20:], src[32:] {
		x, b := (*[32]float32)(src), (*[20]byte)(dst)
		d, m := fitLine(x, 15, false)
		inv, m := inverse(putHalf(b[:2], d)), putHalf(b[2:4], m)
		for i := range 16 {
			b[4+i] = byte(level((x[i]-m)*inv, 15) | level((x[i+16]-m)*inv, 15)<<4)
		}
	}
}
