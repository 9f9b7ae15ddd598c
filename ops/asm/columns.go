package asm

import "github.com/normswap/normswap/quant"

// SumColumns adds rows of a panel, from the first given, to sum, which has an
// element for each column: the float32 value of each weight, in float64, row by
// row.
func SumColumns(t quant.Type, sum []float64, p Panel, first, rows int) {
	if kernel := active.ints[t].sumColumns; kernel != nil && len(sum) > 0 && rows > 0 {
		kernel(sum, p, first, rows)
		return
	}
	sumColumnsGeneric(t, sum, p, first, rows)
}

// sumColumnsGeneric is the definition of SumColumns.
func sumColumnsGeneric(t quant.Type, sum []float64, p Panel, first, rows int) {
	l := &weightTypes[t]
	group, hasMin := l.Group, l.HasMin()
	for g := range len(sum) / group {
		out := sum[g*group:][:group]
		for r := range rows {
			i := g*PanelRows + first + r
			scale, min := p.Scale[i], float32(0)
			if hasMin {
				min = p.Min[i]
			}
			for k, q := range p.Q[i*group:][:group] {
				out[k] += float64(fma(float32(q), scale, min))
			}
		}
	}
}
