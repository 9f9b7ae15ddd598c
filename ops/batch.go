package ops

import (
	"fmt"

	"github.com/normswap/normswap/ops/asm"
	"github.com/normswap/normswap/quant"
)

// A Batch is a number of activation rows of one width, with what the matrix
// products derive from them: the rows in the forms that the kernels read are
// made once and serve every product until the rows change. The zero value has
// no rows until [Batch.View].
type Batch struct {
	// Float keeps the activations in float32 whatever the type of the
	// weights: slower and closer to exact arithmetic.
	Float bool
	// Keep makes [Pool.NormBatch] keep what [Pool.ColumnDot] reads.
	Keep bool

	rows, cols int
	data       []float32

	// The forms below are made when first asked for.
	have  forms
	code  asm.Q8      // the rows, quantised
	eight []asm.Q8x8  // the same in eights, for small batches
	tile  asm.Q8Panel // the same, 16 rows side by side; tile i follows tile i-1
	side  []uint32    // 16 rows side by side, float32 bits

	bare bool // the rows are there in the forms alone

	prepare preparation // the tasks that run on this batch
	norm    normBatch
	job     product
}

// forms is a set of the forms of the rows.
type forms uint8

const (
	codes  forms = 1 << iota // code
	eights                   // eight
	tiles                    // tile
	sides                    // side

	quantised = codes | eights | tiles
)

// NewBatch returns a batch with room for maxRows rows of cols activations. It
// has no rows until [Batch.Resize].
func NewBatch(maxRows, cols int) *Batch {
	return &Batch{cols: cols, data: make([]float32, maxRows*cols)}
}

// View makes data, rows of the given width, the rows of b.
func (b *Batch) View(data []float32, cols int) {
	checkRows("batch", len(data), cols)
	b.data, b.cols, b.rows = data, cols, len(data)/cols
	b.Touch()
}

// Resize sets the number of rows. What they hold is undefined.
func (b *Batch) Resize(rows int) {
	if rows < 0 || rows*b.cols > len(b.data) {
		panic(fmt.Sprintf("ops: batch of %d rows of %d, room for %d elements", rows, b.cols, len(b.data)))
	}
	b.rows = rows
	b.Touch()
}

// Rows returns the number of rows.
func (b *Batch) Rows() int { return b.rows }

// Cols returns the width of a row.
func (b *Batch) Cols() int { return b.cols }

// Row returns row i. Whoever writes to it calls [Batch.Touch] afterwards.
func (b *Batch) Row(i int) []float32 {
	return b.data[:b.rows*b.cols][i*b.cols : (i+1)*b.cols : (i+1)*b.cols]
}

// Data returns all rows, one after the other. Whoever writes to them calls
// [Batch.Touch] afterwards.
func (b *Batch) Data() []float32 { return b.data[:b.rows*b.cols] }

// Touch tells the batch that its rows have changed.
func (b *Batch) Touch() { b.have, b.bare = 0, false }

// formsFor tells which forms products with weights of type t read; none is
// the rows themselves.
func (b *Batch) formsFor(t quant.Type) forms {
	switch s := storageOf(t, b.Float); {
	case s.route == integer && b.tiled():
		return tiles
	case s.route == integer:
		return eights
	case b.tiled():
		return sides
	}
	return 0
}

// tiled tells whether the rows are multiplied a tile at a time.
func (b *Batch) tiled() bool { return b.rows >= sideBySide }

// panels is the number of tiles.
func (b *Batch) panels() int { return (b.rows + asm.PanelRows - 1) / asm.PanelRows }

// require makes the forms that are missing, over the pool.
func (b *Batch) require(p *Pool, want forms) {
	if want&^b.have != 0 {
		b.derive(p, want, nil, nil)
	}
}

// derive makes the forms that are missing and, unless c is nil, the products
// dot of the rows with c, from their codes if these are there.
func (b *Batch) derive(p *Pool, want forms, c, dot []float32) {
	want &^= b.have
	b.reserve(want)
	b.prepare = preparation{p, b, want, c, dot}
	p.Run(&b.prepare, b.panels(), max(1, inline/(4*asm.PanelRows*max(1, b.cols))))
	b.have |= want
	b.prepare = preparation{}
}

// reserve makes room for forms.
func (b *Batch) reserve(want forms) {
	groups := b.cols / asm.Group
	room := b.panels() * asm.PanelRows
	if want&codes != 0 && len(b.code.Scale) < b.rows*groups {
		b.code = asm.NewQ8(b.rows * groups)
	}
	if want&eights != 0 {
		b.eight = grow(b.eight, b.rows*asm.Q8x8Count(groups))
	}
	if want&tiles != 0 {
		b.tile.Q = grow(b.tile.Q, room*b.cols/4)
		b.tile.Scale, b.tile.ScaledSum = grow(b.tile.Scale, room*groups), grow(b.tile.ScaledSum, room*groups)
	}
	if want&tiles != 0 && asm.ReadsHalfSums() {
		b.tile.HalfSum = grow(b.tile.HalfSum, room*groups)
	}
	if want&sides != 0 {
		b.side = grow(b.side, room*b.cols)
	}
}

// preparation is the task of derive, 16 rows an item.
type preparation struct {
	pool   *Pool
	batch  *Batch
	want   forms
	c, dot []float32
}

func (t *preparation) Do(worker, lo, hi int) {
	b := t.batch
	for i := lo; i < hi; i++ {
		from, to := i*asm.PanelRows, min((i+1)*asm.PanelRows, b.rows)
		x, code := b.data[from*b.cols:to*b.cols], b.codesAt(i, &t.pool.scratch[worker], t.want|b.have)
		if t.want&quantised != 0 && b.have&codes == 0 {
			asm.Quantize(code, x)
		}
		b.arrange(i, t.want, code, x)
		switch {
		case t.c == nil:
		case (t.want|b.have)&codes != 0:
			asm.DotQ8(t.dot[from:to], code, t.c)
		default:
			asm.GemvFloat(quant.F32, t.dot[from:to], view[byte](x), 4*b.cols, t.c)
		}
	}
}

// codesAt returns where the codes of the rows from 16*i are: in b, if they are
// among the forms it has, or in scratch on the way to others.
func (b *Batch) codesAt(i int, s *scratch, have forms) asm.Q8 {
	groups := b.cols / asm.Group
	from, to := i*asm.PanelRows*groups, min((i+1)*asm.PanelRows, b.rows)*groups
	switch {
	case have&codes != 0:
		return b.code.Groups(from, to)
	case have&quantised == 0:
		return asm.Q8{}
	case len(s.code.Scale) < to-from:
		s.code = asm.NewQ8(asm.PanelRows * groups)
	}
	return s.code.Groups(0, to-from)
}

// arrange makes forms of the rows from 16*i, given their codes and themselves.
func (b *Batch) arrange(i int, want forms, code asm.Q8, x []float32) {
	groups := b.cols / asm.Group
	rows := len(x) / b.cols
	if want&eights != 0 {
		for r := range rows {
			asm.PackQ8x8(b.rowEights(r), code.Groups(r*groups, (r+1)*groups))
		}
	}
	if want&tiles != 0 {
		t := b.tile8(i)
		asm.Transpose(t.Q, view[uint32](code.Q), b.cols/4, rows, b.cols/4, asm.SignFlip())
		asm.Transpose(view[uint32](t.Scale), view[uint32](code.Scale), groups, rows, groups, 0)
		asm.Transpose(view[uint32](t.ScaledSum), view[uint32](code.ScaledSum), groups, rows, groups, 0)
		if asm.ReadsHalfSums() {
			asm.PackHalfSums(t.HalfSum, code.HalfSum, rows)
		}
	}
	if want&sides != 0 {
		asm.Transpose(b.side[i*asm.PanelRows*b.cols:], view[uint32](x), b.cols, rows, b.cols, 0)
	}
}

// rowEights returns the quantised form of row r of a small batch.
func (b *Batch) rowEights(r int) []asm.Q8x8 {
	n := asm.Q8x8Count(b.cols / asm.Group)
	return b.eight[r*n:][:n]
}

// tile8 returns the quantised form of the rows from 16*i.
func (b *Batch) tile8(i int) asm.Q8Panel {
	n, groups := asm.PanelRows*b.cols/4, asm.PanelRows*b.cols/asm.Group
	t := asm.Q8Panel{
		Q:         b.tile.Q[i*n:][:n],
		Scale:     b.tile.Scale[i*groups:][:groups],
		ScaledSum: b.tile.ScaledSum[i*groups:][:groups],
	}
	if asm.ReadsHalfSums() {
		t.HalfSum = b.tile.HalfSum[i*groups:][:groups]
	}
	return t
}

// sideF returns the float32 form of so many tiles, the rows from 16*i.
func (b *Batch) sideF(i, tiles int) []float32 {
	n := asm.PanelRows * b.cols
	return view[float32](b.side[i*n:][:tiles*n])
}

// ColumnDot sets dst[r], for each row of b, to the product of the vector c
// with the activations as MatMul reads them for weights of type t:
//
//	dst[r] = sum over i of c[i] * a[r,i]
//
// So it cancels what MatMul adds up when c is a mean of weight rows. The forms
// that MatMul reads are made on the way.
func (p *Pool) ColumnDot(dst []float32, b *Batch, c []float32, t quant.Type) {
	if len(dst) != b.rows || len(c) != b.cols {
		panic(fmt.Sprintf("ops: column dot of %d x %d by %d into %d", b.rows, b.cols, len(c), len(dst)))
	}
	want, reads := b.formsFor(t), forms(0)
	if want&quantised != 0 {
		reads = codes
		want |= codes
	}
	b.checkHas(t, reads)
	if b.rows > 0 {
		b.derive(p, want, c, dst)
	}
}
