package ops

import (
	"unsafe"

	"github.com/normswap/normswap/ops/asm"
	"github.com/normswap/normswap/quant"
)

// scratch is what one worker needs for a matrix product. It grows on first
// use.
type scratch struct {
	panel asm.Panel
	wide  []float32 // a panel in float32, rows Cols+pad apart
	rows  []byte    // 16 stored rows, padded
	// out is the result of a panel. It has room to be read as 16 rows of 16
	// from any row of the first 16.
	out    [2 * asm.PanelRows * asm.TileRows]float32
	chains asm.Chains
	sums   []float32 // of some outputs
}

// precede copies so many rows from o to where zeros precede each of them, as
// rows of less than eight groups must be read.
func (s *scratch) precede(f asm.Format, w *Matrix, o, rows int) (stride int, data []byte) {
	from := w.stride()
	l := f.Layout()
	stride = 8 * asm.Group / l.Items * l.Bytes
	s.rows = grow(s.rows, asm.PanelRows*stride)
	clear(s.rows)
	for r := range rows {
		copy(s.rows[(r+1)*stride-from:(r+1)*stride], w.Data[(o+r)*from:])
	}
	return stride, s.rows[stride-from:]
}

// window returns the first of 16 rows of w that row o is among, whole rows of
// data from there, and their distance. The last rows of a matrix are in a
// window that starts early; a matrix of less than 16 is copied and padded.
func (s *scratch) window(w *Matrix, o int) (from int, data []byte, stride int) {
	stride = w.stride()
	if w.Rows < asm.PanelRows {
		s.rows = grow(s.rows, asm.PanelRows*stride)
		copy(s.rows, w.Data)
		return 0, s.rows, stride
	}
	from = min(o, w.Rows-asm.PanelRows)
	return from, w.Data[from*stride:], stride
}

// pad keeps the rows of a wide panel from falling on each other in the cache
// when the width is a power of two.
const pad = 16

// unpack fills the panel with n columns, from the given one, of the window of
// row o. It returns the first row of the window.
func (s *scratch) unpack(f asm.Format, w *Matrix, o, column, n int) (from int) {
	l := f.Layout()
	codes := asm.PanelRows * n
	s.panel.Q = grow(s.panel.Q, codes*asm.CodeBytes(f))
	s.panel.Scale = grow(s.panel.Scale, codes/l.Group)
	s.panel.Low = grow(s.panel.Low, codes/l.Group)
	s.panel.Start = grow(s.panel.Start, codes/l.Group)
	from, data, stride := s.window(w, o)
	asm.Unpack(f, s.panel, n/l.Items, data[column/l.Items*l.Bytes:], stride)
	return from
}

// widen fills the wide panel with n columns, from the given one, of up to 16
// rows from o.
func (s *scratch) widen(st storage, w *Matrix, o, column, n int) {
	rows := min(asm.PanelRows, w.Rows-o)
	s.wide = grow(s.wide, asm.PanelRows*(n+pad))
	f, _ := w.Type.Format()
	stride := w.stride()
	for r := range rows {
		to := s.wide[r*(n+pad):][:n]
		data := w.Data[(o+r)*stride+column/f.Items*f.Bytes:][:n/f.Items*f.Bytes]
		if st.route == float {
			asm.Widen(st.float, to, data)
		} else if err := quant.Decode(to, w.Type, data); err != nil {
			panic(err) // NewMatrix has checked all it can complain about
		}
	}
}

// view returns the memory of x as elements of another type.
func view[T, S int8 | byte | int32 | uint32 | float32](x []S) []T {
	n := len(x) * int(unsafe.Sizeof(*new(S))) / int(unsafe.Sizeof(*new(T)))
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(x))), n)
}
