package quant

import "encoding/binary"

// Q5_0, 32 values in 22 B: d, 4 B with the fifth bit of x[i] at bit i, 16 B
// of nibbles as in Q4_0.
//
//	x = d * (q - 16)

func decodeQ5_0(dst []float32, src []byte) {
	for ; len(src) > 0; dst, src = dst[32:], src[22:] {
		x, b := (*[32]float32)(dst), (*[22]byte)(src)
		d, high := half(b[:2]), binary.LittleEndian.Uint32(b[2:6])
		for i, q := range b[6:] {
			x[i] = d * float32(int(uint32(q&15)|high>>i&1<<4)-16)
			x[i+16] = d * float32(int(uint32(q>>4)|high>>(i+16)&1<<4)-16)
		}
	}
}

func encodeQ5_0(dst []byte, src []float32) {
	for ; len(src) > 0; dst, src = dst[22:], src[32:] {
		x, b := (*[32]float32)(src), (*[22]byte)(dst)
		inv := inverse(putHalf(b[:2], fitScale(x[:], 16, around)))
		var high uint32
		for i := range 16 {
			l, h := level(float32(x[i]*inv)+16, 31), level(float32(x[i+16]*inv)+16, 31)
			b[6+i] = byte(l&15 | h<<4)
			high |= uint32(l>>4)<<i | uint32(h>>4)<<(i+16)
		}
		binary.LittleEndian.PutUint32(b[2:6], high)
	}
}

// Q5_1, 32 values in 24 B: d, m, then as Q5_0.
//
//	x = d * q + m

func decodeQ5_1(dst []float32, src []byte) {
	for ; len(src) > 0; dst, src = dst[32:], src[24:] {
		x, b := (*[32]float32)(dst), (*[24]byte)(src)
		d, m, high := half(b[:2]), half(b[2:4]), binary.LittleEndian.Uint32(b[4:8])
		for i, q := range b[8:] {
			x[i] = d*float32(uint32(q&15)|high>>i&1<<4) + m
			x[i+16] = d*float32(uint32(q>>4)|high>>(i+16)&1<<4) + m
		}
	}
}

func encodeQ5_1(dst []byte, src []float32) {
	for ; len(src) > 0; dst, src = dst[24:], src[32:] {
		x, b := (*[32]float32)(src), (*[24]byte)(dst)
		d, m := fitLine(x, 31, false)
		inv, m := inverse(putHalf(b[:2], d)), putHalf(b[2:4], m)
		var high uint32
		for i := range 16 {
			l, h := level((x[i]-m)*inv, 31), level((x[i+16]-m)*inv, 31)
			b[8+i] = byte(l&15 | h<<4)
			high |= uint32(l>>4)<<i | uint32(h>>4)<<(i+16)
		}
		binary.LittleEndian.PutUint32(b[4:8], high)
	}
}
