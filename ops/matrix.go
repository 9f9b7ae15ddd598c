package ops

import (
	"fmt"
	"sync/atomic"

	"github.com/normswap/normswap/ops/asm"
	"github.com/normswap/normswap/quant"
)

// A Matrix is a stored weight matrix of Rows outputs by Cols inputs, row by
// row, in blocks of a GGUF tensor type along the columns. Data is a view,
// often of a mapped file; nothing here writes to it.
type Matrix struct {
	Type       quant.Type
	Rows, Cols int
	Data       []byte
}

// tuneFrom is how many bytes the matrices of a type have together when the kernel of
// their products with one row is chosen by measuring. That takes as long as reading
// tens of megabytes.
const tuneFrom = 16 << 20

// made is how many bytes the matrices of each type have had so far.
var made [len(routes)]atomic.Int64

// NewMatrix returns a view of data as a matrix. It is an error if the type is
// unknown, if cols is not a whole number of its blocks, or if data has another
// size.
func NewMatrix(t quant.Type, rows, cols int, data []byte) (Matrix, error) {
	stride, err := t.RowBytes(cols)
	if err != nil {
		return Matrix{}, fmt.Errorf("ops: matrix of %d x %d: %w", rows, cols, err)
	}
	if rows < 0 || stride > 0 && len(data)/stride != rows || len(data) != rows*stride {
		return Matrix{}, fmt.Errorf("ops: %v matrix of %d x %d has %d bytes, want %d", t, rows, cols, len(data), rows*stride)
	}
	if int(t) < len(made) && made[t].Add(int64(len(data))) >= tuneFrom {
		asm.Tune(t)
	}
	return Matrix{t, rows, cols, data}, nil
}

// Row decodes row i to dst, which has Cols elements.
func (m *Matrix) Row(dst []float32, i int) {
	if len(dst) != m.Cols {
		panic(fmt.Sprintf("ops: row of %d columns into %d elements", m.Cols, len(dst)))
	}
	s := m.stride()
	if err := quant.Decode(dst, m.Type, m.Data[i*s:(i+1)*s]); err != nil {
		panic(err) // NewMatrix has checked all it can complain about
	}
}

// Slice returns the rows lo to hi (exclusive) as a view.
func (m *Matrix) Slice(lo, hi int) Matrix {
	if lo < 0 || hi < lo || hi > m.Rows {
		panic(fmt.Sprintf("ops: rows %d to %d of a matrix of %d", lo, hi, m.Rows))
	}
	s := m.stride()
	return Matrix{m.Type, hi - lo, m.Cols, m.Data[lo*s : hi*s : hi*s]}
}

// stride returns the bytes of a row.
func (m *Matrix) stride() int {
	if m.Rows == 0 {
		return 0
	}
	return len(m.Data) / m.Rows
}

// A route is how products read the weights of a type.
type route uint8

const (
	decode  route = iota // to float32, with package quant
	halves               // BF16, with activations in BF16
	integer              // as quants, times quantised activations
	float                // as numbers
)

// A storage is a type of weights and the route that products take.
type storage struct {
	route  route
	format quant.Type
}

// storageOf returns how weights of type t are read where activations may be
// quantized.
func storageOf(t quant.Type) storage {
	if int(t) < len(routes) {
		return storage{routes[t], t}
	}
	return storage{decode, t}
}

// routes are those of the types, found once: every piece of a product asks.
var routes = func() (all [64]route) {
	for _, t := range quant.Types() {
		if _, ok := t.Layout(); ok {
			all[t] = integer
		}
	}
	all[quant.F32], all[quant.F16], all[quant.BF16] = float, float, float
	return all
}()

// WeightTypes returns the types that products read as they are stored, by fast
// operations: those of the table of GGUF types that weights have.
func WeightTypes() (types []quant.Type) {
	for _, t := range quant.Types() {
		if storageOf(t).route != decode {
			types = append(types, t)
		}
	}
	return types
}

// panelsAfter returns the weights of the n panels, or what there is of them,
// behind the n from output o.
func (w *Matrix) panelsAfter(o, n int) []byte {
	stride, rows := w.stride(), n*asm.PanelRows
	return w.Data[min(o+rows, w.Rows)*stride : min(o+2*rows, w.Rows)*stride]
}
