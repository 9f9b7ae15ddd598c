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
		e := extreme(x)
		d := max(e, -e) / 127
		putHalf(b[:2], d)
		inv := inverse(d)
		for i, v := range x {
			b[2+i] = byte(int8(nearest(v * inv)))
		}
	}
}

// nearest rounds to the nearest integer, ties to even, for |v| < 2^22: adding
// 1.5 * 2^23 leaves no bits for a fraction.
func nearest(v float32) int {
	const shift = 3 << 22
	return int(float32(v+shift) - shift)
}
