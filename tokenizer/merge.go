package tokenizer

import (
	"context"
	"slices"
	"sync"
)

// A symbol is a stretch of a word that merging has arrived at. The symbols of
// a word form a linked list; each ends where the next begins.
type symbol struct {
	start      int32 // byte offset in the word
	prev, next int32 // -1 at the ends; next is dead once merged away
	id         int32 // the piece, or -1
}

const dead = -2

// A candidate is a pair of neighbouring symbols that may be merged.
type candidate struct {
	rank int32 // the lowest is merged first, of equals the leftmost
	left int32 // index of the left symbol
	end  int32 // where the right symbol ended when the pair was found
	id   int32 // the piece they make
}

func (a candidate) before(b candidate) bool {
	return a.rank < b.rank || a.rank == b.rank && a.left < b.left
}

// A merger holds the working memory of merge. The heap makes a word of n
// symbols cost n log n, however long it is.
type merger struct {
	symbols []symbol
	heap    []candidate
}

var mergers = sync.Pool{New: func() any { return new(merger) }}

// release hands the memory back, unless a huge word made it large.
func (m *merger) release() {
	if cap(m.symbols) <= 1<<16 {
		mergers.Put(m)
	}
}

// reset begins a word of n bytes.
func (m *merger) reset(n int) {
	m.symbols = slices.Grow(m.symbols[:0], n)
	m.heap = slices.Grow(m.heap[:0], n)
}

// add appends the next symbol of the word.
func (m *merger) add(start int, id int32) {
	n := int32(len(m.symbols))
	if n > 0 {
		m.symbols[n-1].next = n
	}
	m.symbols = append(m.symbols, symbol{start: int32(start), prev: n - 1, next: -1, id: id})
}

// merge joins neighbours until no pair is left that joins. pair returns the
// rank and the piece that two neighbours make, or a negative rank; the right
// one of them ends at byte offset end. n is the length of the word. The work
// on a long word ends with the error of ctx when that is cancelled.
func (m *merger) merge(ctx context.Context, n int, pair func(left, right *symbol, end int32) (rank, id int32)) error {
	endOf := func(s *symbol) int32 {
		if s.next < 0 {
			return int32(n)
		}
		return m.symbols[s.next].start
	}
	try := func(left int32) (candidate, bool) {
		l := &m.symbols[left]
		r := &m.symbols[l.next]
		end := endOf(r)
		rank, id := pair(l, r, end)
		return candidate{rank, left, end, id}, rank >= 0
	}
	for i := range len(m.symbols) - 1 {
		if c, ok := try(int32(i)); ok {
			m.heap = append(m.heap, c)
		}
	}
	for i := len(m.heap)/2 - 1; i >= 0; i-- {
		m.down(i)
	}
	const patience = 1 << 16
	for steps := 1; len(m.heap) > 0; steps++ {
		if steps%patience == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		c := m.pop()
		l := &m.symbols[c.left]
		if l.next < 0 { // merged away, or the last
			continue
		}
		r := &m.symbols[l.next]
		if endOf(r) != c.end { // one of the two has grown since
			continue
		}
		l.id = c.id
		l.next, r.next = r.next, dead
		if l.next >= 0 {
			m.symbols[l.next].prev = c.left
			m.push(try(c.left))
		}
		if l.prev >= 0 {
			m.push(try(l.prev))
		}
	}
	return nil
}

// pieces calls yield with every symbol that merging left, in order, and the
// stretch of the word that it is.
func (m *merger) pieces(word string, yield func(at int, piece string, id int32)) {
	for i := int32(0); i >= 0; {
		s := m.symbols[i]
		end := int32(len(word))
		if s.next >= 0 {
			end = m.symbols[s.next].start
		}
		yield(int(s.start), word[s.start:end], s.id)
		i = s.next
	}
}

func (m *merger) push(c candidate, ok bool) {
	if !ok {
		return
	}
	m.heap = append(m.heap, c)
	h := m.heap
	for i := len(h) - 1; i > 0; {
		parent := (i - 1) / 2
		if !h[i].before(h[parent]) {
			return
		}
		h[i], h[parent] = h[parent], h[i]
		i = parent
	}
}

func (m *merger) pop() candidate {
	h := m.heap
	top, last := h[0], len(h)-1
	h[0] = h[last]
	m.heap = h[:last]
	if last > 0 {
		m.down(0)
	}
	return top
}

func (m *merger) down(i int) {
	h := m.heap
	for {
		child := 2*i + 1
		if child >= len(h) {
			return
		}
		if child+1 < len(h) && h[child+1].before(h[child]) {
			child++
		}
		if !h[child].before(h[i]) {
			return
		}
		h[i], h[child] = h[child], h[i]
		i = child
	}
}
