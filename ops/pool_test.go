package ops

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// marks counts how often each item was done, and by whom.
type marks struct {
	items   []atomic.Int32
	threads int
	bad     atomic.Bool
}

func (m *marks) Do(worker, lo, hi int) {
	if worker < 0 || worker >= m.threads || lo >= hi {
		m.bad.Store(true)
	}
	for i := lo; i < hi; i++ {
		m.items[i].Add(1)
	}
}

func TestPoolRunsEveryItemOnce(t *testing.T) {
	for _, threads := range []int{1, 2, 3, 8} {
		p := NewPool(threads)
		if p.Threads() != threads {
			t.Fatalf("Threads() = %d, want %d", p.Threads(), threads)
		}
		for _, n := range []int{0, 1, 2, 7, 64, 1000} {
			for _, grain := range []int{0, 1, 3, 64, 5000} {
				m := &marks{items: make([]atomic.Int32, n), threads: threads}
				p.Run(m, n, grain)
				for i := range m.items {
					if c := m.items[i].Load(); c != 1 || m.bad.Load() {
						t.Fatalf("threads=%d n=%d grain=%d: item %d done %d times", threads, n, grain, i, c)
					}
				}
			}
		}
		p.Close()
	}
}

// held is a task of single items whose worker 1 keeps its first one until all
// others are done.
type held struct {
	by            []int // who did an item
	done          atomic.Int64
	started, free chan struct{}
}

func (h *held) Do(worker, lo, hi int) {
	if worker == 0 {
		<-h.started
	} else if lo == len(h.by)/2 {
		close(h.started)
		<-h.free
	}
	h.by[lo] = worker
	if h.done.Add(int64(hi-lo)) == int64(len(h.by)-1) {
		close(h.free)
	}
}

// A worker begins with its own share, and one that has finished its share
// takes what others have not come to.
func TestPoolWorkersHelp(t *testing.T) {
	p := NewPool(2)
	defer p.Close()
	h := &held{by: make([]int, 2*chunksPerWorker), started: make(chan struct{}), free: make(chan struct{})}
	p.Run(h, len(h.by), 1)
	for i, worker := range h.by {
		if own := i == len(h.by)/2; (worker == 1) != own {
			t.Errorf("item %d was done by worker %d", i, worker)
		}
	}
}

// Callers that share a pool, and pauses long enough for workers to park.
func TestPoolManyCallers(t *testing.T) {
	p := NewPool(3)
	defer p.Close()
	var wg sync.WaitGroup
	for caller := range 4 {
		wg.Go(func() {
			m := &marks{items: make([]atomic.Int32, 100), threads: 3}
			for turn := range int32(200) {
				p.Run(m, len(m.items), 1)
				for i := range m.items {
					if c := m.items[i].Load(); c != turn+1 {
						t.Errorf("caller %d turn %d: item %d done %d times", caller, turn, i, c)
						return
					}
				}
				if turn%50 == 0 {
					time.Sleep(2 * spin)
				}
			}
		})
	}
	wg.Wait()
}

type failing struct{ err error }

func (f failing) Do(_, lo, hi int) {
	if lo <= 50 && 50 < hi {
		panic(f.err)
	}
}

func TestPoolPanicReachesTheCaller(t *testing.T) {
	p := NewPool(2)
	defer p.Close()
	want := errors.New("boom")
	for range 20 {
		func() {
			defer func() {
				if v := recover(); v != want {
					t.Errorf("recovered %v, want %v", v, want)
				}
			}()
			p.Run(failing{want}, 100, 1)
		}()
	}
	m := &marks{items: make([]atomic.Int32, 100), threads: 2}
	if p.Run(m, 100, 1); m.items[99].Load() != 1 {
		t.Error("the pool does not work after a panic")
	}
}

func TestPoolDoesNotAllocate(t *testing.T) {
	p := NewPool(2)
	defer p.Close()
	m := &marks{items: make([]atomic.Int32, 100), threads: 2}
	if a := testing.AllocsPerRun(100, func() { p.Run(m, 100, 1) }); a != 0 {
		t.Errorf("%v allocations in a run", a)
	}
}

func TestDefaultThreads(t *testing.T) {
	p := NewPool(0)
	defer p.Close()
	if n := p.Threads(); n < 1 || n > runtime.NumCPU() {
		t.Errorf("%d threads on %d processors", n, runtime.NumCPU())
	}
}

// BenchmarkPoolRun is the cost of one fan-out of empty pieces.
func BenchmarkPoolRun(b *testing.B) {
	for _, threads := range []int{1, 2, 2 * runtime.NumCPU()} {
		b.Run(fmt.Sprint("threads=", threads), func(b *testing.B) {
			p := NewPool(threads)
			defer p.Close()
			m := &marks{items: make([]atomic.Int32, 64), threads: threads}
			for b.Loop() {
				p.Run(m, 64, 1)
			}
		})
	}
}

// stopper cancels a context with its first piece, and counts the items done.
type stopper struct {
	cancel func()
	items  atomic.Int64
}

func (t *stopper) Do(_, lo, hi int) {
	t.cancel()
	t.items.Add(int64(hi - lo))
}

// TestCancel: a cancelled pool leaves off, those that share its workers do not.
func TestCancel(t *testing.T) {
	const n = 1 << 12
	for _, threads := range []int{1, 2, 5} {
		p := NewPool(threads)
		mine, other := p.Share(), p.Share()
		ctx, cancel := context.WithCancel(t.Context())
		mine.SetContext(ctx)
		other.SetContext(t.Context())
		run := func(p *Pool) int64 {
			task := stopper{cancel: cancel}
			p.Run(&task, n, 1)
			return task.items.Load()
		}
		if got := run(mine); got == 0 || got > n/2 {
			t.Errorf("%d threads: %d of %d items are done of what is cancelled at the first", threads, got, n)
		}
		if got := run(mine); got != 0 {
			t.Errorf("%d threads: %d items are done after the end", threads, got)
		}
		for _, p := range []*Pool{p, other} {
			if got := run(p); got != n {
				t.Errorf("%d threads: %d of %d items are done by another", threads, got, n)
			}
		}
		mine.SetContext(context.Background())
		if got := run(mine); got != n {
			t.Errorf("%d threads: %d of %d items are done with another context", threads, got, n)
		}
		p.Close()
	}
}
