package asm

import (
	"unsafe"

	"github.com/normswap/normswap/quant"
)

// Gemv multiplies len(dst) rows of weights, that many groups of 32 long and
// stride bytes apart, with one activation row. Each product is a sum of eight
// chains of groups (see chainOf32). The next group in a chain is added with one
// rounding for each of
//
//	chain = chain + float(sum of quant*q) * (scale*a.Scale)
//	chain = chain + min * a.ScaledSum                         if the type has a min
//
// With groups of 16, a.Scale times the sum of their quants stands for a.ScaledSum.
// The sum of quant*q is exact. Rows of n < 8 groups are read from 8-n groups
// before their first, whose scales and mins must be finite.
func Gemv(t quant.Type, dst []float32, w []byte, stride, groups int, a []Q8x8) {
	if kernel := gemvKernels(t).ints[t].gemv; kernel != nil && len(dst) > 0 && groups > 0 {
		kernel(&dst[0], &w[0], stride, len(dst), groups, (*byte)(unsafe.Pointer(&a[0])))
		return
	}
	gemvGeneric(t, dst, w, stride, groups, a)
}

// chains is the number of partial sums of a product of quantised rows.
const chains = 8

// A product of quantised rows is summed in eight chains of groups. Of each
// eight groups in a row, one goes to each chain, in order; if the last ones
// are fewer than eight, they go to the last chains. chainOf32 returns the chain
// of group g of n.
func chainOf32(g, n int) int {
	if g < n/chains*chains {
		return g % chains
	}
	return chains - (n - g)
}

// chainOf16 is chainOf32 for group g of 16: the first halves of groups of 32 go to
// the chains 0 to 3, the second halves to the chains 4 to 7. n counts groups of 32.
func chainOf16(g, n int) int { return chainOf32(g/2, n)%4 + g%2*4 }

// sumChains adds the chains up. Adding zero turns -0 to 0: which of the two a
// chain starts from is left open.
func sumChains(c *[chains]float32) float32 {
	return ((c[0] + c[4]) + (c[2] + c[6])) + ((c[1] + c[5]) + (c[3] + c[7])) + 0
}

// gemvGeneric is the definition of Gemv. Its sums are those of gemmGeneric,
// so that an output does not depend on which of them made it.
func gemvGeneric(t quant.Type, dst []float32, w []byte, stride, groups int, a []Q8x8) {
	l := &weightTypes[t]
	group, hasMin := l.Group, l.HasMin()
	var quants [256]int8
	var scale, min [16]float32
	for r := range dst {
		var sum [chains]float32
		for k := 0; k < groups*Group; k += l.Items {
			l.Unpack(quants[:l.Items], scale[:], min[:], w[r*stride+k/l.Items*l.Bytes:])
			for g := range l.groups() {
				at := k + g*group
				e, in := &a[at/(8*Group)], chainOf32(at/Group, groups)
				acc := &sum[in]
				if group == 16 {
					acc = &sum[chainOf16(at/16, groups)]
				}
				var dot int32
				for i, q := range quants[g*group:][:group] {
					dot += int32(q) * int32(e.Q[in*Group+at%Group+i])
				}
				*acc = fma(float32(dot), scale[g]*e.Scale[in], *acc)
				switch {
				case hasMin && group == 16:
					*acc = fma(min[g], e.ScaledHalfSum[in/4*8+at/16%2*4+in%4], *acc)
				case hasMin:
					*acc = fma(min[g], e.ScaledSum[in], *acc)
				}
			}
		}
		dst[r] = sumChains(&sum)
	}
}
