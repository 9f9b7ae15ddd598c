//go:build !purego

package asm

func dotCodes(dst []float32, a Codes, c []float32) {
	switch {
	case !useAVX2 || len(dst) == 0 || len(c) == 0:
		dotCodesGeneric(dst, a, c)
	case useAVX512:
		dotCodesAVX512(&dst[0], &a.Q[0], &a.Scale[0], &c[0], len(dst), len(c)/Group)
	default:
		dotCodesAVX2(&dst[0], &a.Q[0], &a.Scale[0], &c[0], len(dst), len(c)/Group)
	}
}
