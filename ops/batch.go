package ops

import (
	"fmt"

	"github.com/normswap/normswap/quant"
)

// A Batch is a number of activation rows of one width, with what the matrix
// products derive from them: the rows as MatMul reads them are made once and
// serve every product until the rows change.
type Batch struct {
	// Float keeps the activations in float32 whatever the type of the
	// weights: slower and closer to exact arithmetic.
	Float bool

	rows, cols int
	data       []float32 // room for the most rows
	job        product   // of the MatMul or ColumnDot that is running
}

// NewBatch returns a batch with room for maxRows rows of cols activations. It
// has no rows until [Batch.Resize].
func NewBatch(maxRows, cols int) *Batch {
	return &Batch{cols: cols, data: make([]float32, maxRows*cols)}
}

// Resize sets the number of rows. What they hold is undefined.
func (b *Batch) Resize(rows int) {
	if rows < 0 || rows*b.cols > len(b.data) {
		panic(fmt.Sprintf("ops: batch of %d rows, room for %d", rows, len(b.data)/max(b.cols, 1)))
	}
	b.rows = rows
	b.Touch()
}

// Rows returns the number of rows.
func (b *Batch) Rows() int { return b.rows }

// Cols returns the width of a row.
func (b *Batch) Cols() int { return b.cols }

// Row returns row i. Whoever writes to it calls [Batch.Touch] afterwards.
func (b *Batch) Row(i int) []float32 {
	return b.data[:b.rows*b.cols][i*b.cols : (i+1)*b.cols : (i+1)*b.cols]
}

// Data returns all rows, one after the other. Whoever writes to them calls
// [Batch.Touch] afterwards.
func (b *Batch) Data() []float32 { return b.data[:b.rows*b.cols] }

// Touch tells the batch that its rows have changed.
func (b *Batch) Touch() {}

// ColumnDot sets dst[r], for each row of b, to the product of the vector c
// with the activations as MatMul reads them for weights of type t:
//
//	dst[r] = sum over i of c[i] * a[r,i], in float64
//
// So it cancels what MatMul adds up when c is a mean of weight rows.
func (p *Pool) ColumnDot(dst []float32, b *Batch, c []float32, t quant.Type) {
	if len(dst) != b.rows || len(c) != b.cols {
		panic(fmt.Sprintf("ops: column dot of %d x %d by %d into %d", b.rows, b.cols, len(c), len(dst)))
	}
	for r := range dst {
		var s float64
		for i, a := range b.Row(r) {
			s += float64(a) * float64(c[i])
		}
		dst[r] = float32(s)
	}
}
