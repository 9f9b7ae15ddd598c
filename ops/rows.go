package ops

import (
	"fmt"
	"sync"
)

// rowWork is the task of the operations that treat each row, or each stretch
// of elements, alone. A pool keeps one, so that none is allocated.
type rowWork struct {
	op             func(w *rowWork, lo, hi int)
	dst, x, y      []float32
	width          int
	norm           *Norm
	act            Activation
	rope           *RoPE
	heads, headDim int
	kv             *KV
	pos            int
}

// Do handles the rows lo to hi-1.
func (w *rowWork) Do(_, lo, hi int) { w.op(w, lo, hi) }

// rowRunner runs one rowWork at a time.
type rowRunner struct {
	mu   sync.Mutex
	work rowWork
}

// rowGrain is how many elements a piece of work should have at least: some
// microseconds of it.
const rowGrain = 16 << 10

// run does w over n rows of the given width, spread over the pool.
func (s *rowRunner) run(p *Pool, w rowWork, n, width int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.work = w
	p.Run(&s.work, n, max(1, rowGrain/width))
	s.work = rowWork{}
}

// row is row r of x, for rows of the given width.
func row[T any](x []T, r, width int) []T { return x[r*width : (r+1)*width : (r+1)*width] }

// checkLen panics unless an operand has the length it must have.
func checkLen(name string, got, want int) {
	if got != want {
		panic(fmt.Sprintf("ops: %s has length %d, want %d", name, got, want))
	}
}

// checkRows panics unless an operand is made of whole rows.
func checkRows(name string, length, width int) {
	if width <= 0 || length%width != 0 {
		panic(fmt.Sprintf("ops: %s has length %d, not a multiple of the row width %d", name, length, width))
	}
}
