//go:build !purego

package asm

// A sumColumnsKernel is sumColumnsGeneric of that many groups and rows, at least
// one of each.
type sumColumnsKernel func(sum *float64, q *int8, scale, min *float32, groups, rows int)

func sumColumns(kernel sumColumnsKernel, group int) func(sum []float64, p Panel, first, rows int) {
	return func(sum []float64, p Panel, first, rows int) {
		kernel(&sum[0], &p.Q[first*group], &p.Scale[first], &p.Min[first], len(sum)/group, rows)
	}
}

//go:noescape
func sumColumnsNEON(sum *float64, q *int8, scale, min *float32, groups, rows int)

//go:noescape
func sumColumnsMinNEON(sum *float64, q *int8, scale, min *float32, groups, rows int)

//go:noescape
func sumColumnsSub16NEON(sum *float64, q *int8, scale, min *float32, groups, rows int)

//go:noescape
func sumColumnsSub16MinNEON(sum *float64, q *int8, scale, min *float32, groups, rows int)
