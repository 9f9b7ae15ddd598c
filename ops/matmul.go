package ops

import "fmt"

// A Product is one matrix product of a [Pool.MatMul].
type Product struct {
	Dst   []float32 // rows of the batch x W.Rows
	W     *Matrix
	Bias  []float32 // per output; nil: none
	Add   bool      // add to Dst instead of overwriting it
	Shift []float32 // per row of the batch, subtracted; nil: none
}

// scratch is what one worker needs during a MatMul. It grows on first use.
type scratch struct {
	row []float32
}

// product is the task of a MatMul.
type product struct {
	pool     *Pool
	batch    *Batch
	products []Product
}

// MatMul multiplies every row of b with each of the matrices:
//
//	Dst[r*W.Rows+o] = sum over i of W[o,i]*b[r,i] + Bias[o] - Shift[r]
//
// The products are cut by outputs, never within a sum: results do not depend
// on the number of threads.
func (p *Pool) MatMul(b *Batch, products ...Product) {
	rows := 0
	for i := range products {
		d := &products[i]
		d.check(b)
		rows += d.W.Rows
	}
	if rows == 0 || b.rows == 0 {
		return
	}
	b.job.pool, b.job.batch = p, b
	b.job.products = append(b.job.products[:0], products...)
	p.Run(&b.job, rows, max(1, inline/max(1, b.rows*b.cols)))
	clear(b.job.products)
}

// inline is how many multiply-adds a piece of work should have at least.
const inline = 128 << 10

// check panics unless the parts of d fit each other and b.
func (d *Product) check(b *Batch) {
	switch w := d.W; {
	case w.Cols != b.cols:
		panic(fmt.Sprintf("ops: matrix of %d columns times rows of %d", w.Cols, b.cols))
	case len(d.Dst) != b.rows*w.Rows:
		panic(fmt.Sprintf("ops: product of %d x %d into %d elements", b.rows, w.Rows, len(d.Dst)))
	case d.Bias != nil && len(d.Bias) != w.Rows:
		panic(fmt.Sprintf("ops: bias of %d for %d outputs", len(d.Bias), w.Rows))
	case d.Shift != nil && len(d.Shift) != b.rows:
		panic(fmt.Sprintf("ops: shift of %d for %d rows", len(d.Shift), b.rows))
	}
}

// Do computes the outputs lo to hi, counted through all products.
func (t *product) Do(worker, lo, hi int) {
	s := &t.pool.scratch[worker]
	if len(s.row) < t.batch.cols {
		s.row = make([]float32, t.batch.cols)
	}
	for i := range t.products {
		d := &t.products[i]
		for o := max(lo, 0); o < min(hi, d.W.Rows); o++ {
			row := s.row[:d.W.Cols]
			d.W.Row(row, o)
			for r := range t.batch.rows {
				v := dot(row, t.batch.Row(r))
				if d.Bias != nil {
					v += d.Bias[o]
				}
				if d.Shift != nil {
					v -= d.Shift[r]
				}
				j := r*d.W.Rows + o
				if d.Add {
					v += d.Dst[j]
				}
				d.Dst[j] = v
			}
		}
		lo, hi = lo-d.W.Rows, hi-d.W.Rows
	}
}

// dot returns the sum of x[i]*y[i].
func dot(x, y []float32) float32 {
	y = y[:len(x)]
	var s [8]float32
	i := 0
	for ; i+8 <= len(x); i += 8 {
		a, b := (*[8]float32)(x[i:]), (*[8]float32)(y[i:])
		for k := range s {
			s[k] += a[k] * b[k]
		}
	}
	for k := 0; i < len(x); i, k = i+1, k+1 {
		s[k] += x[i] * y[i]
	}
	return (s[0] + s[1]) + (s[2] + s[3]) + ((s[4] + s[5]) + (s[6] + s[7]))
}

// ColumnMeans sets dst[i] to the mean of column i of the decoded weights, from
// sums in float64. dst has w.Cols elements.
func ColumnMeans(p *Pool, dst []float32, w *Matrix) {
	if len(dst) != w.Cols {
		panic(fmt.Sprintf("ops: means of %d columns into %d", w.Cols, len(dst)))
	}
	sum, row := make([]float64, w.Cols), make([]float32, w.Cols)
	for o := range w.Rows {
		w.Row(row, o)
		for i, v := range row {
			sum[i] += float64(v)
		}
	}
	for i, s := range sum {
		dst[i] = float32(s / float64(max(w.Rows, 1)))
	}
}
