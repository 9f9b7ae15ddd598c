package ops

import (
	"fmt"

	"github.com/normswap/normswap/ops/asm"
	"github.com/normswap/normswap/quant"
)

// An Input is the input of matrix products: rows of activations in the forms
// that the products read. [Pool.Prepare] and [Pool.PrepareNorm] make it, once
// for all products with the same rows, and it says what may be read of it. The
// zero value holds nothing; its memory grows with the rows and is used again.
type Input struct {
	rows, cols int
	forms      Forms

	data      []float32   // the rows; nil if they are there in the packings alone
	own       []float32   // memory of rows that a norm made
	packings  packings    // those below that hold the rows
	outliers  []outlier   // of the rows
	q8        asm.Q8      // the rows, quantized
	q8x8      []asm.Q8x8  // the same, eight groups side by side
	q8Panel   asm.Q8Panel // the same, 16 rows side by side; panel i follows panel i-1
	f32Panels []uint32    // 16 rows side by side, float32 bits
	b16       []uint32    // the rows in BF16, two columns a word
	b16Panels []uint32    // the same, 16 rows side by side

	prepare preparation // the tasks that run on this input
	dots    columnDots
	job     product
	sums    outlierSums
}

// Forms is a set of the ways in which operations read the rows of an [Input].
type Forms uint8

const (
	// Floats serve products with weights that are stored as numbers, or that
	// are decoded to numbers: the activations stay float32.
	Floats Forms = 1 << iota
	// Quantized serve products of integers: the activations are int8, 32 to a
	// scale.
	Quantized
	// Dots serve [Pool.ColumnDot], beside one of the above.
	Dots
	// Rows are the rows themselves, as [Input.Row] gives them.
	Rows
	// Tiled has few rows multiplied as many are, so that what a row gives does
	// not depend on their number.
	Tiled
	// Halves serve products with weights in BF16: the activations are rounded to BF16.
	// They need an even number of columns, and a machine that has [BF16].
	Halves
	// Apart has many rows multiplied as few are, each by itself.
	Apart
	// Outliers, beside Quantized, takes from the quants of a row an element far
	// above the others: products add what it contributes in float32, a mixed
	// decomposition (Dettmers et al. 2022, LLM.int8(), arXiv 2208.07339) by rows.
	Outliers
)

// FormsOf returns the forms that products with the matrices read. With
// floatActivations it is Floats whatever the type of the weights: slower and
// closer to exact arithmetic.
func FormsOf(floatActivations bool, ws ...*Matrix) Forms {
	var f Forms
	for _, w := range ws {
		if !floatActivations && storageOf(w.Type).route == integer {
			f |= Quantized
		} else {
			f |= Floats
		}
	}
	return f
}

// Count returns the number of rows.
func (in *Input) Count() int { return in.rows }

// Cols returns the width of a row.
func (in *Input) Cols() int { return in.cols }

// Row returns row i. It panics if the rows were not prepared as [Rows].
func (in *Input) Row(i int) []float32 {
	if in.forms&Rows == 0 {
		panic("ops: the rows of this input were not asked for")
	}
	return row(in.data, i, in.cols)
}

// storage tells how products read weights of type t with this input.
func (in *Input) storage(t quant.Type) storage {
	s := storageOf(t)
	if t == quant.BF16 && in.forms&Halves != 0 {
		return storage{halves, t}
	}
	if s.route == integer && in.forms&Quantized == 0 {
		return storage{} // decoded
	}
	return s
}

// check panics if products with weights of type t, and what else is wanted,
// read what the input does not have.
func (in *Input) check(t quant.Type, want Forms) {
	if r := in.storage(t).route; r != integer && r != halves {
		want |= Floats
	}
	if want&^in.forms != 0 {
		panic(fmt.Sprintf("ops: weights of type %v read rows in a form that they were not prepared in", t))
	}
}

// packings is a set of the ways in which rows are packed for kernels.
type packings uint8

const (
	plainQ8   packings = 1 << iota // q8
	blockedQ8                      // q8x8, for few rows
	panelsQ8                       // q8Panel
	panelsF32                      // f32Panels
	plainF32                       // data
	plainB16                       // b16
	panelsB16                      // b16Panels

	quantized = plainQ8 | blockedQ8 | panelsQ8
)

// packingsOf returns the packings of a number of rows in the forms.
func packingsOf(f Forms, rows int) packings {
	ints, floats, halves := blockedQ8, plainF32, plainB16
	if f.tiled(rows) {
		ints, floats, halves = panelsQ8, panelsF32, panelsB16
	}
	var l packings
	if f&Quantized != 0 {
		l |= ints
	}
	if f&Floats != 0 {
		l |= floats
	}
	if f&Halves != 0 {
		l |= halves
	}
	if f&Dots != 0 && f&Quantized != 0 {
		l |= plainQ8
	}
	if f&Rows != 0 || f&Dots != 0 && f&Floats != 0 {
		l |= plainF32
	}
	return l
}

// tiled tells whether the rows are multiplied a panel at a time.
func (in *Input) tiled() bool { return in.forms.tiled(in.rows) }

func (f Forms) tiled(rows int) bool {
	from := sideBySide
	if f&(Floats|Halves) == 0 { // both ways give the same
		from = asm.TileFrom()
	}
	return f&Tiled != 0 || rows >= from && f&Apart == 0
}

// panels is the number of panels of 16 rows.
func (in *Input) panels() int { return (in.rows + asm.PanelRows - 1) / asm.PanelRows }

// begin makes in an input of rows of a width, with room for what f asks for.
func (in *Input) begin(rows, cols int, f Forms) {
	in.rows, in.cols, in.forms, in.packings = rows, cols, f, packingsOf(f, rows)
	groups := cols / asm.Group
	room := in.panels() * asm.PanelRows
	if f&Outliers != 0 {
		in.outliers = grow(in.outliers, rows)
	}
	if in.packings&plainQ8 != 0 && len(in.q8.Scale) < rows*groups {
		in.q8 = asm.NewQ8(rows * groups)
	}
	if in.packings&blockedQ8 != 0 {
		in.q8x8 = grow(in.q8x8, rows*asm.Q8x8Count(groups))
	}
	if in.packings&panelsQ8 != 0 {
		in.q8Panel.Q = grow(in.q8Panel.Q, room*cols/4)
		in.q8Panel.Scale, in.q8Panel.ScaledSum = grow(in.q8Panel.Scale, room*groups), grow(in.q8Panel.ScaledSum, room*groups)
		in.q8Panel.HalfSum = grow(in.q8Panel.HalfSum, room*groups)
	}
	if in.packings&panelsF32 != 0 {
		in.f32Panels = grow(in.f32Panels, room*cols)
	}
	if in.packings&plainB16 != 0 {
		in.b16 = grow(in.b16, rows*cols/2)
	}
	if in.packings&panelsB16 != 0 { // and one more panel, that the last may have a second beside it
		in.b16Panels = grow(in.b16Panels, (room+asm.PanelRows)*cols/2)
	}
}

// q8At returns where the quantized form of the rows from 16*i is: in the input, if
// that is among its packings, else in scratch on the way to others.
func (in *Input) q8At(i int, s *scratch) asm.Q8 {
	groups := in.cols / asm.Group
	from, to := i*asm.PanelRows*groups, min((i+1)*asm.PanelRows, in.rows)*groups
	switch {
	case in.packings&plainQ8 != 0:
		return in.q8.Groups(from, to)
	case in.packings&quantized == 0:
		return asm.Q8{}
	case len(s.q8.Scale) < to-from:
		s.q8 = asm.NewQ8(asm.PanelRows * groups)
	}
	return s.q8.Groups(0, to-from)
}

// arrange makes the packings of the rows from 16*i, given their quantized
// form and themselves, and scratch.
func (in *Input) arrange(i int, q8 asm.Q8, x []float32, s *scratch) {
	groups := in.cols / asm.Group
	rows := len(x) / in.cols
	if in.packings&blockedQ8 != 0 {
		for r := range rows {
			asm.PackQ8x8(in.rowQ8x8(i*asm.PanelRows+r), q8.Groups(r*groups, (r+1)*groups))
		}
	}
	if in.packings&panelsQ8 != 0 {
		t := in.q8PanelsAt(i, 1)
		asm.Transpose(t.Q, view[uint32](q8.Q), in.cols/4, rows, in.cols/4, asm.SignFlip())
		asm.Transpose(view[uint32](t.Scale), view[uint32](q8.Scale), groups, rows, groups, 0)
		asm.Transpose(view[uint32](t.ScaledSum), view[uint32](q8.ScaledSum), groups, rows, groups, 0)
		asm.PackHalfSums(t.HalfSum, q8.HalfSum, rows)
	}
	if in.packings&panelsF32 != 0 {
		asm.Transpose(in.f32Panels[i*asm.PanelRows*in.cols:], view[uint32](x), in.cols, rows, in.cols, 0)
	}
	if in.packings&plainB16 != 0 {
		asm.RoundBF16(view[uint16](in.b16[i*asm.PanelRows*in.cols/2:]), x)
	}
	if in.packings&panelsB16 != 0 {
		words := in.cols / 2
		s.words = grow(s.words, asm.PanelRows*words)
		asm.RoundBF16(view[uint16](s.words), x)
		asm.Transpose(in.b16Panels[i*asm.PanelRows*words:], s.words, words, rows, words, 0)
	}
}

// rowQ8x8 returns the quantized form of row r of few rows.
func (in *Input) rowQ8x8(r int) []asm.Q8x8 {
	n := asm.Q8x8Count(in.cols / asm.Group)
	return in.q8x8[r*n:][:n]
}

// q8PanelsAt returns the quantized form of some panels, the rows from 16*i.
func (in *Input) q8PanelsAt(i, panels int) asm.Q8Panel {
	n, groups := asm.PanelRows*in.cols/4, asm.PanelRows*in.cols/asm.Group
	return asm.Q8Panel{
		Q:         in.q8Panel.Q[i*n:][:panels*n],
		Scale:     in.q8Panel.Scale[i*groups:][:panels*groups],
		ScaledSum: in.q8Panel.ScaledSum[i*groups:][:panels*groups],
		HalfSum:   in.q8Panel.HalfSum[i*groups:][:panels*groups],
	}
}

// f32PanelsAt returns the float32 form of some panels, the rows from 16*i.
func (in *Input) f32PanelsAt(i, panels int) []float32 {
	n := asm.PanelRows * in.cols
	return view[float32](in.f32Panels[i*n:][:panels*n])
}

// rowB16 returns the BF16 form of row r of few rows.
func (in *Input) rowB16(r int) []uint32 { return row(in.b16, r, in.cols/2) }

// b16PanelsAt returns the BF16 form of two panels, the rows from 16*i.
func (in *Input) b16PanelsAt(i int) []uint32 {
	n := asm.PanelRows * in.cols / 2
	return in.b16Panels[i*n:][:2*n]
}

// BF16 reports whether this machine multiplies numbers in BF16.
func BF16() bool { return asm.HasBF16() }
