package ops

import (
	"fmt"
	"sync"

	"github.com/normswap/normswap/ops/asm"
)

// SelfAttention computes attention within each of several whole sequences, none
// of which sees another. Their rows lie one after the other, lengths[i] of
// sequence i: q and dst are rows of Heads*HeadDim elements, k and v of
// KVHeads*HeadDim. dst may be q.
//
// A row of the result depends neither on the number of threads nor on the other
// sequences. It is that of [Pool.Attention] with a cache in F32.
func (p *Pool) SelfAttention(dst, q, k, v []float32, a *Attention, lengths []int) {
	n, longest := 0, 0
	for i, l := range lengths {
		if l < 1 {
			panic(fmt.Sprintf("ops: attention over sequence %d of %d rows", i, l))
		}
		n, longest = n+l, max(longest, l)
	}
	a.check(dst, q, n)
	checkLen("keys", len(k), n*a.KVHeads*a.HeadDim)
	checkLen("values", len(v), len(k))
	if n == 0 {
		return
	}
	t := &p.self
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dst, t.q, t.k, t.v, t.a, t.lengths = dst, q, k, v, a, lengths
	t.firsts = t.firsts[:0]
	first := 0
	for _, l := range lengths {
		t.firsts = append(t.firsts, first)
		first += l
	}
	t.each = min(longest, max(1, attnRows/a.group()))
	// A head of a sequence is one item, so that its keys are laid out once, or
	// some if there are less than keep all workers busy.
	heads := len(lengths) * a.KVHeads
	t.cuts = 1
	if p.threads > 1 {
		t.cuts = min((longest+t.each-1)/t.each, (4*p.threads+heads-1)/heads)
	}
	t.worker = grow(t.worker, p.threads)
	for i := range t.worker {
		w := &t.worker[i]
		w.scratch.reserve(t.each*a.group(), a.HeadDim)
		if w.kv == nil || w.kv.dim != a.HeadDim || w.kv.capacity < longest {
			w.kv = NewKV(1, a.HeadDim, longest, false)
		}
		w.kv.reserve(longest)
	}
	work := a.group() * n / len(lengths) * longest / t.cuts * a.HeadDim // of an item, about
	p.Run(t, heads*t.cuts, attnGrain/max(1, work)+1)
	t.dst, t.q, t.k, t.v, t.a, t.lengths = nil, nil, nil, nil, nil, nil
}

// selfWork is one call of Pool.SelfAttention and its scratch.
type selfWork struct {
	mu              sync.Mutex // held through a call
	dst, q, k, v    []float32
	a               *Attention
	lengths, firsts []int // rows of each sequence, and its first one
	each            int   // queries that attend together
	cuts            int   // parts of a head
	worker          []selfScratch
}

// selfScratch is what one worker needs for an item.
type selfScratch struct {
	scratch attnScratch
	kv      *KV // one head of one sequence
}

// Do handles items: some of the queries of one key-value head of one sequence.
func (t *selfWork) Do(worker, lo, hi int) {
	w, a := &t.worker[worker], t.a
	width := a.Heads * a.HeadDim
	for item := lo; item < hi; item++ {
		cut, head := item%t.cuts, item/t.cuts%a.KVHeads
		seq := item / t.cuts / a.KVHeads
		first, n := t.firsts[seq], t.lengths[seq]
		chunks := (n + t.each - 1) / t.each
		from, to := cut*chunks/t.cuts*t.each, min((cut+1)*chunks/t.cuts*t.each, n)
		if from == to {
			continue
		}
		t.layOut(w.kv, head, first, n)
		s := queries{t.dst[first*width:][:n*width], t.q[first*width:][:n*width], w.kv, a, 0, n}
		for ; from < to; from += t.each {
			s.attend(&w.scratch, head, from, min(t.each, to-from))
		}
	}
}

// layOut makes the keys and values of a head of a sequence those of c.
func (t *selfWork) layOut(c *KV, head, first, n int) {
	dim, width := t.a.HeadDim, t.a.KVHeads*t.a.HeadDim
	for r := 0; r < n; r += asm.PanelCols {
		b, at, from := r/kvBlock, r%kvBlock, (first+r)*width+head*dim
		rows := min(asm.PanelCols, n-r)
		asm.Transpose(view[uint32](c.k32[b][at*dim:]), view[uint32](t.k[from:]), width, rows, dim, 0)
		for i := range rows {
			asm.Spread32(c.v32[b][(at+i)*asm.PanelCols:], t.v[from+i*width:][:dim], kvBlock*asm.PanelCols)
		}
	}
}

func (t *selfWork) describe(s *Span, _ int) {
	s.Op = fmt.Sprintf("self-attention %d heads of %d", t.a.Heads, t.a.HeadDim)
	pairs := 0
	for _, n := range t.lengths {
		for i := range n {
			from, end := t.a.visible(i, n)
			pairs += end - from
		}
	}
	s.Flops = 4 * pairs * t.a.Heads * t.a.HeadDim
	s.Bytes = 4 * (len(t.q) + len(t.dst) + len(t.k) + len(t.v))
}
