package ops

import (
	"fmt"
	"math"
	"sync"

	"github.com/normswap/normswap/ops/asm"
)

// Attention is the shape of self-attention in one layer. Query head h reads
// key-value head h/(Heads/KVHeads).
//
//	score(q, k) = Scale * <q, k>, then cap*tanh(score/cap) if Softcap is set,
//	              then - slope * |position of k - position of q| if Slopes is,
//	              then + the bias of that distance if Distances is
//	out = sum of softmax(scores) * v over the visible positions
//
// A query at position p sees the positions 0 to p, or, with a Window, the
// last Window of them. If Bidirectional, it sees all positions of its sequence,
// or, with a Window, those up to Window/2 away from it.
type Attention struct {
	Heads, KVHeads, HeadDim int
	Bidirectional           bool
	Scale                   float32   // usually 1/sqrt(HeadDim)
	Softcap                 float32   // 0: none
	Window                  int       // 0: none
	Slopes                  []float32 // ALiBi, one per head; nil: none
	// Distances are biases for each head of the distances -n to n of a key behind a
	// query, 2n+1 numbers; beyond, those of the ends hold. nil: none.
	Distances []float32
	// Sinks are scores, one per head, that every query has beside those of the
	// keys, with a value of zero; nil: none.
	Sinks []float32
}

// ALiBiSlopes returns the slope of each head for attention with linear biases
// (Press et al., arXiv 2108.12409). With n the largest power of two in heads,
// the first n heads have the slopes 2^(-maxBias*(h+1)/n) and the others those
// of the odd steps of a ladder twice as fine.
func ALiBiSlopes(heads int, maxBias float32) []float32 {
	n := 1
	for 2*n <= heads {
		n *= 2
	}
	slopes := make([]float32, heads)
	for h := range slopes {
		step := float64(h + 1)
		if h >= n {
			step = float64(2*(h-n)+1) / 2
		}
		slopes[h] = float32(math.Exp2(-float64(maxBias) * step / float64(n)))
	}
	return slopes
}

// visible returns the positions that a query at pos sees, from first to end-1,
// in a sequence of length positions.
func (a *Attention) visible(pos, length int) (first, end int) {
	switch {
	case !a.Bidirectional && a.Window > 0:
		return max(0, pos-a.Window+1), pos + 1
	case !a.Bidirectional:
		return 0, pos + 1
	case a.Window > 0:
		return max(0, pos-a.Window/2), min(pos+a.Window/2+1, length)
	}
	return 0, length
}

// group is the number of query heads that read a key-value head.
func (a *Attention) group() int { return a.Heads / a.KVHeads }

func (a *Attention) check(dst, q []float32, n int) {
	if a.Heads%a.KVHeads != 0 {
		panic(fmt.Sprintf("ops: attention with %d heads over %d key-value heads", a.Heads, a.KVHeads))
	}
	checkLen("queries", len(q), n*a.Heads*a.HeadDim)
	checkLen("dst", len(dst), len(q))
	if a.Slopes != nil {
		checkLen("ALiBi slopes", len(a.Slopes), a.Heads)
	}
	if len(a.Distances)%a.Heads != 0 || a.Distances != nil && len(a.Distances)/a.Heads%2 == 0 {
		panic(fmt.Sprintf("ops: %d biases of distances for %d heads", len(a.Distances), a.Heads))
	}
	if a.Sinks != nil {
		checkLen("attention sinks", len(a.Sinks), a.Heads)
	}
}

func (a *Attention) checkCache(c *KV, pos, n int) {
	if a.Bidirectional {
		panic("ops: bidirectional attention over a KV cache, whose sequence is not complete")
	}
	if a.KVHeads != c.heads || a.HeadDim != c.dim {
		panic(fmt.Sprintf("ops: attention over %d heads of %d, the KV cache has %d of %d", a.KVHeads, a.HeadDim, c.heads, c.dim))
	}
	if pos < 0 || n < 0 || pos+n > c.capacity {
		panic(fmt.Sprintf("ops: attention at positions %d to %d of a KV cache of %d", pos, pos+n-1, c.capacity))
	}
}

// attnRows is about how many query rows share one pass over the blocks of keys, which they
// read asm.MulRows at a time from the cache of the processor.
const attnRows = 48

// line is how many elements a line of the cache of a processor holds, or fewer.
const line = 16

// log2E makes scores powers of two: softmax(x) is 2^(x*log2E) over the sum of these.
const log2E = float32(math.Log2E)

// attnGrain is how much work, as Attention counts it, a piece should have.
const attnGrain = 64 << 10

// queries are the queries of one sequence at positions pos to pos+n-1, and what
// they attend to.
type queries struct {
	dst, q []float32
	c      *KV // of all heads, or of the one that is at work
	a      *Attention
	pos, n int
}

// attnWork is one call of Pool.Attention: what it was given and its scratch.
type attnWork struct {
	mu sync.Mutex // held through a call
	queries
	each int // queries of an item

	worker []attnScratch
	// parts holds, when blocks of one query are spread over the workers, the
	// result of each (head, block).
	parts []attnPart
}

// attnScratch is what one worker needs for an item.
type attnScratch struct {
	q     []float32 // [rows][dim], times the scale and log2E
	s     []float32 // [asm.MulRows][kvBlock]
	seen  [asm.MulRows]int
	block attnPart
	total attnPart
}

// attnPart is attention over some of the keys: per query row the largest
// score, in units of log2E and rounded to an integer, the sum of 2^(score-max) and the values
// weighted by these. Parts are merged by powers of two, which round nothing.
type attnPart struct {
	max []float32 // [rows]
	sum []float64 // [rows]
	out []float32 // [rows][padLanes(dim)]
}

func (t *attnPart) grow(rows, pad int) {
	t.max, t.sum, t.out = grow(t.max, rows), grow(t.sum, rows), grow(t.out, rows*pad)
}

// grow returns x with at least n elements, which may be new.
func grow[T any](x []T, n int) []T {
	if len(x) < n {
		return make([]T, n)
	}
	return x
}

// Attention computes causal attention of the n queries at positions pos to
// pos+n-1 over the keys and values stored in c, theirs included. q and dst
// are rows of Heads*HeadDim elements.
//
// Scores are normalised per block of 256 positions and the blocks merged in
// order, so a row of the result depends neither on the number of threads nor
// on how many queries were asked for together. Memory is linear in the
// context.
func (p *Pool) Attention(dst, q []float32, c *KV, a *Attention, pos, n int) {
	a.check(dst, q, n)
	a.checkCache(c, pos, n)
	if n == 0 {
		return
	}
	c.reserve(pos + n) // positions that were not stored count as zeros
	group := a.group()
	t := &p.attn
	t.mu.Lock()
	defer t.mu.Unlock()
	t.queries = queries{dst, q, c, a, pos, n}
	t.each = min(n, max(1, attnRows/group))
	t.reserve(p.Threads(), group)
	first, _ := a.visible(pos, pos+n)
	work := group * t.each * (pos + n - first) * a.HeadDim // multiply-adds of an item, halved
	items := a.KVHeads * ((n + t.each - 1) / t.each)
	if t.spread(p.Threads()) {
		p.Run((*attnBlocks)(t), a.KVHeads*t.blocks(), 1)
		p.Run((*attnMerge)(t), a.KVHeads, 1)
	} else {
		p.Run(t, items, attnGrain/work+1)
	}
	t.queries = queries{}
}

// length is the number of positions up to the last query.
func (t *queries) length() int { return t.pos + t.n }

// blocks is the number of blocks up to the last query.
func (t *queries) blocks() int { return (t.length()-1)/kvBlock + 1 }

// spread tells whether the blocks of one query go over the workers, not the heads: where
// these are so few that some workers would wait for others.
func (t *attnWork) spread(workers int) bool {
	heads := t.a.KVHeads
	return t.n == 1 && t.blocks() > 1 && heads%workers != 0 && heads < 4*workers
}

func (t *attnWork) reserve(workers, group int) {
	rows, pad := t.each*group, padLanes(t.a.HeadDim)
	t.worker = grow(t.worker, workers)
	for i := range t.worker {
		t.worker[i].reserve(rows, t.a.HeadDim)
	}
	if t.spread(workers) {
		t.parts = grow(t.parts, t.a.KVHeads*t.blocks())
		for i := range t.parts {
			t.parts[i].grow(rows, pad)
		}
	}
}

func (w *attnScratch) reserve(rows, dim int) {
	w.q, w.s = grow(w.q, rows*dim), grow(w.s, asm.MulRows*kvBlock)
	w.block.grow(rows, padLanes(dim))
	w.total.grow(rows, padLanes(dim))
}

// Do handles items: all blocks of one key-value head for some of the queries. Those of a
// head follow one another, so that its keys and values stay in the cache of the processor.
func (t *attnWork) Do(worker, lo, hi int) {
	chunks := (t.n + t.each - 1) / t.each
	for item := lo; item < hi; item++ {
		head, first := item/chunks, item%chunks*t.each
		t.attend(&t.worker[worker], head, first, min(t.each, t.n-first))
	}
}

// attend attends with the queries first to first+n-1 of all query heads that
// read a key-value head.
func (t *queries) attend(w *attnScratch, head, first, n int) {
	t.gather(w, head, first, n)
	t.fetch(head, first, n)
	from, _ := t.a.visible(t.pos+first, t.length())
	_, end := t.a.visible(t.pos+first+n-1, t.length())
	b := from / kvBlock
	t.block(&w.total, w, head, b, first, n)
	for b++; b <= (end-1)/kvBlock; b++ {
		t.block(&w.block, w, head, b, first, n)
		w.total.merge(&w.block, n*t.a.group(), padLanes(t.a.HeadDim))
	}
	t.finish(&w.total, head, first, n)
}

// attnBlocks computes one block of one key-value head, for one query.
type attnBlocks attnWork

// Do handles items: one block of one head each.
func (t *attnBlocks) Do(worker, lo, hi int) {
	w := &t.worker[worker]
	from, _ := t.a.visible(t.pos, t.length())
	for item := lo; item < hi; item++ {
		head, b := item%t.a.KVHeads, item/t.a.KVHeads
		if (b+1)*kvBlock <= from {
			continue
		}
		t.gather(w, head, 0, 1)
		t.block(&t.parts[head+b*t.a.KVHeads], w, head, b, 0, 1)
	}
}

// attnMerge merges the blocks of one key-value head.
type attnMerge attnWork

// Do handles one head per item.
func (t *attnMerge) Do(worker, lo, hi int) {
	total := &t.worker[worker].total
	from, _ := t.a.visible(t.pos, t.length())
	for head := lo; head < hi; head++ {
		for r := range total.max {
			total.max[r] = float32(math.Inf(-1))
		}
		for b := from / kvBlock; b <= t.pos/kvBlock; b++ {
			total.merge(&t.parts[head+b*t.a.KVHeads], t.a.group(), padLanes(t.a.HeadDim))
		}
		t.finish(total, head, 0, 1)
	}
}

// gather copies the queries first to first+n-1 of all query heads that read a
// key-value head into rows, which it scales.
func (t *queries) gather(w *attnScratch, head, first, n int) {
	a := t.a
	size := a.group() * a.HeadDim
	for i := range n {
		asm.Scale(w.q[i*size:], t.q[(first+i)*a.Heads*a.HeadDim+head*size:][:size], a.Scale*log2E)
	}
}

// fetch begins to bring the results of those queries to the processor, which are written at the end,
// and the next n queries.
func (t *queries) fetch(head, first, n int) {
	size, width := t.a.group()*t.a.HeadDim, t.a.Heads*t.a.HeadDim
	next := min(n, t.n-first-n)
	for at := first*width + head*size; size > 0; at, size = at+line, size-line {
		asm.FetchRows(t.dst[at:], width, n)
		if next > 0 {
			asm.FetchRows(t.q[at+n*width:], width, next)
		}
	}
}

// block attends to the keys of block b of a head, asm.MulRows rows at a time: each sees few
// keys that it need not, and their scores stay in the nearest cache.
func (t *queries) block(part *attnPart, w *attnScratch, head, b, first, n int) {
	a, c := t.a, t.c
	group, pad := a.group(), padLanes(a.HeadDim)
	start, at := b*kvBlock, head%c.heads*c.size
	biased := a.Softcap != 0 || a.Slopes != nil || a.Distances != nil
	for r := 0; r < n*group; r += asm.MulRows {
		rows := min(asm.MulRows, n*group-r)
		pos, g := t.pos+first+r/group, r%group // of row r: its position, and its head in the group
		// positions lo to hi-1 of the block are seen by some row
		from, _ := a.visible(pos, t.length())
		_, end := a.visible(t.pos+first+(r+rows-1)/group, t.length())
		lo := min(max(0, from-start), kvBlock)
		hi := max(lo, min(kvBlock, end-start))
		if lo < hi {
			panel := lo / asm.PanelCols * asm.PanelCols
			c.mulKeys(w.s[panel:], w.q[r*a.HeadDim:], b, at+panel*a.HeadDim, rows, (hi-panel+asm.PanelCols-1)/asm.PanelCols)
		}
		alike, l := 0, lo // rows from alike on see the keys of the block from l on
		for i := range rows {
			x := w.s[i*kvBlock:][:kvBlock]
			from, end := a.visible(pos, t.length())
			from, end = min(max(lo, from-start), hi), max(lo, min(hi, end-start))
			if from != l {
				asm.Exp2Sums(w.s[alike*kvBlock+l:], kvBlock, w.seen[alike:i], part.max[r+alike:], part.sum[r+alike:])
				alike, l = i, from
			}
			w.seen[i] = max(0, end-from)
			clear(x[lo:from])
			clear(x[max(from, end):hi])
			if biased {
				a.score(x[from:max(from, end)], head*group+g, start+from-pos)
			}
			if g++; g == group {
				pos, g = pos+1, 0
			}
		}
		asm.Exp2Sums(w.s[alike*kvBlock+l:], kvBlock, w.seen[alike:rows], part.max[r+alike:], part.sum[r+alike:])
		if lo < hi {
			c.mulValues(part.out[r*pad:], w.s[lo:], b, at+lo*asm.PanelCols, rows, hi-lo, pad)
		}
	}
}

// score turns products of a scaled query of one head with consecutive keys, the first
// of them at the given distance, into scores.
func (a *Attention) score(x []float32, head, distance int) {
	if a.Softcap != 0 {
		limit := a.Softcap * log2E
		asm.Softcap(x, 1/limit, limit)
	}
	if a.Slopes != nil && a.Slopes[head] != 0 {
		slope, before := a.Slopes[head]*log2E, min(max(0, -distance), len(x)) // keys may follow the query, too
		asm.Bias(x[:before], slope, float32(distance))
		asm.Bias(x[before:], -slope, float32(distance+before))
	}
	if a.Distances != nil {
		a.byDistance(x, head, distance)
	}
}

// byDistance adds to scores the biases of distances, the first of which is given.
func (a *Attention) byDistance(x []float32, head, distance int) {
	n := len(a.Distances) / a.Heads
	table := a.Distances[head*n:][:n]
	for i := range x {
		x[i] += log2E * table[min(max(distance+i+n/2, 0), n-1)]
	}
}

// merge adds attention over further keys.
func (t *attnPart) merge(u *attnPart, rows, pad int) {
	inf := float32(math.Inf(-1))
	for r := range rows {
		switch {
		case u.max[r] == inf && u.sum[r] == 0: // no key was visible
		case t.max[r] == inf:
			t.max[r], t.sum[r] = u.max[r], u.sum[r]
			copy(row(t.out, r, pad), row(u.out, r, pad))
		default:
			x, y := float32(1), float32(1)
			if u.max[r] > t.max[r] {
				x, t.max[r] = power(t.max[r]-u.max[r]), u.max[r]
			} else {
				y = power(u.max[r] - t.max[r])
			}
			t.sum[r] = t.sum[r]*float64(x) + u.sum[r]*float64(y)
			asm.ScaleAdd(row(t.out, r, pad), row(u.out, r, pad), x, y)
		}
	}
}

// power is 2^n for an integer n <= 0, and 0 where that is no normal number.
func power(n float32) float32 {
	switch {
	case n >= -126:
		return math.Float32frombits(uint32(127+int32(n)) << 23)
	case n < -126:
		return 0
	}
	return n // NaN
}

// finish writes the rows of a key-value head to dst.
func (t *queries) finish(total *attnPart, head, first, n int) {
	a := t.a
	group, pad := a.group(), padLanes(a.HeadDim)
	r := 0
	for i := range n {
		for h := head * group; h < (head+1)*group; h++ {
			sum := total.sum[r]
			if a.Sinks != nil {
				sum += math.Exp(float64(a.Sinks[h]) - math.Ln2*float64(total.max[r]))
			}
			asm.Scale(t.dst[((first+i)*a.Heads+h)*a.HeadDim:], total.out[r*pad:][:a.HeadDim], float32(1/sum))
			r++
		}
	}
}
