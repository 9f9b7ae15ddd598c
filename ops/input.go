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

	data    []float32 // the rows; nil if they are there in the layouts alone
	own     []float32 // memory of rows that a norm made
	layouts layouts   // those below that hold the rows
	code    asm.Codes // the rows, quantized
	eight   []asm.Eight
	tile    asm.Tile
	side    []uint32 // 16 rows side by side, float32 bits

	prepare preparation // the tasks that run on this input
	dots    columnDots
	job     product
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
	if s.route == integer && in.forms&Quantized == 0 {
		return storage{} // decoded
	}
	return s
}

// check panics if products with weights of type t, and what else is wanted,
// read what the input does not have.
func (in *Input) check(t quant.Type, want Forms) {
	if in.storage(t).route != integer {
		want |= Floats
	}
	if want&^in.forms != 0 {
		panic(fmt.Sprintf("ops: weights of type %v read rows in a form that they were not prepared in", t))
	}
}

// layouts is a set of the layouts in which kernels read rows.
type layouts uint8

const (
	codes  layouts = 1 << iota // code
	eights                     // eight: the codes in eights, for few rows
	tiles                      // tile: the codes, 16 rows side by side; tile i follows tile i-1
	sides                      // side
	plain                      // data

	quantized = codes | eights | tiles
)

// layoutsOf returns the layouts of a number of rows in the forms.
func layoutsOf(f Forms, rows int) layouts {
	ints, floats := eights, plain
	if rows >= sideBySide || f&Tiled != 0 {
		ints, floats = tiles, sides
	}
	var l layouts
	if f&Quantized != 0 {
		l |= ints
	}
	if f&Floats != 0 {
		l |= floats
	}
	if f&Dots != 0 && f&Quantized != 0 {
		l |= codes
	}
	if f&Rows != 0 || f&Dots != 0 && f&Floats != 0 {
		l |= plain
	}
	return l
}

// tiled tells whether the rows are multiplied a tile at a time.
func (in *Input) tiled() bool { return in.rows >= sideBySide || in.forms&Tiled != 0 }

// panels is the number of tiles.
func (in *Input) panels() int { return (in.rows + asm.TileRows - 1) / asm.TileRows }

// begin makes in an input of rows of a width, with room for what f asks for.
func (in *Input) begin(rows, cols int, f Forms) {
	in.rows, in.cols, in.forms, in.layouts = rows, cols, f, layoutsOf(f, rows)
	groups := cols / asm.Group
	room := in.panels() * asm.TileRows
	if in.layouts&codes != 0 && len(in.code.Scale) < rows*groups {
		in.code = asm.NewCodes(rows * groups)
	}
	if in.layouts&eights != 0 {
		in.eight = grow(in.eight, rows*asm.Eights(groups))
	}
	if in.layouts&tiles != 0 {
		in.tile.Q = grow(in.tile.Q, room*cols/4)
		in.tile.Scale, in.tile.Low = grow(in.tile.Scale, room*groups), grow(in.tile.Low, room*groups)
		if asm.TileHalves() {
			in.tile.Half = grow(in.tile.Half, room*groups)
		}
	}
	if in.layouts&sides != 0 {
		in.side = grow(in.side, room*cols)
	}
}

// codesAt returns where the codes of the rows from 16*i are: in the input, if
// they are among its layouts, or in scratch on the way to others.
func (in *Input) codesAt(i int, s *scratch) asm.Codes {
	groups := in.cols / asm.Group
	from, to := i*asm.TileRows*groups, min((i+1)*asm.TileRows, in.rows)*groups
	switch {
	case in.layouts&codes != 0:
		return in.code.Groups(from, to)
	case in.layouts&quantized == 0:
		return asm.Codes{}
	case len(s.code.Scale) < to-from:
		s.code = asm.NewCodes(asm.TileRows * groups)
	}
	return s.code.Groups(0, to-from)
}

// arrange makes the layouts of the rows from 16*i, given their codes and
// themselves.
func (in *Input) arrange(i int, code asm.Codes, x []float32) {
	groups := in.cols / asm.Group
	rows := len(x) / in.cols
	if in.layouts&eights != 0 {
		for r := range rows {
			asm.Arrange(in.rowEights(i*asm.TileRows+r), code.Groups(r*groups, (r+1)*groups))
		}
	}
	if in.layouts&tiles != 0 {
		t := in.tile8(i)
		asm.Transpose(t.Q, view[uint32](code.Q), in.cols/4, rows, in.cols/4, asm.TileFlip())
		asm.Transpose(view[uint32](t.Scale), view[uint32](code.Scale), groups, rows, groups, 0)
		asm.Transpose(view[uint32](t.Low), view[uint32](code.Low), groups, rows, groups, 0)
		if asm.TileHalves() {
			asm.PackHalves(t.Half, code.Half, rows)
		}
	}
	if in.layouts&sides != 0 {
		asm.Transpose(in.side[i*asm.TileRows*in.cols:], view[uint32](x), in.cols, rows, in.cols, 0)
	}
}

// rowEights returns the quantized form of row r of few rows.
func (in *Input) rowEights(r int) []asm.Eight {
	n := asm.Eights(in.cols / asm.Group)
	return in.eight[r*n:][:n]
}

// tile8 returns the quantized form of the rows from 16*i.
func (in *Input) tile8(i int) asm.Tile {
	n, groups := asm.TileRows*in.cols/4, asm.TileRows*in.cols/asm.Group
	t := asm.Tile{
		Q:     in.tile.Q[i*n:][:n],
		Scale: in.tile.Scale[i*groups:][:groups],
		Low:   in.tile.Low[i*groups:][:groups],
	}
	if asm.TileHalves() {
		t.Half = in.tile.Half[i*groups:][:groups]
	}
	return t
}

// sideF returns the float32 form of some tiles, the rows from 16*i.
func (in *Input) sideF(i, tiles int) []float32 {
	n := asm.TileRows * in.cols
	return view[float32](in.side[i*n:][:tiles*n])
}
