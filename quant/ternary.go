package quant

// TQ1_0, 256 values of -1, 0 or 1 times d in 54 B: 48 B of five ternary digits
// each, 4 B of four digits each, d. A byte is the fraction 0.t0 t1 t2 t3 t4 in
// base 3, times 256 and rounded up, so that multiplying by 3 moves the next
// digit above the point. Values lie digit by digit: t0 of the first 32 bytes,
// then t1 of them and so on; then the next 16 bytes; then the last 4.
//
//	x = d * (t - 1)
func decodeTQ1_0(dst []float32, src []byte) {
	var q [256]int8
	for ; len(src) > 0; dst, src = dst[256:], src[54:] {
		ternaryQuants(q[:], src)
		d := half(src[52:54])
		for i, t := range q {
			dst[i] = d * float32(t)
		}
	}
}

// ternaryQuants sets q to the quants of a block of TQ1_0.
func ternaryQuants(q []int8, block []byte) {
	q = digits(q, block[:32], 5)
	q = digits(q, block[32:48], 5)
	digits(q, block[48:52], 4)
}

// digits takes the given number of digits, less one, of each byte and returns the
// rest of q.
func digits(q []int8, b []byte, n int) []int8 {
	power := byte(1) // wraps on purpose: what is above the point is spent
	for range n {
		for i, f := range b {
			q[i] = int8(uint16(f*power)*3>>8) - 1
		}
		q = q[len(b):]
		power *= 3
	}
	return q
}

// TQ2_0, 256 values of -1, 0 or 1 times d in 66 B: 64 B of 2-bit quants, in
// two halves laid out as in Q2_K, d.
//
//	x = d * (q - 1)
func decodeTQ2_0(dst []float32, src []byte) {
	for ; len(src) > 0; dst, src = dst[256:], src[66:] {
		x, b := (*[256]float32)(dst), (*[66]byte)(src)
		d := half(b[64:66])
		for g := range 8 {
			y, q, shift := (*[32]float32)(x[32*g:]), (*[32]byte)(b[g/4*32:]), g%4*2
			for i := range y {
				y[i] = d * float32(int(q[i]>>shift&3)-1)
			}
		}
	}
}
