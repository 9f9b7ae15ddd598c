package ops

import (
	"fmt"
	"strings"
	"time"
)

// A Span is what an observer learns of one [Pool.Run].
type Span struct {
	Op    string        // such as "LayerNorm 768" or "matmul Q8_0 768>2304"
	Time  time.Duration // from the call to the return
	Wait  time.Duration // of it, how long a thread had nothing to do, on average
	Bytes int           // that the operation must read and write at least
	Flops int           // floating-point operations, or integer ones in their place
}

// Observe calls f after each Run; nil ends that. It is for profiles: with an
// observer every operation costs some microseconds more, without one nothing.
func (p *Pool) Observe(f func(Span)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.observer = f
	p.observed.Store(f != nil)
}

// span reports to the observer a task of n items that began at start. A task
// that was not in the queue was the caller's alone.
func (p *Pool) span(t Task, n int, start time.Time) {
	s := Span{Op: fmt.Sprintf("%T", t), Time: time.Since(start)}
	busy := time.Duration(p.busy.Swap(0))
	if busy == 0 {
		busy = s.Time
	}
	s.Wait = max(0, s.Time-busy/time.Duration(p.threads))
	if d, ok := t.(interface{ describe(s *Span, n int) }); ok {
		d.describe(&s, n)
	}
	p.observer(s)
}

func (t *product) describe(s *Span, _ int) {
	shapes := make([]string, len(t.products))
	for i := range t.products {
		d := &t.products[i]
		shapes[i] = fmt.Sprint(d.W.Rows)
		s.Bytes += len(d.W.Data) + 4*len(d.Dst)
		s.Flops += 2 * d.W.Rows * d.W.Cols * t.in.rows
	}
	s.Bytes += 4 * t.in.rows * t.in.cols
	s.Op = fmt.Sprintf("matmul %v %d>%s", t.products[0].W.Type, t.in.cols, strings.Join(shapes, "+"))
}

func (t *columns) describe(s *Span, _ int) {
	s.Op = fmt.Sprintf("column means %v", t.w.Type)
	s.Bytes = len(t.w.Data)
}

func (w *rowWork) describe(s *Span, n int) {
	s.Bytes = 4 * (len(w.x) + len(w.y) + len(w.dst))
	switch {
	case w.norm != nil:
		s.Op = "RMSNorm"
		if w.norm.Center {
			s.Op = "LayerNorm"
		}
		s.Op += fmt.Sprint(" ", w.width)
	case w.rope != nil:
		s.Op = "RoPE"
		s.Bytes += 4 * len(w.x)
	case w.kv != nil:
		s.Op = "store keys and values"
	case w.width > 0:
		s.Op = fmt.Sprint("add ", w.width)
		s.Bytes += 4 * len(w.x)
	default:
		s.Op = w.act.String()
		if w.y != nil {
			s.Op += " and gate"
		}
	}
}

func (t *attnWork) describe(s *Span, _ int) {
	s.Op = "attention"
	pairs := 0 // of a query and a position it sees
	for i := range t.n {
		from, end := t.a.visible(t.pos+i, t.length())
		pairs += end - from
	}
	s.Flops = 4 * pairs * t.a.Heads * t.a.HeadDim
	size := 4
	if t.c.f16 {
		size = 2
	}
	from, _ := t.a.visible(t.pos, t.length())
	s.Bytes = 2*size*(t.length()-from)*t.a.KVHeads*t.a.HeadDim + 4*(len(t.q)+len(t.dst))
}

func (t *attnBlocks) describe(s *Span, n int) { (*attnWork)(t).describe(s, n) }

func (t *attnMerge) describe(s *Span, _ int) { s.Op = "attention, merging" }
