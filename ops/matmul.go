package ops

import (
	"fmt"

	"github.com/normswap/normswap/ops/asm"
)

// A Product is one matrix product of a [Pool.MatMul].
type Product struct {
	Dst   []float32 // rows of the batch x W.Rows
	W     *Matrix
	Bias  []float32 // per output; nil: none
	Add   bool      // add to Dst instead of overwriting it
	Shift []float32 // per row of the batch, subtracted; nil: none
}

const (
	// inline is how many multiply-adds a piece of work should have at least.
	inline = 128 << 10
	// sideBySide is from how many rows on a batch is multiplied a tile of 16
	// at a time. Below it, each row goes by itself.
	sideBySide = 5
)

// MatMul multiplies every row of b with each of the matrices:
//
//	Dst[r*W.Rows+o] = sum over i of W[o,i]*b[r,i] + Bias[o] - Shift[r]
//
// With weights of Q8_0, Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K and Q6_K the
// activations are quantised to int8, 32 to a scale, unless b.Float is set; an
// output is then the same to the last bit whatever the number of threads, of
// rows in the batch, and the instruction set. With other types the
// activations stay as they are: an output does not depend on the number of
// threads, but batches of less than five rows add up in another order than
// larger ones.
func (p *Pool) MatMul(b *Batch, products ...Product) {
	var want forms
	panels := 0
	many := b.rows >= sideBySide
	for i := range products {
		d := &products[i]
		d.check(b)
		panels += d.panels()
		b.checkRead(d.W.Type)
		want |= b.formsFor(d.W.Type)
	}
	if panels == 0 || b.rows == 0 {
		return
	}
	b.require(p, want)
	t := &b.job
	t.pool, t.batch, t.cuts = p, b, 1
	t.products = append(t.products[:0], products...)
	if many {
		// Enough pieces for all, each the whole batch if possible: what is
		// unpacked once serves it all.
		tiles := (b.rows + asm.TileRows - 1) / asm.TileRows
		t.cuts = min(tiles, (4*p.threads+panels-1)/panels)
	}
	p.Run(t, panels*t.cuts, max(1, inline*t.cuts/max(1, asm.PanelRows*b.rows*b.cols)))
	clear(t.products)
}

// check panics unless the parts of d fit each other and b.
func (d *Product) check(b *Batch) {
	switch w := d.W; {
	case w.Cols != b.cols:
		panic(fmt.Sprintf("ops: matrix of %d columns times rows of %d", w.Cols, b.cols))
	case len(d.Dst) != b.rows*w.Rows:
		panic(fmt.Sprintf("ops: product of %d x %d into %d elements", b.rows, w.Rows, len(d.Dst)))
	case d.Bias != nil && len(d.Bias) != w.Rows:
		panic(fmt.Sprintf("ops: bias of %d for %d outputs", len(d.Bias), w.Rows))
	case d.Shift != nil && len(d.Shift) != b.rows:
		panic(fmt.Sprintf("ops: shift of %d for %d rows", len(d.Shift), b.rows))
	}
}

// panels returns the number of panels of 16 outputs.
func (d *Product) panels() int { return (d.W.Rows + asm.PanelRows - 1) / asm.PanelRows }

// product is the task of a MatMul. An item is a panel of 16 outputs with one
// of the cuts of the batch, panels counted through all products.
type product struct {
	pool     *Pool
	batch    *Batch
	products []Product
	cuts     int
}

// Do computes the items lo to hi.
func (t *product) Do(worker, lo, hi int) {
	s := &t.pool.scratch[worker]
	first := 0 // item number of the product's first
	for i := range t.products {
		d := &t.products[i]
		n := d.panels() * t.cuts
		for item := max(lo, first); item < min(hi, first+n); {
			// The cuts of one panel that fall to this piece, together.
			panel, cut := (item-first)/t.cuts, (item-first)%t.cuts
			last := min(t.cuts, cut+min(hi, first+n)-item)
			if t.batch.rows < sideBySide {
				t.single(s, d, panel*asm.PanelRows)
			} else {
				tiles := (t.batch.rows + asm.TileRows - 1) / asm.TileRows
				t.tiled(s, d, panel*asm.PanelRows, cut*tiles/t.cuts, last*tiles/t.cuts)
			}
			item += last - cut
		}
		first += n
	}
}

// single computes the 16 outputs from o, for each row by itself.
func (t *product) single(s *scratch, d *Product, o int) {
	b, w := t.batch, d.W
	stride := w.stride()
	have := min(asm.PanelRows, w.Rows-o)
	// The last panel starts early enough to be whole.
	from := min(o, max(0, w.Rows-asm.PanelRows))
	data := w.Data[from*stride:]
	if w.Rows < asm.PanelRows {
		s.rows = grow(s.rows, asm.PanelRows*stride)
		data = s.rows
		copy(data, w.Data)
	}
	st := storageOf(w.Type, b.Float)
	if st.route == decode {
		s.widen(st, w, from, min(asm.PanelRows, w.Rows), 0, w.Cols)
		st.float, stride, data = asm.F32, 4*(w.Cols+pad), view[byte](s.wide)
	}
	out := (*[asm.PanelRows]float32)(s.out[:])
	for r := range b.rows {
		if st.route == integer {
			asm.Gemv(st.format, out, data, stride, b.row8(r))
		} else {
			asm.GemvFloat(st.float, out, data, stride, b.Row(r))
		}
		dst := d.Dst[r*w.Rows+o:][:have]
		for i, v := range out[o-from:][:have] {
			if d.Add {
				v += dst[i]
			}
			if d.Bias != nil {
				v += d.Bias[o+i]
			}
			if d.Shift != nil {
				v -= d.Shift[r]
			}
			dst[i] = v
		}
	}
}

// tiled computes the 16 outputs from o for the tiles lo to hi.
func (t *product) tiled(s *scratch, d *Product, o, lo, hi int) {
	b, w := t.batch, d.W
	have := min(asm.PanelRows, w.Rows-o)
	st := storageOf(w.Type, b.Float)
	stride := w.Cols + pad
	if st.route == integer {
		s.unpack(st.format, w, o, have, 0, w.Cols)
	} else {
		s.widen(st, w, o, have, 0, w.Cols)
	}
	var bias, shift []float32
	if d.Bias != nil {
		bias = d.Bias[o:][:have]
	}
	for i := lo; i < hi; i++ {
		if st.route == integer {
			asm.Gemm(st.format, &s.out, s.panel, b.tile8(i), w.Cols/st.format.Layout().Items)
		} else {
			asm.GemmFloat(&s.out, s.wide, stride, b.sideF(i))
		}
		r := i * asm.TileRows
		lanes := min(asm.TileRows, b.rows-r)
		if d.Shift != nil {
			shift = d.Shift[r:][:lanes]
		}
		asm.Finish(d.Dst[r*w.Rows+o:], w.Rows, &s.out, have, lanes, bias, shift, d.Add)
	}
}
