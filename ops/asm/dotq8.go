package asm

// DotQ8 sets each element of dst to the product of a row of activations, one
// after the other in a, with c, which is as wide as a row. The sums are those of
// dotQ8Generic, to the last bit.
func DotQ8(dst []float32, a Q8, c []float32) {
	if kernel := active.dotQ8; kernel != nil && len(dst) > 0 && len(c) > 0 {
		kernel(&dst[0], &a.Q[0], &a.Scale[0], &c[0], len(dst), len(c)/Group)
		return
	}
	dotQ8Generic(dst, a, c)
}

// dotQ8Generic is the definition of DotQ8: 16 sums, of every sixteenth product.
func dotQ8Generic(dst []float32, a Q8, c []float32) {
	for r := range dst {
		row := a.Groups(r*len(c)/Group, (r+1)*len(c)/Group)
		var sum [Group / 2]float32
		for g, scale := range row.Scale {
			q, c := row.Q[g*Group:][:Group], c[g*Group:][:Group]
			for i, s := range sum {
				first := float32(q[i]) * c[i]
				sum[i] = fma(fma(float32(q[16+i]), c[16+i], first), scale, s)
			}
		}
		for n := len(sum) / 2; n > 0; n /= 2 {
			for i := range n {
				sum[i] += sum[n+i]
			}
		}
		dst[r] = sum[0]
	}
}
