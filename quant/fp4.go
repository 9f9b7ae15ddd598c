package quant

import "math"

// e2m1 holds twice the values of the 4-bit float E2M1 (sign, two exponent
// bits, one mantissa bit) of the OCP Microscaling Formats specification, so
// that they are integers. The scales below are halved to match.
var e2m1 = [16]int8{0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12}

// MXFP4, 32 values in 17 B: one byte E8M0 scale, 16 B of E2M1 nibbles as in
// Q4_0.
//
//	x = 2^(e - 127) * E2M1
func decodeMXFP4(dst []float32, src []byte) {
	for ; len(src) > 0; dst, src = dst[32:], src[17:] {
		x, b := (*[32]float32)(dst), (*[17]byte)(src)
		d := halfE8M0(b[0])
		for i, q := range b[1:] {
			x[i] = d * float32(e2m1[q&15])
			x[i+16] = d * float32(e2m1[q>>4])
		}
	}
}

// halfE8M0 returns half of 2^(e-127), a scale of the OCP Microscaling Formats
// specification; ggml takes 255, the format's NaN, for a number.
func halfE8M0(e byte) float32 {
	return float32(math.Float64frombits((uint64(e) + 1023 - 128) << 52))
}

// NVFP4, 64 values in 36 B: four UE4M3 scales, 32 B of E2M1 nibbles. A group
// of 16 values has one scale and eight bytes, laid out as in Q4_0.
//
//	x = UE4M3 * E2M1
func decodeNVFP4(dst []float32, src []byte) {
	for ; len(src) > 0; dst, src = dst[64:], src[36:] {
		x, b := (*[64]float32)(dst), (*[36]byte)(src)
		for g := range 4 {
			d := ue4m3(b[g]) / 2
			for i := range 8 {
				q := b[4+8*g+i]
				x[16*g+i] = d * float32(e2m1[q&15])
				x[16*g+i+8] = d * float32(e2m1[q>>4])
			}
		}
	}
}

// ue4m3 returns the value of an unsigned float with four exponent bits (bias
// 7) and three mantissa bits: moved to those of a float32, they are the number
// times 2^-120. Bit 7 is not used; 0x7f, the
// format's NaN, is 0 as it is in ggml.
func ue4m3(b byte) float32 {
	if b == 0x7f {
		return 0
	}
	return math.Float32frombits(uint32(b&0x7f)<<20) * 0x1p120
}
