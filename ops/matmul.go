package ops

import (
	"fmt"

	"github.com/normswap/normswap/ops/asm"
	"github.com/normswap/normswap/quant"
)

// A Product is one matrix product of a [Pool.MatMul].
type Product struct {
	Dst  []float32 // rows of the input x W.Rows
	W    *Matrix
	Bias []float32 // per output; nil: none
	Add  bool      // add to Dst instead of overwriting it
	Mean []float32 // per row of the input, subtracted from its outputs; nil: none
	// Columns are those of W, which a product of integers with [Outliers] reads.
	Columns *Columns
}

const (
	// inline is how many multiply-adds a piece of work should have at least.
	inline = 64 << 10
	// sideBySide is from how many rows on an input of floats is multiplied a tile
	// of 16 at a time. Below it, each row goes by itself.
	sideBySide = 5
)

// MatMul multiplies every row of in with each of the matrices:
//
//	Dst[r*W.Rows+o] = sum over i of W[o,i]*in[r,i] + Bias[o] - Mean[r]
//
// With weights of a quantized type, one that has a [quant.Layout], the rows
// are read [Quantized] if they were prepared so; an output is then the same to
// the last bit whatever the number of threads, of rows, and the instruction set.
// Otherwise they are read as [Floats]: an output does not depend on the number of
// threads, but less than five rows add up in another order than more, unless they
// were prepared as [Tiled] or [Apart].
func (p *Pool) MatMul(in *Input, products ...Product) {
	panels := 0
	for i := range products {
		d := &products[i]
		d.check(in)
		panels += d.panels()
	}
	if panels == 0 || in.rows == 0 {
		return
	}
	t := &in.job
	t.pool, t.in, t.cuts = p, in, 1
	t.products = append(t.products[:0], products...)
	if in.tiled() {
		// Enough pieces for all, each the whole input if possible: what is
		// unpacked once serves it all.
		t.cuts = min(in.panels(), (4*p.threads+panels-1)/panels)
	}
	p.Run(t, panels*t.cuts, max(1, inline*t.cuts/max(1, asm.PanelRows*in.rows*in.cols)))
	if in.forms&Outliers != 0 {
		in.sums = outlierSums{in, t.products}
		p.Run(&in.sums, in.rows, max(1, rowGrain/in.cols))
		in.sums = outlierSums{}
	}
	clear(t.products)
}

// check panics unless the parts of d fit each other and in.
func (d *Product) check(in *Input) {
	switch w := d.W; {
	case w.Cols != in.cols:
		panic(fmt.Sprintf("ops: matrix of %d columns times rows of %d", w.Cols, in.cols))
	case len(d.Dst) != in.rows*w.Rows:
		panic(fmt.Sprintf("ops: product of %d x %d into %d elements", in.rows, w.Rows, len(d.Dst)))
	case d.Bias != nil && len(d.Bias) != w.Rows:
		panic(fmt.Sprintf("ops: bias of %d for %d outputs", len(d.Bias), w.Rows))
	case d.Mean != nil && len(d.Mean) != in.rows:
		panic(fmt.Sprintf("ops: means of %d for %d rows", len(d.Mean), in.rows))
	}
	in.check(d.W.Type, 0)
	if in.forms&Outliers != 0 && in.storage(d.W.Type).route == integer && d.Columns == nil {
		panic("ops: product without the columns that outliers meet")
	}
}

// panels returns the number of panels of 16 outputs.
func (d *Product) panels() int { return (d.W.Rows + asm.PanelRows - 1) / asm.PanelRows }

// product is the task of a MatMul. An item is a panel of 16 outputs with one
// of the cuts of the input, panels counted through all products.
type product struct {
	pool     *Pool
	in       *Input
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
		from, to := max(lo-first, 0), min(hi-first, n)
		first += n
		if !t.in.tiled() {
			end := min(to*asm.PanelRows, d.W.Rows)
			for o := from * asm.PanelRows; o < end; {
				n := min(t.span(d.W), end-o)
				t.single(s, d, o, n)
				o += n
			}
			continue
		}
		tiles, stored := t.in.panels(), t.stored(d.W)
		for item := from; item < to; {
			if t.cuts == 1 && !stored {
				n := min(t.together(d.W), to-item)
				t.tile(s, d, item*asm.PanelRows, n, 0, tiles)
				item += n
				continue
			}
			// The cuts of one panel that fall to this piece, together.
			panel, cut := item/t.cuts, item%t.cuts
			last := min(t.cuts, cut+to-item)
			if lo, hi := cut*tiles/t.cuts, last*tiles/t.cuts; stored {
				t.storedRows(s, d, panel*asm.PanelRows, lo, hi)
			} else {
				t.tile(s, d, panel*asm.PanelRows, 1, lo, hi)
			}
			item += last - cut
		}
	}
}

// together returns how many panels of w one tile is multiplied with before the
// next: what stays in the cache.
func (t *product) together(w *Matrix) int {
	st, size := t.in.storage(w.Type), 4
	if st.route == integer {
		size = asm.QuantBytes(st.format)
	}
	return min(together, max(1, panelBytes/max(1, asm.PanelRows*w.Cols*size)))
}

// stored reports whether w is multiplied as it is stored, with all rows of the input.
func (t *product) stored(w *Matrix) bool {
	st := t.in.storage(w.Type)
	return st.route == integer && w.Cols > 0 && asm.CanGemmStored(st.format, t.in.rows)
}

// span returns how many outputs single computes at a time: what stays in the
// cache from one row of the input to the next, and in scratch.
func (t *product) span(w *Matrix) int {
	st := t.in.storage(w.Type)
	switch {
	case st.route == decode || st.route == integer && w.Cols < 8*asm.Group:
		return asm.PanelRows
	case t.in.rows == 1:
		return w.Rows
	}
	return max(asm.PanelRows, spanBytes/max(1, w.stride()))
}

// spanBytes is a part of a second-level cache.
const spanBytes = 256 << 10

// single computes n outputs from o, for each row by itself.
func (t *product) single(s *scratch, d *Product, o, n int) {
	in, w := t.in, d.W
	st := in.storage(w.Type)
	stride := w.stride()
	data := w.Data[o*stride:]
	if st.route == decode {
		s.widen(0, st, w, o, 0, w.Cols)
		st.format, stride, data = quant.F32, 4*(w.Cols+pad), view[byte](s.wide[0])
	} else if st.route == integer && w.Cols < 8*asm.Group {
		stride, data = s.precede(st.format, w, o, n)
	}
	for r := range in.rows {
		dst := d.Dst[r*w.Rows+o:][:n]
		sums := dst
		if d.Add {
			s.sums = grow(s.sums, n)
			sums = s.sums[:n]
		}
		switch st.route {
		case integer:
			asm.Gemv(st.format, sums, data, stride, w.Cols/asm.Group, in.rowQ8x8(r))
		case halves:
			asm.GemvBF16(sums, data, stride, in.rowB16(r))
		default:
			asm.GemvFloat(st.format, sums, data, stride, row(in.data, r, in.cols))
		}
		if d.Add {
			asm.ScaleAdd(dst, sums, 1, 1)
		}
		if d.Bias != nil {
			asm.ScaleAdd(dst, d.Bias[o:][:n], 1, 1)
		}
		if d.Mean != nil {
			for i := range dst {
				dst[i] -= d.Mean[r]
			}
		}
	}
}

// storedRows computes the panel of 16 outputs from o for the tiles lo to hi, with the
// weights as they are stored.
func (t *product) storedRows(s *scratch, d *Product, o, lo, hi int) {
	in, w := t.in, d.W
	first, data, stride := s.window(w, o)
	r, end := lo*asm.PanelRows, min(hi*asm.PanelRows, in.rows)
	asm.GemmStored(in.storage(w.Type).format, &s.chains, data, stride, in.q8PanelsAt(lo, hi-lo), w.Cols, end-r, w.panelsAfter(o+asm.PanelRows, 1))
	for ; lo < hi; lo++ {
		t.finish(d, lo, o, s.chains[(lo*asm.PanelRows-r)*asm.PanelRows+o-first:], asm.EpilogueRows)
	}
}

// tile computes n panels of 16 outputs, from o, for the tiles lo to hi.
func (t *product) tile(s *scratch, d *Product, o, n, lo, hi int) {
	in, w := t.in, d.W
	st := in.storage(w.Type)
	var from, words [together]int
	var rows [together][]float32
	for k := range n {
		switch at := o + k*asm.PanelRows; {
		case st.route == integer:
			from[k] = s.unpack(k, st.format, w, at, 0, w.Cols)
		case st.route == halves || st.route == float && st.format == quant.F32:
			from[k], rows[k], words[k] = s.wordWindow(k, w, at)
		default:
			from[k] = at
			s.widen(k, st, w, at, 0, w.Cols)
			rows[k], words[k] = s.wide[k], w.Cols+pad
		}
	}
	ahead := w.panelsAfter(o, n)
	piece := (len(ahead)/((hi-lo)*n) + 63) &^ 63
	for i, many := lo, 1; i < hi; i += many {
		if many = 1; st.route != integer && i+1 < hi {
			many = 2
		}
		r := i * asm.PanelRows
		for k := range n {
			at := o + k*asm.PanelRows
			asm.FetchRows(d.Dst[r*w.Rows+at:], w.Rows, min(many*asm.PanelRows, in.rows-r)) // while the products are made
			switch one := (*[outSize]float32)(s.out[:]); {
			case st.route == integer:
				asm.Gemm(st.format, one, s.panel[k], in.q8PanelsAt(i, 1), w.Cols, in.rows-r, take(&ahead, piece), &s.chains)
			case st.route == halves:
				asm.GemmBF16(&s.out, rows[k], words[k], in.b16PanelsAt(i))
				asm.Fetch(take(&ahead, piece))
			case many == 1:
				asm.GemmFloat(one, rows[k], words[k], in.f32PanelsAt(i, 1), take(&ahead, asm.FetchBytes*w.Cols))
			default:
				asm.GemmFloat2(&s.out, rows[k], words[k], in.f32PanelsAt(i, 2), take(&ahead, 2*asm.FetchBytes*w.Cols))
			}
			for j := range many {
				t.finish(d, i+j, at, s.out[j*outSize+(at-from[k])*asm.PanelRows:], asm.Epilogue)
			}
		}
	}
}

// take cuts up to n bytes off the beginning of b.
func take(b *[]byte, n int) []byte {
	n = min(n, len(*b))
	first := (*b)[:n]
	*b = (*b)[n:]
	return first
}

// finish writes the products of tile i with the panel of the outputs from o.
func (t *product) finish(d *Product, i, o int, c []float32, epilogue asm.EpilogueFunc) {
	w, r := d.W, i*asm.PanelRows
	have, rows := min(asm.PanelRows, w.Rows-o), min(asm.PanelRows, t.in.rows-r)
	var bias, mean []float32
	if d.Bias != nil {
		bias = d.Bias[o:][:have]
	}
	if d.Mean != nil {
		mean = d.Mean[r:][:rows]
	}
	epilogue(d.Dst[r*w.Rows+o:], w.Rows, c, have, rows, bias, mean, d.Add)
}
