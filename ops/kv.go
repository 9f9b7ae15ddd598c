package ops

import (
	"fmt"
	"slices"

	"github.com/x448/float16"

	"github.com/normswap/normswap/ops/asm"
)

// KV is the key-value cache of one layer: per position, one key and one value
// of headDim elements for each of kvHeads heads, as F16 or F32. Memory is taken
// for 256 positions at a time, when the first of them is stored.
type KV struct {
	// Positions are kept in blocks of kvBlock. Within a block of one head, keys
	// and values lie in panels of asm.PanelCols columns, so that one kernel computes
	// both scores (query times keys: a column is a position) and outputs
	// (probabilities times values: a column is an element of the head).
	heads, dim, capacity int
	size                 int // elements of a block of one head
	f16                  bool
	k16, v16             [][]uint16 // per block: its heads after one another
	k32, v32             [][]float32
	shared               []bool // blocks that another cache may read, and that are copied before they change
}

// kvBlock is the number of positions whose scores are normalised together.
const kvBlock = 256

// NewKV returns an empty cache for positions 0 to capacity-1, in half
// precision if f16. Of no heads it stays empty.
func NewKV(kvHeads, headDim, capacity int, f16 bool) *KV {
	if kvHeads < 0 || headDim <= 0 || capacity <= 0 {
		panic(fmt.Sprintf("ops: KV of %d heads, %d elements, %d positions", kvHeads, headDim, capacity))
	}
	return &KV{heads: kvHeads, dim: headDim, capacity: capacity, size: kvBlock * padLanes(headDim), f16: f16}
}

// reserve takes the memory for positions below n.
func (c *KV) reserve(n int) {
	for len(c.k16)+len(c.k32) < (n+kvBlock-1)/kvBlock {
		if c.f16 {
			c.k16, c.v16 = append(c.k16, make([]uint16, c.heads*c.size)), append(c.v16, make([]uint16, c.heads*c.size))
		} else {
			c.k32, c.v32 = append(c.k32, make([]float32, c.heads*c.size)), append(c.v32, make([]float32, c.heads*c.size))
		}
	}
}

// Fork returns a cache of the same contents. The two share the blocks that both
// have, and each copies one when it changes it. No operation may use c
// meanwhile; afterwards they are independent.
func (c *KV) Fork() *KV {
	c.shared = make([]bool, len(c.k16)+len(c.k32))
	for b := range c.shared {
		c.shared[b] = true
	}
	f := *c
	f.k16, f.v16, f.k32, f.v32 = slices.Clone(c.k16), slices.Clone(c.v16), slices.Clone(c.k32), slices.Clone(c.v32)
	f.shared = slices.Clone(c.shared)
	return &f
}

// own copies the shared blocks of the positions from pos to end-1.
func (c *KV) own(pos, end int) {
	for b := pos / kvBlock; b <= (end-1)/kvBlock && b < len(c.shared); b++ {
		if !c.shared[b] {
			continue
		}
		c.shared[b] = false
		if c.f16 {
			c.k16[b], c.v16[b] = slices.Clone(c.k16[b]), slices.Clone(c.v16[b])
		} else {
			c.k32[b], c.v32[b] = slices.Clone(c.k32[b]), slices.Clone(c.v32[b])
		}
	}
}

// Capacity is the number of positions.
func (c *KV) Capacity() int { return c.capacity }

// Bytes is the memory that the cache takes at present.
func (c *KV) Bytes() int {
	return 2 * c.heads * c.size * (2*len(c.k16) + 4*len(c.k32))
}

// MaxBytes is the memory that the cache takes when it is full. It may be more
// than an int holds.
func (c *KV) MaxBytes() float64 {
	size := 4
	if c.f16 {
		size = 2
	}
	return float64((c.capacity-1)/kvBlock+1) * float64(2*c.heads*c.size*size)
}

// Store keeps the keys and values of consecutive positions from pos on: k and
// v are rows of kvHeads*headDim elements.
func (c *KV) Store(pos int, k, v []float32) {
	n := c.checkStore(pos, k, v)
	c.store(pos, k, v, 0, n)
}

// Store is [KV.Store] with the rows spread over the pool.
func (p *Pool) Store(c *KV, pos int, k, v []float32) {
	n := c.checkStore(pos, k, v)
	p.rows.run(p, rowWork{op: storeRows, x: k, y: v, kv: c, pos: pos}, n, 2*c.heads*c.dim)
}

func storeRows(w *rowWork, lo, hi int) { w.kv.store(w.pos, w.x, w.y, lo, hi) }

func (c *KV) checkStore(pos int, k, v []float32) (n int) {
	width := c.heads * c.dim
	checkRows("keys", len(k), width)
	checkLen("values", len(v), len(k))
	n = len(k) / width
	if pos < 0 || pos+n > c.capacity {
		panic(fmt.Sprintf("ops: KV store of positions %d to %d in a cache of %d", pos, pos+n-1, c.capacity))
	}
	c.reserve(pos + n)
	c.own(pos, pos+n)
	return n
}

// store keeps rows lo to hi-1.
func (c *KV) store(pos int, k, v []float32, lo, hi int) {
	for r := lo; r < hi; r++ {
		for h := range c.heads {
			head := (r*c.heads + h) * c.dim
			c.storeHead(pos+r, h, k[head:head+c.dim], v[head:head+c.dim])
		}
	}
}

// storeHead keeps the key and the value of one head at a position.
func (c *KV) storeHead(pos, head int, k, v []float32) {
	b, at := pos/kvBlock, pos%kvBlock
	kAt := head*c.size + at/asm.PanelCols*asm.PanelCols*c.dim + at%asm.PanelCols
	vAt := head*c.size + at*asm.PanelCols
	if c.f16 {
		asm.Scatter16(c.k16[b][kAt:], k)
		asm.Spread16(c.v16[b][vAt:], v, kvBlock*asm.PanelCols)
	} else {
		asm.Scatter32(c.k32[b][kAt:], k)
		asm.Spread32(c.v32[b][vAt:], v, kvBlock*asm.PanelCols)
	}
}

// Rows sets k and v, rows of kvHeads*headDim elements, to the keys and values of
// consecutive positions from pos on: those that were stored, rounded to half
// precision where the cache is.
func (c *KV) Rows(pos int, k, v []float32) {
	width := c.heads * c.dim
	checkRows("keys", len(k), width)
	checkLen("values", len(v), len(k))
	n := len(k) / width
	if pos < 0 || pos+n > (len(c.k16)+len(c.k32))*kvBlock {
		panic(fmt.Sprintf("ops: KV rows of positions %d to %d, which were not stored", pos, pos+n-1))
	}
	for r := range n {
		b, at := (pos+r)/kvBlock, (pos+r)%kvBlock
		for i := range width {
			h, e := i/c.dim, i%c.dim
			kAt := h*c.size + (at/asm.PanelCols*c.dim+e)*asm.PanelCols + at%asm.PanelCols
			vAt := h*c.size + (e/asm.PanelCols*kvBlock+at)*asm.PanelCols + e%asm.PanelCols
			if c.f16 {
				k[r*width+i] = float16.Frombits(c.k16[b][kAt]).Float32()
				v[r*width+i] = float16.Frombits(c.v16[b][vAt]).Float32()
			} else {
				k[r*width+i], v[r*width+i] = c.k32[b][kAt], c.v32[b][vAt]
			}
		}
	}
}

func padLanes(n int) int { return (n + asm.PanelCols - 1) / asm.PanelCols * asm.PanelCols }

// mulKeys sets s, rows of kvBlock scores, to the product of rows of queries
// with panels of keys of block b.
func (c *KV) mulKeys(s, q []float32, b, at, rows, panels int) {
	if c.f16 {
		asm.MulPanels16(s, q, c.k16[b][at:], rows, c.dim, panels, kvBlock, c.dim, asm.PanelCols*c.dim)
	} else {
		asm.MulPanels32(s, q, c.k32[b][at:], rows, c.dim, panels, kvBlock, c.dim, asm.PanelCols*c.dim)
	}
}

// mulValues sets out, rows of pad elements, to the product of rows of
// kvBlock probabilities, of which n are used, with the values of block b.
func (c *KV) mulValues(out, s []float32, b, at, rows, n, pad int) {
	if c.f16 {
		asm.MulPanels16(out, s, c.v16[b][at:], rows, n, pad/asm.PanelCols, pad, kvBlock, kvBlock*asm.PanelCols)
	} else {
		asm.MulPanels32(out, s, c.v32[b][at:], rows, n, pad/asm.PanelCols, pad, kvBlock, kvBlock*asm.PanelCols)
	}
}
