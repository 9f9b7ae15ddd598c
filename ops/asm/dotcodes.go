package asm

// DotCodes sets each element of dst to the product of a row of activations,
// one after the other in a, with c, which is as wide as a row. The sums are
// those of dotCodesGeneric, to the last bit.
func DotCodes(dst []float32, a Codes, c []float32) { dotCodes(dst, a, c) }

// dotCodesGeneric is the definition of DotCodes: 16 sums, of every sixteenth
// product.
func dotCodesGeneric(dst []float32, a Codes, c []float32) {
	for r := range dst {
		row := a.Groups(r*len(c)/Group, (r+1)*len(c)/Group)
		var sum [Group / 2]float32
		for g, scale := range row.Scale {
			q, c := row.Q[g*Group:][:Group], c[g*Group:][:Group]
			for i, s := range sum {
				low := float32(q[i]) * c[i]
				sum[i] = fma(fma(float32(q[16+i]), c[16+i], low), scale, s)
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
