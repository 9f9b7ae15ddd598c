package ops

import (
	"context"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/normswap/normswap/internal/machine"
	"github.com/normswap/normswap/ops/asm"
)

// A Task is work that can be cut into pieces. Do handles the items lo to hi
// (exclusive); worker, below [Pool.Threads], numbers the goroutine it runs
// on, so that a task can own scratch for each. Pieces run in any order, some
// of them at once, and must not call [Pool.Run].
type Task interface {
	Do(worker, lo, hi int)
}

// A Pool is a set of resident workers. The goroutine that calls [Pool.Run] is
// worker 0; the others wait for it, spinning for a moment and then parked, so
// that the many small tasks of one token cost one wake.
//
// A pool serves one Run at a time: calls from several goroutines wait for
// each other.
type Pool struct {
	*crew
	ctx context.Context // nil: every Run goes on to its end
}

// crew is what the pools that share workers have in common.
type crew struct {
	threads int
	scratch []scratch // one per worker
	rows    rowRunner
	attn    attnWork
	tokens  tokenWork
	self    selfWork
	closed  chan struct{}

	mu     sync.Mutex // held through a Run
	task   Task
	ctx    context.Context // of the Run, or nil
	n      int             // items
	size   int             // items in a chunk
	chunks int             // in all shares

	shares []share // one per worker
	done   atomic.Int64
	_      [56]byte // written by all: a cache line of its own

	crowded atomic.Int64 // time until which nobody spins, in ns since start
	waiting atomic.Bool  // the caller is parked on finish
	finish  chan struct{}
	failure atomic.Pointer[failure]
	workers []worker

	observer func(Span)   // nil: nobody looks
	observed atomic.Bool  // whether there is one
	busy     atomic.Int64 // ns at work on the current task, all workers; counted for an observer
}

// A share is the chunks of the current task that one worker begins with: a
// stretch without gaps, so that what a kernel fetches ahead is what the worker
// reads next. Who has finished its own share takes from those of the others.
type share struct {
	// queue packs the end of the share (high half) and the next chunk to take
	// (low half). Whoever takes a chunk below the end owns it, and the fields
	// of the task stand still until every owner is done; so a worker that
	// comes late finds either nothing or a piece of the next task, and needs
	// no other handshake.
	queue atomic.Uint64
	_     [56]byte
}

// left reports whether there is a chunk to take.
func (s *share) left() bool {
	q := s.queue.Load()
	return uint32(q) < uint32(q>>32)
}

// A failure is a panic of a worker, on its way to the caller.
type failure struct{ value any }

// worker is how the caller wakes a parked worker.
type worker struct {
	parked atomic.Bool
	wake   chan struct{}
	_      [48]byte
}

const (
	// spin is how long a worker without work, and a caller without the last
	// piece, watches the counters before it parks. A wake costs 5 us and
	// more; the gaps between the tasks of one token are shorter than this.
	spin = 80 * time.Microsecond
	// stall is a gap between two looks at the clock that only the scheduler
	// of the operating system makes: somebody else needs the processor.
	stall = time.Millisecond
	// crowding is how long spinning stays off after a stall.
	crowding = 2 * time.Millisecond
	// chunksPerWorker bounds what one late worker can cost.
	chunksPerWorker = 16
)

// start is the zero of the pool's clock.
var start = time.Now()

// NewPool starts a pool of the given number of threads, the caller of Run among
// them; 0 or less means as many as [machine.Cores]. Threads of a pool that nobody closes live
// as long as the program.
func NewPool(threads int) *Pool {
	if threads <= 0 {
		threads = machine.Cores()
	}
	p := &Pool{crew: &crew{
		threads: threads,
		scratch: make([]scratch, threads),
		shares:  make([]share, threads),
		closed:  make(chan struct{}),
		finish:  make(chan struct{}, 1),
		workers: make([]worker, threads-1),
	}}
	for i := range p.workers {
		p.workers[i].wake = make(chan struct{}, 1)
		go p.work(i)
	}
	return p
}

// Share returns a pool of the same workers with a context of its own. It need
// not be closed.
func (p *Pool) Share() *Pool { return &Pool{crew: p.crew} }

// SetContext makes the operations of p return soon when ctx is cancelled, with
// part of their work undone; whoever sets it must look at it before taking
// results. It does not concern other pools of the same workers.
func (p *Pool) SetContext(ctx context.Context) { p.ctx = ctx }

// Threads returns the number of workers, the caller of Run included.
func (p *Pool) Threads() int { return p.threads }

// Close ends the workers. The pool must not be used afterwards, but may be closed
// again.
func (p *Pool) Close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.closed:
	default:
		close(p.closed)
	}
}

// Run calls t.Do on pieces of [0, n) and returns when all are done. A piece
// has at least grain items, the last one excepted: what is below one grain
// runs on the caller alone. If a piece panics, Run panics with the same value
// when the others are done. Run does not allocate.
func (p *Pool) Run(t Task, n, grain int) {
	if n <= 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.observer != nil {
		defer p.span(t, n, time.Now())
	}
	size := max(grain, 1, (n+p.threads*chunksPerWorker-1)/(p.threads*chunksPerWorker))
	chunks := (n + size - 1) / size
	if p.threads == 1 || chunks == 1 {
		if p.ctx == nil {
			size = n
		}
		for lo := 0; lo < n && (p.ctx == nil || p.ctx.Err() == nil); lo += size {
			t.Do(0, lo, min(lo+size, n))
		}
		return
	}
	p.task, p.crew.ctx, p.n, p.size, p.chunks = t, p.ctx, n, size, chunks
	p.done.Store(0)
	each := (chunks + p.threads - 1) / p.threads
	for i := range p.shares {
		from, to := min(i*each, chunks), min((i+1)*each, chunks)
		p.shares[i].queue.Store(uint64(to)<<32 | uint64(from))
	}
	for i := range min(len(p.workers), chunks-1) {
		if w := &p.workers[i]; w.parked.CompareAndSwap(true, false) {
			w.wake <- struct{}{}
		}
	}
	for p.step(0) {
	}
	p.join(int64(chunks))
	p.task, p.crew.ctx = nil, nil
	if f := p.failure.Swap(nil); f != nil {
		panic(f.value)
	}
}

// step takes and runs one chunk, of the worker's own share if there is one
// left, and reports whether there was one.
func (p *Pool) step(worker int) bool {
	for i := range p.shares {
		s := &p.shares[(worker+i)%p.threads]
		if !s.left() {
			continue
		}
		q := s.queue.Add(1) - 1
		i, end := uint32(q), uint32(q>>32)
		if i >= end {
			continue
		}
		lo := int(i) * p.size
		p.do(worker, lo, min(lo+p.size, p.n))
		// The number of chunks is read before the last one is reported:
		// afterwards it may be that of the next task.
		all := p.chunks
		if p.done.Add(1) == int64(all) && p.waiting.CompareAndSwap(true, false) {
			p.finish <- struct{}{}
		}
		return true
	}
	return false
}

// do runs one chunk, unless that has become pointless, and keeps a panic for the
// caller.
func (p *Pool) do(worker, lo, hi int) {
	if ctx := p.crew.ctx; ctx != nil && ctx.Err() != nil {
		return
	}
	defer func() {
		if v := recover(); v != nil {
			p.failure.CompareAndSwap(nil, &failure{v})
		}
	}()
	if p.observer != nil {
		defer func(start time.Time) { p.busy.Add(int64(time.Since(start))) }(time.Now())
	}
	p.task.Do(worker, lo, hi)
}

// join waits until the given number of chunks is done.
func (p *Pool) join(chunks int64) {
	if p.done.Load() == chunks || p.watch(func() bool { return p.done.Load() == chunks }) {
		return
	}
	p.waiting.Store(true)
	if p.done.Load() == chunks && p.waiting.CompareAndSwap(true, false) {
		return
	}
	<-p.finish
}

// work is the life of a worker.
func (p *Pool) work(i int) {
	// Weights are mapped files: should one shrink while it is read, the fault
	// becomes a panic, which do carries to the caller.
	debug.SetPanicOnFault(true)
	w := &p.workers[i]
	for {
		for p.step(i + 1) {
		}
		if p.watch(p.ready) {
			continue
		}
		w.parked.Store(true)
		if p.ready() && w.parked.CompareAndSwap(true, false) {
			continue
		}
		select {
		case <-w.wake:
		case <-p.closed:
			return
		}
	}
}

// ready reports whether there is a chunk to take.
func (p *Pool) ready() bool {
	for i := range p.shares {
		if p.shares[i].left() {
			return true
		}
	}
	return false
}

// watch spins until ready, and reports whether that came to pass in time. It
// does not spin when there are more workers than processors, nor for a while
// after the operating system took the processor away from a spinning worker.
func (p *Pool) watch(ready func() bool) bool {
	from := time.Since(start)
	if int64(from) < p.crowded.Load() || p.threads > runtime.GOMAXPROCS(0) {
		runtime.Gosched()
		return ready()
	}
	for last := from; ; {
		for range 16 {
			if ready() {
				return true
			}
			asm.Pause()
		}
		now := time.Since(start)
		if now-last > stall {
			p.crowded.Store(int64(now + crowding))
		}
		if now-last > stall || now-from > spin {
			return false
		}
		last = now
	}
}
