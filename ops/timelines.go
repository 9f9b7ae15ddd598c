package ops

import "sync"

// A Timeline is where rows of one sequence go: N of them, at consecutive positions
// from Pos on, and its cache.
type Timeline struct {
	KV     *KV
	Pos, N int
}

// CachedAttention is [Pool.Store] and [Pool.Attention] for the rows of several
// timelines after one another, to the last bit. Single rows of many timelines, tokens
// that are generated, are spread over the pool together.
func (p *Pool) CachedAttention(dst, q, k, v []float32, a *Attention, timelines []Timeline) {
	qd, kd := a.Heads*a.HeadDim, a.KVHeads*a.HeadDim
	t := &p.tokens
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rows, t.timelines = t.rows[:0], t.timelines[:0]
	singles, row := 0, 0
	for _, s := range timelines {
		if s.N == 1 {
			singles++
		}
	}
	together := singles > 1 && singles*a.KVHeads >= p.Threads()
	for _, s := range timelines {
		first, end := row, row+s.N
		row = end
		if s.N == 1 && together {
			t.rows, t.timelines = append(t.rows, first), append(t.timelines, s)
			continue
		}
		p.Store(s.KV, s.Pos, k[first*kd:end*kd], v[first*kd:end*kd])
		p.Attention(dst[first*qd:end*qd], q[first*qd:end*qd], s.KV, a, s.Pos, s.N)
	}
	a.check(dst, q, row)
	if !together {
		return
	}
	positions := 0
	for i, s := range t.timelines {
		s.KV.checkStore(s.Pos, k[t.rows[i]*kd:][:kd], v[t.rows[i]*kd:][:kd])
		a.checkCache(s.KV, s.Pos, 1)
		first, end := a.visible(s.Pos, s.Pos+1)
		positions += end - first
	}
	t.worker = grow(t.worker, p.Threads())
	for i := range t.worker {
		t.worker[i].reserve(a.group(), a.HeadDim)
	}
	t.dst, t.q, t.k, t.v, t.a = dst, q, k, v, a
	work := a.group() * a.HeadDim * max(1, positions/len(t.timelines)) // of an item, as Attention counts it
	p.Run(t, len(t.timelines)*a.KVHeads, attnGrain/work+1)
	t.dst, t.q, t.k, t.v, t.a = nil, nil, nil, nil, nil
	clear(t.timelines)
}

// tokenWork is the part of a CachedAttention that is single rows.
type tokenWork struct {
	mu           sync.Mutex // held through a call
	dst, q, k, v []float32
	a            *Attention
	timelines    []Timeline
	rows         []int // of the timelines
	worker       []attnScratch
}

// Do handles items: one key-value head of one timeline.
func (t *tokenWork) Do(worker, lo, hi int) {
	a := t.a
	for item := lo; item < hi; item++ {
		head, i := item%a.KVHeads, item/a.KVHeads
		s, r := t.timelines[i], t.rows[i]
		at := (r*a.KVHeads + head) * a.HeadDim
		s.KV.storeHead(s.Pos, head, t.k[at:][:a.HeadDim], t.v[at:][:a.HeadDim])
		width := a.Heads * a.HeadDim
		one := queries{row(t.dst, r, width), row(t.q, r, width), s.KV, a, s.Pos, 1}
		one.attend(&t.worker[worker], head, 0, 1)
	}
}

func (t *tokenWork) describe(s *Span, _ int) {
	s.Op = "attention of sessions"
	for _, l := range t.timelines {
		first, end := t.a.visible(l.Pos, l.Pos+1)
		s.Flops += 4 * (end - first) * t.a.Heads * t.a.HeadDim
		size := 4
		if l.KV.f16 {
			size = 2
		}
		s.Bytes += 2 * size * (end - first) * t.a.KVHeads * t.a.HeadDim
	}
	s.Bytes += 8 * len(t.timelines) * t.a.Heads * t.a.HeadDim
}
