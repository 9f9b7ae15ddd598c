package quant

// Q8_0, 32 values in 34 B: d, 32 signed bytes.
//
//	x = d * q

func decodeQ8_0(dst []float32, src []byte) {
	for ; len(src) > 0; dst, src = dst[32:], src[34:] {
		x, b := (*[32]float32)(dst), (*[34]byte)(src)
		d := half(b[:2])
		for i, q := range b[2:] {
			x[i] = d * float32(int8(q))
		}
	}
}

func encodeQ8_0(dst []byte, src []float32) {
	for ; len(src) > 0; dst, src = dst[34:], src[32:] {
		x, b := (*[32]float32)(src), (*[34]byte)(dst)
		var top float32
		for _, v := range x {
			top = max(top, v, -v)
		}
		inv := inverse(putHalf(b[:2], top/127))
		for i, v := range x {
			b[2+i] = byte(level(float32(v*inv)+127, 254) - 127)
		}
	}
}
