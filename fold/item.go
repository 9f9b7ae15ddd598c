package fold

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"

	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/quant"
)

// An item is a tensor of the file to be written: rows that come from a
// source tensor and are edited, or values made up.
type item struct {
	info   gguf.TensorInfo
	from   *gguf.Tensor
	values []float32         // the whole content, where there is no source
	perm   func(row int) int // the source row of an output row; nil: the same
	edits  []edit

	float float // whether it may be quantised

	// centered are the ranges of rows over which every column should have the
	// mean 0; with byRow every row should.
	centered [][2]int
	byRow    bool
}

// float tells which float types a tensor that is never quantised may have.
type float uint8

const (
	mayQuantize float = iota
	anyFloat
	onlyF32
)

// An edit changes the decoded rows lo to hi-1 of a tensor.
type edit struct {
	lo, hi int
	apply  func(row []float32, i int)
}

// replace makes values the content, whatever it was before.
func (it *item) replace(values []float32) {
	it.from, it.perm, it.edits, it.values = nil, nil, nil, values
}

// shape returns rows and columns; a vector is one row.
func (it *item) shape() (rows, cols int) {
	rows = 1
	for _, n := range it.info.Dims[1:] {
		rows *= n
	}
	return rows, it.info.Dims[0]
}

// vector reports whether there is one dimension, but for trailing ones of 1.
func (it *item) vector() bool {
	rows, _ := it.shape()
	return rows == 1 && it.float != anyFloat
}

// blockItems and blockBytes are the size of a block of the type.
func (it *item) blockItems() int { f, _ := it.info.Type.Format(); return f.Items }
func (it *item) blockBytes() int { f, _ := it.info.Type.Format(); return f.Bytes }

// rowBytes returns the stored size of a row.
func (it *item) rowBytes() (int, error) {
	_, cols := it.shape()
	n, err := it.info.Type.RowBytes(cols)
	if err != nil {
		return 0, it.fail(err)
	}
	return n, nil
}

func (it *item) fail(err error) error { return fmt.Errorf("fold: tensor %s: %w", it.info.Name, err) }

// edited reports whether the values are not those of a source tensor.
func (it *item) edited() bool { return it.from == nil || it.perm != nil || len(it.edits) > 0 }

// verbatim reports whether the stored bytes can be copied.
func (it *item) verbatim() bool { return !it.edited() && it.from.Type == it.info.Type }

// row decodes row i and edits it.
func (it *item) row(dst []float32, i int) error {
	if it.from == nil {
		copy(dst, it.values[i*len(dst):])
	} else {
		at := i
		if it.perm != nil {
			at = it.perm(i)
		}
		size, err := it.from.Type.RowBytes(len(dst))
		if err == nil {
			err = quant.Decode(dst, it.from.Type, it.from.Data[at*size:(at+1)*size])
		}
		if err != nil {
			return it.fail(err)
		}
	}
	for _, e := range it.edits {
		if i >= e.lo && i < e.hi {
			e.apply(dst, i)
		}
	}
	return nil
}

// encode fills dst with the stored form of row i; row is scratch, and holds
// what was meant afterwards.
func (it *item) encode(dst []byte, row []float32, i int) error {
	if err := it.row(row, i); err != nil {
		return err
	}
	if err := quant.Encode(dst, it.info.Type, row); err != nil {
		return it.fail(err)
	}
	return nil
}

// Changed reports on a tensor that is not copied as it is.
type Changed struct {
	Name string  `json:"name"`
	From string  `json:"from,omitempty"` // type in the source; "" if made up
	To   string  `json:"to"`
	RMSE float64 `json:"rmse"` // of what is stored against what was meant
	RMS  float64 `json:"rms"`  // of what was meant
}

// Relative returns RMSE as a share of RMS; 0 for a tensor of zeros.
func (c *Changed) Relative() float64 {
	if c.RMS == 0 {
		return 0
	}
	return c.RMSE / c.RMS
}

// measure compares what will be stored with what is meant. It also returns
// the largest |mean| that the stored form has left where it should be 0.
func (it *item) measure(ctx context.Context, done func(rows int)) (c Changed, left float64, err error) {
	c = Changed{Name: it.info.Name, To: it.info.Type.String()}
	if it.from != nil {
		c.From = it.from.Type.String()
	}
	rows, cols := it.shape()
	var wrong, all float64
	at := 0
	span := func(to int, centered bool) error {
		if at == to {
			return nil
		}
		s, err := it.measureRows(ctx, at, to, centered, done)
		wrong, all, left = wrong+s.wrong, all+s.all, max(left, s.left)
		at = to
		return err
	}
	for _, r := range it.centered {
		if err := span(r[0], false); err != nil {
			return c, 0, err
		}
		if err := span(r[1], true); err != nil {
			return c, 0, err
		}
	}
	if err := span(rows, false); err != nil {
		return c, 0, err
	}
	n := float64(rows) * float64(cols)
	c.RMSE, c.RMS = math.Sqrt(wrong/n), math.Sqrt(all/n)
	return c, left, nil
}

// stored is what measureRows finds: sums of squares of the error and of what
// was meant, and the largest |mean| left.
type stored struct{ wrong, all, left float64 }

// measureRows measures the rows lo to hi-1, whose columns should have the
// mean 0 if centered.
func (it *item) measureRows(ctx context.Context, lo, hi int, centered bool, done func(rows int)) (total stored, err error) {
	_, cols := it.shape()
	size, err := it.rowBytes()
	if err != nil {
		return total, err
	}
	parts := make([]stored, it.chunks(hi-lo))
	sums := make([][]float64, len(parts))
	err = it.eachChunk(ctx, lo, hi, func(chunk, lo, hi int) error {
		var p stored
		var sum []float64
		if centered {
			sum = make([]float64, cols)
		}
		b, meant, got := make([]byte, size), make([]float32, cols), make([]float32, cols)
		for i := lo; i < hi; i++ {
			if err := it.encode(b, meant, i); err != nil {
				return err
			}
			if err := quant.Decode(got, it.info.Type, b); err != nil {
				return it.fail(err)
			}
			for j, v := range meant {
				d := float64(got[j]) - float64(v)
				p.wrong += d * d
				p.all += float64(v) * float64(v)
			}
			for j := range sum {
				sum[j] += float64(got[j])
			}
			if it.byRow {
				p.left = max(p.left, math.Abs(mean(got)))
			}
		}
		parts[chunk], sums[chunk] = p, sum
		done(hi - lo)
		return nil
	})
	if err != nil {
		return total, err
	}
	for _, p := range parts {
		total.wrong, total.all, total.left = total.wrong+p.wrong, total.all+p.all, max(total.left, p.left)
	}
	if centered {
		for _, v := range addUp(sums) {
			total.left = max(total.left, math.Abs(v)/float64(hi-lo))
		}
	}
	return total, nil
}

// write appends the tensor to a file.
func (it *item) write(ctx context.Context, w *gguf.Writer, done func(rows int)) error {
	if err := w.Begin(it.info.Name); err != nil {
		return err
	}
	rows, cols := it.shape()
	size, err := it.rowBytes()
	if err != nil {
		return err
	}
	stride := it.chunkRows() * runtime.GOMAXPROCS(0)
	b := make([]byte, size*min(stride, rows))
	for lo := 0; lo < rows; lo += stride {
		hi := min(lo+stride, rows)
		b := b[:size*(hi-lo)]
		if it.verbatim() {
			copy(b, it.from.Data[lo*size:])
		} else {
			err := it.eachChunk(ctx, lo, hi, func(_, from, to int) error {
				row := make([]float32, cols)
				for i := from; i < to; i++ {
					if err := it.encode(b[(i-lo)*size:(i-lo+1)*size], row, i); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
		done(hi - lo)
	}
	return ctx.Err()
}

// clone copies the description, so that another tensor can be made of the
// same source.
func (it *item) clone(name string) *item {
	c := *it
	c.info.Name, c.edits, c.centered = name, slices.Clone(it.edits), nil
	return &c
}
