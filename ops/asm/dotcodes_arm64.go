//go:build !purego

package asm

// dotCodesNEON is dotCodesGeneric of so many rows of groups, at least one of
// each.
//
//go:noescape
func dotCodesNEON(dst *float32, q *int8, scale, c *float32, rows, groups int)

func dotCodes(dst []float32, a Codes, c []float32) {
	if !useNEON || len(dst) == 0 || len(c) == 0 {
		dotCodesGeneric(dst, a, c)
		return
	}
	dotCodesNEON(&dst[0], &a.Q[0], &a.Scale[0], &c[0], len(dst), len(c)/Group)
}
