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
		d := extreme(x) / -8 // the value of largest magnitude becomes level -8
		putHalf(b[:2], d)
		inv := inverse(d)
		for i := range 16 {
			b[2+i] = level(x[i]*inv+8, 15) | level(x[i+16]*inv+8, 15)<<4
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
		lo, hi := bounds(x[:])
		d := (hi - lo) / 15
		putHalf(b[:2], d)
		putHalf(b[2:4], lo)
		inv := inverse(d)
		for i := range 16 {
			b[4+i] = level((x[i]-lo)*inv, 15) | level((x[i+16]-lo)*inv, 15)<<4
		}
	}
}

// level rounds v to the nearest of the levels 0 to top.
func level(v float32, top int) byte {
	return byte(min(int(max(v, 0)+0.5), top))
}

// inverse returns 1/d, and 0 for d = 0, where every level means 0.
func inverse(d float32) float32 {
	if d == 0 {
		return 0
	}
	return 1 / d
}

// extreme returns the value of the largest magnitude, the first of equals.
func extreme(x *[32]float32) float32 {
	var e, top float32
	for _, v := range x {
		if a := max(v, -v); a > top {
			e, top = v, a
		}
	}
	return e
}

// bounds returns the smallest and the largest value.
func bounds(x []float32) (lo, hi float32) {
	lo, hi = x[0], x[0]
	for _, v := range x[1:] {
		lo, hi = min(lo, v), max(hi, v)
	}
	return lo, hi
}
