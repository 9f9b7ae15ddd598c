package fold

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"

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
}

// An edit changes the decoded rows lo to hi-1 of a tensor.
type edit struct {
	lo, hi int
	apply  func(row []float32, i int)
}

// shape returns rows and columns; a vector is one row.
func (it *item) shape() (rows, cols int) {
	rows = 1
	for _, n := range it.info.Dims[1:] {
		rows *= n
	}
	return rows, it.info.Dims[0]
}

// verbatim reports whether the stored bytes can be copied.
func (it *item) verbatim() bool {
	return it.from != nil && it.perm == nil && len(it.edits) == 0 && it.from.Type == it.info.Type
}

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
		if err != nil {
			return fmt.Errorf("fold: tensor %s: %w", it.info.Name, err)
		}
		if err := quant.Decode(dst, it.from.Type, it.from.Data[at*size:(at+1)*size]); err != nil {
			return fmt.Errorf("fold: tensor %s: %w", it.info.Name, err)
		}
	}
	for _, e := range it.edits {
		if i >= e.lo && i < e.hi {
			e.apply(dst, i)
		}
	}
	return nil
}

// chunkItems is how many weights make one piece of parallel work.
const chunkItems = 1 << 18

// eachChunk calls f for chunks of the rows lo to hi-1, on all processors.
// The chunks do not depend on how many those are.
func (it *item) eachChunk(lo, hi int, f func(chunk, lo, hi int) error) error {
	_, cols := it.shape()
	size := max(1, chunkItems/cols)
	chunks := (hi - lo + size - 1) / size
	errs := make([]error, chunks)
	var wg sync.WaitGroup
	next := make(chan int)
	for range min(runtime.GOMAXPROCS(0), chunks) {
		wg.Go(func() {
			for c := range next {
				errs[c] = f(c, lo+c*size, min(lo+(c+1)*size, hi))
			}
		})
	}
	for c := range chunks {
		next <- c
	}
	close(next)
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// columnMeans returns the mean of each column over the rows lo to hi-1, with
// sums in float64.
func (it *item) columnMeans(lo, hi int) ([]float64, error) {
	_, cols := it.shape()
	size := max(1, chunkItems/cols)
	sums := make([][]float64, (hi-lo+size-1)/size)
	err := it.eachChunk(lo, hi, func(chunk, lo, hi int) error {
		sum, row := make([]float64, cols), make([]float32, cols)
		for i := lo; i < hi; i++ {
			if err := it.row(row, i); err != nil {
				return err
			}
			for j, v := range row {
				sum[j] += float64(v)
			}
		}
		sums[chunk] = sum
		return nil
	})
	if err != nil {
		return nil, err
	}
	total := make([]float64, cols)
	for _, sum := range sums {
		for j, v := range sum {
			total[j] += v
		}
	}
	for j := range total {
		total[j] /= float64(hi - lo)
	}
	return total, nil
}

// centreColumns centres the rows lo to hi-1 within each of so many equal
// groups, and reports what it takes away.
func (it *item) centreColumns(lo, hi, groups int, found *Means) error {
	size := (hi - lo) / groups
	for g := range groups {
		from := lo + g*size
		means, err := it.columnMeans(from, from+size)
		if err != nil {
			return err
		}
		for _, m := range means {
			found.add(m)
		}
		it.edits = append(it.edits, edit{from, from + size, func(row []float32, _ int) {
			for j, m := range means {
				row[j] = float32(float64(row[j]) - m)
			}
		}})
	}
	return nil
}

// centreRows centres every row.
func (it *item) centreRows(found *Means) error {
	rows, cols := it.shape()
	means := make([]float64, rows)
	err := it.eachChunk(0, rows, func(_, lo, hi int) error {
		row := make([]float32, cols)
		for i := lo; i < hi; i++ {
			if err := it.row(row, i); err != nil {
				return err
			}
			means[i] = mean(row)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, m := range means {
		found.add(m)
	}
	it.edits = append(it.edits, edit{0, rows, func(row []float32, i int) {
		for j, v := range row {
			row[j] = float32(float64(v) - means[i])
		}
	}})
	return nil
}

// centreVector centres the elements lo to hi-1 of a vector within each of so
// many equal groups.
func (it *item) centreVector(lo, hi, groups int, found *Means) error {
	_, n := it.shape()
	v := make([]float32, n)
	if err := it.row(v, 0); err != nil {
		return err
	}
	size := (hi - lo) / groups
	for g := range groups {
		part := v[lo+g*size:][:size]
		m := mean(part)
		found.add(m)
		for i := range part {
			part[i] = float32(float64(part[i]) - m)
		}
	}
	it.from, it.perm, it.edits, it.values = nil, nil, nil, v
	return nil
}

func (m *Means) add(v float64) {
	m.Vectors++
	if v != 0 {
		m.Nonzero++
	}
	m.Largest = max(m.Largest, math.Abs(v))
}

func mean(x []float32) float64 {
	var sum float64
	for _, v := range x {
		sum += float64(v)
	}
	return sum / float64(len(x))
}

// Changed reports on a tensor that is not copied as it is.
type Changed struct {
	Name string  `json:"name"`
	From string  `json:"from,omitempty"` // type in the source; "" if made up
	To   string  `json:"to"`
	RMSE float64 `json:"rmse"` // of what is stored against what was meant
	RMS  float64 `json:"rms"`  // of what was meant
}

// encode fills dst with the stored form of the rows lo to hi-1.
func (it *item) encode(dst []byte, lo, hi int) error {
	_, cols := it.shape()
	size, err := it.info.Type.RowBytes(cols)
	if err != nil {
		return fmt.Errorf("fold: tensor %s: %w", it.info.Name, err)
	}
	row := make([]float32, cols)
	for i := lo; i < hi; i++ {
		if err := it.row(row, i); err != nil {
			return err
		}
		if err := quant.Encode(dst[(i-lo)*size:(i-lo+1)*size], it.info.Type, row); err != nil {
			return fmt.Errorf("fold: tensor %s: %w", it.info.Name, err)
		}
	}
	return nil
}

// measure compares what would be stored with what is meant. It also returns
// the largest |mean| that the stored form has left: over the rows of each of
// the given ranges, column by column, or along each row if byRow.
func (it *item) measure(ranges [][2]int, byRow bool) (c Changed, left float64, err error) {
	c = Changed{Name: it.info.Name, To: it.info.Type.String()}
	if it.from != nil {
		c.From = it.from.Type.String()
	}
	rows, cols := it.shape()
	size, err := it.info.Type.RowBytes(cols)
	if err != nil {
		return c, 0, fmt.Errorf("fold: tensor %s: %w", it.info.Name, err)
	}
	type part struct {
		wrong, all, left float64
		sums             [][]float64
	}
	parts := make([]part, rows) // of which the first few serve: chunks have at least one row
	err = it.eachChunk(0, rows, func(chunk, lo, hi int) error {
		p := part{sums: make([][]float64, len(ranges))}
		for g := range p.sums {
			p.sums[g] = make([]float64, cols)
		}
		b := make([]byte, size*(hi-lo))
		if err := it.encode(b, lo, hi); err != nil {
			return err
		}
		meant, stored := make([]float32, cols), make([]float32, cols)
		for i := lo; i < hi; i++ {
			if err := it.row(meant, i); err != nil {
				return err
			}
			if err := quant.Decode(stored, it.info.Type, b[(i-lo)*size:(i-lo+1)*size]); err != nil {
				return err
			}
			for j, v := range meant {
				d := float64(stored[j]) - float64(v)
				p.wrong += d * d
				p.all += float64(v) * float64(v)
			}
			for g, r := range ranges {
				if i >= r[0] && i < r[1] {
					for j, v := range stored {
						p.sums[g][j] += float64(v)
					}
				}
			}
			if byRow {
				p.left = max(p.left, math.Abs(mean(stored)))
			}
		}
		parts[chunk] = p
		return nil
	})
	if err != nil {
		return c, 0, err
	}
	var total part
	for g, r := range ranges {
		sum := make([]float64, cols)
		for _, p := range parts {
			if p.sums != nil {
				for j, v := range p.sums[g] {
					sum[j] += v
				}
			}
		}
		for _, v := range sum {
			left = max(left, math.Abs(v)/float64(r[1]-r[0]))
		}
	}
	for _, p := range parts {
		total.wrong, total.all = total.wrong+p.wrong, total.all+p.all
		left = max(left, p.left)
	}
	n := float64(rows) * float64(cols)
	c.RMSE, c.RMS = math.Sqrt(total.wrong/n), math.Sqrt(total.all/n)
	return c, left, nil
}

// write appends the tensor to a file.
func (it *item) write(w *gguf.Writer, done func(bytes int)) error {
	if err := w.Begin(it.info.Name); err != nil {
		return err
	}
	rows, cols := it.shape()
	size, err := it.info.Type.RowBytes(cols)
	if err != nil {
		return fmt.Errorf("fold: tensor %s: %w", it.info.Name, err)
	}
	stride := max(1, chunkItems/cols) * runtime.GOMAXPROCS(0)
	b := make([]byte, 0, size*min(stride, rows))
	for lo := 0; lo < rows; lo += stride {
		hi := min(lo+stride, rows)
		if it.verbatim() {
			b = append(b[:0], it.from.Data[lo*size:hi*size]...)
		} else {
			b = b[:size*(hi-lo)]
			err := it.eachChunk(lo, hi, func(_, clo, chi int) error {
				return it.encode(b[(clo-lo)*size:(chi-lo)*size], clo, chi)
			})
			if err != nil {
				return err
			}
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
		done(len(b))
	}
	return nil
}

// clone copies the description, so that another tensor can be made of the
// same source.
func (it *item) clone(name string) *item {
	c := *it
	c.info.Name, c.edits = name, slices.Clone(it.edits)
	return &c
}
