package ops

import (
	"fmt"
	"math"
	"slices"
	"sync/atomic"

	"github.com/normswap/normswap/ops/asm"
	"github.com/normswap/normswap/quant"
)

// Columns gives columns of a matrix in float32. It keeps the first that are asked
// for, a few: outliers are mostly in the same columns. Passes that run at once
// may share it.
type Columns struct {
	w    *Matrix
	each []atomic.Pointer[[]float32]
	kept atomic.Int64
}

// ColumnsOf returns the columns of w.
func ColumnsOf(w *Matrix) *Columns {
	return &Columns{w: w, each: make([]atomic.Pointer[[]float32], w.Cols)}
}

// at returns column i.
func (c *Columns) at(i int) []float32 {
	if have := c.each[i].Load(); have != nil {
		return *have
	}
	w, column := c.w, make([]float32, c.w.Rows)
	f, _ := w.Type.Format()
	block, stride := make([]float32, f.Items), w.stride()
	for o := range column {
		if err := quant.Decode(block, w.Type, w.Data[o*stride+i/f.Items*f.Bytes:][:f.Bytes]); err != nil {
			panic(err) // NewMatrix has checked all it can complain about
		}
		column[o] = block[i%f.Items]
	}
	if c.kept.Add(1) <= int64(max(1, w.Cols/32)) { // an eighth of the memory of 8-bit weights
		c.each[i].Store(&column)
	}
	return column
}

// An outlier is an element of a row of activations far above the others; 0 if
// the row has none.
type outlier struct {
	column int
	value  float32
}

// outlying is how many times the scale of a group must be that of any other
// group of its row for its largest element to be an outlier.
const outlying = 3

// splitOutlier quantizes a row's group that has an outlier again, without it: the
// outlier leaves the others of the group only a few levels.
func splitOutlier(q8 asm.Q8, x []float32) outlier {
	// The bit patterns of scales are ordered like the scales, and those of integers
	// are compared without a branch.
	var first, second uint32
	for _, s := range q8.Scale {
		bits := math.Float32bits(s)
		second = max(second, min(first, bits))
		first = max(first, bits)
	}
	largest := math.Float32frombits(first)
	if !(largest > outlying*math.Float32frombits(second)) { // or NaN
		return outlier{}
	}
	g := slices.Index(q8.Scale, largest)
	group, top := [asm.Group]float32(x[g*asm.Group:]), 0
	for i, v := range group {
		if max(v, -v) > max(group[top], -group[top]) {
			top = i
		}
	}
	found := outlier{g*asm.Group + top, group[top]}
	group[top] = 0
	asm.Quantize(q8.Groups(g, g+1), group[:])
	return found
}

// outlierSums is the task that adds to products what the outliers of their
// input contribute.
type outlierSums struct {
	in       *Input
	products []Product
}

func (t *outlierSums) Do(_, lo, hi int) {
	in := t.in
	for i := range t.products {
		d := &t.products[i]
		if in.storage(d.W.Type).route != integer {
			continue // it reads the rows themselves
		}
		for r := lo; r < hi; r++ {
			if o := in.outliers[r]; o.value != 0 {
				asm.ScaleAdd(row(d.Dst, r, d.W.Rows), d.Columns.at(o.column), 1, o.value)
			}
		}
	}
}

func (t *outlierSums) describe(s *Span, _ int) {
	s.Op = fmt.Sprintf("outliers %d", t.in.cols)
}
