package ops

import (
	"fmt"

	"github.com/normswap/normswap/ops/asm"
	"github.com/normswap/normswap/quant"
)

// A Batch is a number of activation rows of one width, with what the matrix
// products derive from them: the rows in the forms that the kernels read are
// made once and serve every product until the rows change.
type Batch struct {
	// Float keeps the activations in float32 whatever the type of the
	// weights: slower and closer to exact arithmetic.
	Float bool

	rows, cols, room int
	data             []float32

	// The forms below are made when first asked for.
	have  forms
	code  asm.Codes   // the rows, quantised
	eight []asm.Eight // the same in eights, for small batches
	tile  asm.Tile    // the same, 16 rows side by side; tile i follows tile i-1
	side  []uint32    // 16 rows side by side, float32 bits

	bare bool // the rows are there in quantised form alone

	prepare preparation // the tasks that run on this batch
	norm    normBatch
	job     product
	dot     columnDot
}

// forms is a set of the forms of the rows.
type forms uint8

const (
	codes  forms = 1 << iota // code
	eights                   // eight
	tiles                    // tile
	sides                    // side
)

// NewBatch returns a batch with room for maxRows rows of cols activations. It
// has no rows until [Batch.Resize].
func NewBatch(maxRows, cols int) *Batch {
	return &Batch{cols: cols, room: maxRows, data: make([]float32, maxRows*cols)}
}

// Resize sets the number of rows. What they hold is undefined.
func (b *Batch) Resize(rows int) {
	if rows < 0 || rows > b.room {
		panic(fmt.Sprintf("ops: batch of %d rows, room for %d", rows, b.room))
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
		return codes | tiles
	case s.route == integer:
		return codes | eights
	case b.tiled():
		return sides
	}
	return 0
}

// tiled tells whether the rows are multiplied a tile at a time.
func (b *Batch) tiled() bool { return b.rows >= sideBySide }

// panels is the number of tiles.
func (b *Batch) panels() int { return (b.rows + asm.TileRows - 1) / asm.TileRows }

// require makes the forms that are missing, over the pool.
func (b *Batch) require(p *Pool, want forms) {
	want &^= b.have
	if want == 0 || b.rows == 0 {
		return
	}
	b.have |= want
	b.reserve(want)
	b.prepare = preparation{b, want}
	p.Run(&b.prepare, b.panels(), max(1, inline/(4*asm.TileRows*max(1, b.cols))))
}

// reserve makes room for forms.
func (b *Batch) reserve(want forms) {
	groups := b.cols / asm.Group
	room := (b.room + asm.TileRows - 1) / asm.TileRows * asm.TileRows
	if want&codes != 0 && b.code.Q == nil {
		b.code = asm.NewCodes(b.room * groups)
	}
	if want&eights != 0 && b.eight == nil {
		b.eight = make([]asm.Eight, (sideBySide-1)*asm.Eights(groups))
	}
	if want&tiles != 0 && b.tile.Q == nil {
		b.tile = asm.Tile{
			Q:     make([]uint32, room*b.cols/4),
			Scale: make([]float32, room*groups),
			Low:   make([]float32, room*groups),
		}
	}
	if want&tiles != 0 && b.tile.Half == nil && asm.TileHalves() {
		b.tile.Half = make([]uint32, room*groups)
	}
	if want&sides != 0 && b.side == nil {
		b.side = make([]uint32, room*b.cols)
	}
}

// preparation is the task of making forms, 16 rows an item.
type preparation struct {
	batch *Batch
	want  forms
}

func (t *preparation) Do(_, lo, hi int) {
	b := t.batch
	groups := b.cols / asm.Group
	for i := lo; i < hi; i++ {
		from := i * asm.TileRows
		rows := min(asm.TileRows, b.rows-from)
		var code asm.Codes
		if t.want&(codes|tiles) != 0 {
			code = b.code.Groups(from*groups, (from+rows)*groups)
		}
		if t.want&codes != 0 {
			asm.Quantize(code, b.data[from*b.cols:][:rows*b.cols])
		}
		if t.want&eights != 0 {
			for r := range rows {
				asm.Arrange(b.rowEights(r), b.row8(r))
			}
		}
		if t.want&tiles != 0 {
			x := b.tile8(i)
			asm.Transpose(x.Q, view[uint32](code.Q), b.cols/4, rows, b.cols/4, asm.TileFlip())
			asm.Transpose(view[uint32](x.Scale), view[uint32](code.Scale), groups, rows, groups, 0)
			asm.Transpose(view[uint32](x.Low), view[uint32](code.Low), groups, rows, groups, 0)
			if asm.TileHalves() {
				asm.PackHalves(x.Half, code.Half, rows)
			}
		}
		if t.want&sides != 0 {
			asm.Transpose(b.side[from*b.cols:], view[uint32](b.data[from*b.cols:]), b.cols, rows, b.cols, 0)
		}
	}
}

// row8 returns the quantised form of row r.
func (b *Batch) row8(r int) asm.Codes {
	n := b.cols / asm.Group
	return b.code.Groups(r*n, (r+1)*n)
}

// rowEights returns the quantised form of row r of a small batch.
func (b *Batch) rowEights(r int) []asm.Eight {
	n := asm.Eights(b.cols / asm.Group)
	return b.eight[r*n:][:n]
}

// tile8 returns the quantised form of the rows from 16*i.
func (b *Batch) tile8(i int) asm.Tile {
	n, groups := asm.TileRows*b.cols/4, asm.TileRows*b.cols/asm.Group
	t := asm.Tile{
		Q:     b.tile.Q[i*n:][:n],
		Scale: b.tile.Scale[i*groups:][:groups],
		Low:   b.tile.Low[i*groups:][:groups],
	}
	if b.tile.Half != nil {
		t.Half = b.tile.Half[i*groups:][:groups]
	}
	return t
}

// sideF returns the float32 form of the rows from 16*i.
func (b *Batch) sideF(i int) []float32 {
	n := asm.TileRows * b.cols
	return view[float32](b.side[i*n:][:n])
}

// ColumnDot sets dst[r], for each row of b, to the product of the vector c
// with the activations as MatMul reads them for weights of type t:
//
//	dst[r] = sum over i of c[i] * a[r,i], in float64
//
// So it cancels what MatMul adds up when c is a mean of weight rows.
func (p *Pool) ColumnDot(dst []float32, b *Batch, c []float32, t quant.Type) {
	if len(dst) != b.rows || len(c) != b.cols {
		panic(fmt.Sprintf("ops: column dot of %d x %d by %d into %d", b.rows, b.cols, len(c), len(dst)))
	}
	quantised := storageOf(t, b.Float).route == integer
	b.checkRead(t)
	if quantised {
		b.require(p, codes)
	}
	b.dot = columnDot{b, dst, c, quantised}
	p.Run(&b.dot, b.rows, max(1, inline/(2*max(1, b.cols))))
	b.dot = columnDot{}
}

// columnDot is the task of ColumnDot, a row an item.
type columnDot struct {
	batch     *Batch
	dst, c    []float32
	quantised bool
}

func (t *columnDot) Do(_, lo, hi int) {
	b := t.batch
	for r := lo; r < hi; r++ {
		var s float64
		if t.quantised {
			a := b.row8(r)
			for g, scale := range a.Scale {
				s += float64(scale) * dotWide(a.Q[g*asm.Group:][:asm.Group], t.c[g*asm.Group:])
			}
		} else {
			s = dotWide(b.Row(r), t.c)
		}
		t.dst[r] = float32(s)
	}
}

// dotWide returns the product of a and c, in four sums of float64 that need
// not wait for each other.
func dotWide[T int8 | float32](a []T, c []float32) float64 {
	c = c[:len(a)]
	var s0, s1, s2, s3 float64
	i := 0
	for ; i+4 <= len(a); i += 4 {
		s0 += float64(a[i]) * float64(c[i])
		s1 += float64(a[i+1]) * float64(c[i+1])
		s2 += float64(a[i+2]) * float64(c[i+2])
		s3 += float64(a[i+3]) * float64(c[i+3])
	}
	for ; i < len(a); i++ {
		s0 += float64(a[i]) * float64(c[i])
	}
	return s0 + s1 + (s2 + s3)
}
