package ops

import (
	"fmt"

	"github.com/normswap/normswap/ops/asm"
)

// KV is the key-value cache of one layer: per position, one key and one value
// of headDim elements for each of kvHeads heads, as F16 or F32.
//
// Positions are kept in blocks of kvBlock. Within a block of one head, keys
// and values lie in panels of asm.Lanes columns, so that one kernel computes
// both scores (query times keys: a column is a position) and outputs
// (probabilities times values: a column is an element of the head).
type KV struct {
	heads, dim, capacity int
	blocks               int // per head
	size                 int // elements of a block of one head
	f16                  bool
	k16, v16             []uint16
	k32, v32             []float32
}

// kvBlock is the number of positions whose scores are normalised together.
const kvBlock = 256

// NewKV returns an empty cache for positions 0 to capacity-1, in half
// precision if f16.
func NewKV(kvHeads, headDim, capacity int, f16 bool) *KV {
	if kvHeads <= 0 || headDim <= 0 || capacity <= 0 {
		panic(fmt.Sprintf("ops: KV of %d heads, %d elements, %d positions", kvHeads, headDim, capacity))
	}
	c := &KV{heads: kvHeads, dim: headDim, capacity: capacity, f16: f16}
	c.blocks = (capacity + kvBlock - 1) / kvBlock
	c.size = kvBlock * padLanes(headDim)
	n := c.heads * c.blocks * c.size
	if f16 {
		c.k16, c.v16 = make([]uint16, n), make([]uint16, n)
	} else {
		c.k32, c.v32 = make([]float32, n), make([]float32, n)
	}
	return c
}

// Capacity is the number of positions.
func (c *KV) Capacity() int { return c.capacity }

// Bytes is the memory that the cache takes.
func (c *KV) Bytes() int {
	return 2 * (len(c.k16) + len(c.v16) + 2*len(c.k32) + 2*len(c.v32))
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
	return n
}

// store keeps rows lo to hi-1.
func (c *KV) store(pos int, k, v []float32, lo, hi int) {
	for r := lo; r < hi; r++ {
		for h := range c.heads {
			head := (r*c.heads + h) * c.dim
			kRow, vRow := k[head:head+c.dim], v[head:head+c.dim]
			block := (h*c.blocks + (pos+r)/kvBlock) * c.size
			at := (pos + r) % kvBlock
			kAt := block + at/asm.Lanes*asm.Lanes*c.dim + at%asm.Lanes
			vAt := block + at*asm.Lanes
			if c.f16 {
				asm.Scatter16(c.k16[kAt:], kRow)
				asm.Spread16(c.v16[vAt:], vRow, kvBlock*asm.Lanes)
			} else {
				asm.Scatter32(c.k32[kAt:], kRow)
				asm.Spread32(c.v32[vAt:], vRow, kvBlock*asm.Lanes)
			}
		}
	}
}

func padLanes(n int) int { return (n + asm.Lanes - 1) / asm.Lanes * asm.Lanes }

// mulKeys sets s, rows of kvBlock scores, to the product of rows of queries
// with panels of keys.
func (c *KV) mulKeys(s, q []float32, at, rows, panels int) {
	if c.f16 {
		asm.MulPanels16(s, q, c.k16[at:], rows, c.dim, panels, kvBlock, c.dim, asm.Lanes*c.dim)
	} else {
		asm.MulPanels32(s, q, c.k32[at:], rows, c.dim, panels, kvBlock, c.dim, asm.Lanes*c.dim)
	}
}

// mulValues sets out, rows of pad elements, to the product of rows of
// kvBlock probabilities, of which n are used, with the values.
func (c *KV) mulValues(out, s []float32, at, rows, n, pad int) {
	if c.f16 {
		asm.MulPanels16(out, s, c.v16[at:], rows, n, pad/asm.Lanes, pad, kvBlock, kvBlock*asm.Lanes)
	} else {
		asm.MulPanels32(out, s, c.v32[at:], rows, n, pad/asm.Lanes, pad, kvBlock, kvBlock*asm.Lanes)
	}
}
