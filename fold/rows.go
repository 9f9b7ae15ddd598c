package fold

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
)

// chunkItems is how many weights make one piece of parallel work.
const chunkItems = 1 << 18

// chunkRows is how many rows of an item make one piece of parallel work.
func (it *item) chunkRows() int {
	_, cols := it.shape()
	return max(1, chunkItems/max(cols, 1))
}

// chunks returns how many pieces n rows are cut into.
func (it *item) chunks(n int) int { return (n + it.chunkRows() - 1) / it.chunkRows() }

// eachChunk calls f for chunks of the rows lo to hi-1, on all processors,
// until one fails or ctx is cancelled. The chunks do not depend on how many
// processors there are. A panic of f, such as the fault of a mapped file that
// has shrunk, is one of the caller.
func (it *item) eachChunk(ctx context.Context, lo, hi int, f func(chunk, lo, hi int) error) error {
	size, n := it.chunkRows(), it.chunks(hi-lo)
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		next  int
		err   error
		fault any
	)
	take := func() (chunk int, ok bool) {
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			err = ctx.Err()
		}
		if err != nil || fault != nil || next == n {
			return 0, false
		}
		next++
		return next - 1, true
	}
	for range min(runtime.GOMAXPROCS(0), n) {
		wg.Go(func() {
			debug.SetPanicOnFault(true)
			defer func() {
				if v := recover(); v != nil {
					mu.Lock()
					defer mu.Unlock()
					fault = v
				}
			}()
			for c, ok := take(); ok; c, ok = take() {
				if e := f(c, lo+c*size, min(lo+(c+1)*size, hi)); e != nil {
					mu.Lock()
					err = e
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	if fault != nil {
		panic(fault)
	}
	return err
}

// A tally sums up values, their sizes and their squares.
type tally struct{ sum, size, square float64 }

func (t *tally) add(v float32) {
	t.sum += float64(v)
	t.size += math.Abs(float64(v))
	t.square += float64(v) * float64(v)
}

// columns sums up each column over the rows lo to hi-1.
func (it *item) columns(ctx context.Context, lo, hi int, done func(rows int)) ([]tally, error) {
	_, cols := it.shape()
	chunks := make([][]tally, it.chunks(hi-lo))
	err := it.eachChunk(ctx, lo, hi, func(chunk, lo, hi int) error {
		found, row := make([]tally, cols), make([]float32, cols)
		for i := lo; i < hi; i++ {
			if err := it.row(row, i); err != nil {
				return err
			}
			for j, v := range row {
				found[j].add(v)
			}
		}
		chunks[chunk] = found
		done(hi - lo)
		return nil
	})
	if err != nil {
		return nil, err
	}
	all := chunks[0]
	for _, found := range chunks[1:] {
		for j, t := range found {
			all[j].sum += t.sum
			all[j].size += t.size
			all[j].square += t.square
		}
	}
	return all, nil
}

// rowTotals sums up each row.
func (it *item) rowTotals(ctx context.Context, done func(rows int)) ([]tally, error) {
	rows, cols := it.shape()
	all := make([]tally, rows)
	err := it.eachChunk(ctx, 0, rows, func(_, lo, hi int) error {
		row := make([]float32, cols)
		for i := lo; i < hi; i++ {
			if err := it.row(row, i); err != nil {
				return err
			}
			all[i] = total(row)
		}
		done(hi - lo)
		return nil
	})
	return all, err
}

// largest returns the value with the largest size. It is an error if one is NaN
// or infinite.
func (it *item) largest(ctx context.Context) (float32, error) {
	rows, cols := it.shape()
	all := make([]float32, it.chunks(rows))
	err := it.eachChunk(ctx, 0, rows, func(chunk, lo, hi int) error {
		row := make([]float32, cols)
		for i := lo; i < hi; i++ {
			if err := it.row(row, i); err != nil {
				return err
			}
			for _, v := range row {
				if v-v != 0 {
					return it.notFinite(fmt.Sprintf("row %d", i), v)
				}
				all[chunk] = max(all[chunk], v, -v)
			}
		}
		return nil
	})
	return slices.Max(all), err
}

// notFinite is the error about a value that no fold can have read right.
func (it *item) notFinite(where string, v float32) error {
	return fmt.Errorf("fold: tensor %s: %s has %v, which is not finite", it.info.Name, where, v)
}

// addUp adds vectors in their order, into the first.
func addUp(sums [][]float64) []float64 {
	total := sums[0]
	for _, sum := range sums[1:] {
		for j, v := range sum {
			total[j] += v
		}
	}
	return total
}

// centerColumns centres the rows lo to hi-1 within each of groups equal parts,
// and reports the means that it subtracts.
func (it *item) centerColumns(ctx context.Context, lo, hi, groups int, found *Means, done func(rows int)) error {
	size := (hi - lo) / groups
	for g := range groups {
		from := lo + g*size
		sums, err := it.columns(ctx, from, from+size, done)
		if err != nil {
			return err
		}
		means := make([]float64, len(sums))
		for j, t := range sums {
			means[j] = t.sum / float64(size)
			if means[j]-means[j] != 0 {
				return it.notFinite(fmt.Sprintf("column %d", j), float32(means[j]))
			}
			found.Add(means[j])
		}
		it.edits = append(it.edits, edit{from, from + size, func(row []float32, _ int) {
			for j, m := range means {
				row[j] = float32(float64(row[j]) - m)
			}
		}})
	}
	return nil
}

// centerRows centres every row.
func (it *item) centerRows(ctx context.Context, found *Means, done func(rows int)) error {
	sums, err := it.rowTotals(ctx, done)
	if err != nil {
		return err
	}
	rows, cols := it.shape()
	means := make([]float64, rows)
	for i, t := range sums {
		means[i] = t.sum / float64(cols)
		if means[i]-means[i] != 0 {
			return it.notFinite(fmt.Sprintf("row %d", i), float32(means[i]))
		}
		found.Add(means[i])
	}
	it.edits = append(it.edits, edit{0, rows, func(row []float32, i int) {
		for j, v := range row {
			row[j] = float32(float64(v) - means[i])
		}
	}})
	return nil
}

// centerVector centres the elements lo to hi-1 of a vector within each of
// the given number of equal groups.
func (it *item) centerVector(lo, hi, groups int, found *Means) error {
	_, n := it.shape()
	v := make([]float32, n)
	if err := it.row(v, 0); err != nil {
		return err
	}
	size := (hi - lo) / groups
	for g := range groups {
		part := v[lo+g*size:][:size]
		m := mean(part)
		if m-m != 0 {
			return it.notFinite(fmt.Sprintf("part %d", g), float32(m))
		}
		found.Add(m)
		for i := range part {
			part[i] = float32(float64(part[i]) - m)
		}
	}
	it.replace(v)
	return nil
}

// Add counts the mean of one more row or column.
func (m *Means) Add(v float64) {
	m.Vectors++
	if v != 0 {
		m.Nonzero++
	}
	m.Largest = max(m.Largest, math.Abs(v))
}

func mean(x []float32) float64 { return total(x).sum / float64(len(x)) }

// total sums up one vector.
func total(x []float32) (t tally) {
	for _, v := range x {
		t.add(v)
	}
	return t
}
