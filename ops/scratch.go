package ops

import (
	"unsafe"

	"github.com/normswap/normswap/ops/asm"
	"github.com/normswap/normswap/quant"
)

const (
	// together is the most panels of 16 outputs that are multiplied with one
	// tile before the next.
	together = 4
	// panelBytes is what they may take: a part of a second-level cache.
	panelBytes = 512 << 10
)

// scratch is what one worker needs for a matrix product. It grows on first
// use.
type scratch struct {
	panel [together]asm.Panel
	wide  [together][]float32 // panels in float32, rows Cols+pad apart
	rows  []byte              // 16 stored rows, padded
	// out is the result of a panel with one tile, with room to be read as 16
	// rows of 16 from any of its rows, or with two.
	out    [2 * outSize]float32
	chains asm.Chains
	sums   []float32 // of some outputs
	rows16 []float32 // 16 rows of an input
	words  []uint32  // the same in BF16
	q8     asm.Q8    // the same, quantised
}

// precede copies the given number of rows, from row o on, to where zeros precede each of them, as
// rows of less than eight groups must be read.
func (s *scratch) precede(t quant.Type, w *Matrix, o, rows int) (stride int, data []byte) {
	from := w.stride()
	f, _ := t.Format()
	stride = 8 * asm.Group / f.Items * f.Bytes
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

// unpack fills panel i with n columns, from the given one, of the window of
// row o. It returns the first row of the window.
func (s *scratch) unpack(i int, t quant.Type, w *Matrix, o, column, n int) (from int) {
	f, _ := t.Format()
	l, _ := t.Layout()
	p, quants := &s.panel[i], asm.PanelRows*n
	p.Q = grow(p.Q, quants*asm.QuantBytes(t))
	p.Scale = grow(p.Scale, quants/l.Group)
	p.Min = grow(p.Min, quants/l.Group)
	p.Compensation = grow(p.Compensation, quants/l.Group)
	from, data, stride := s.window(w, o)
	asm.Unpack(t, *p, n/f.Items, data[column/f.Items*f.Bytes:], stride)
	return from
}

// widen fills wide panel i with n columns, from the given one, of up to 16
// rows from o.
func (s *scratch) widen(i int, st storage, w *Matrix, o, column, n int) {
	rows := min(asm.PanelRows, w.Rows-o)
	s.wide[i] = grow(s.wide[i], asm.PanelRows*(n+pad))
	f, _ := w.Type.Format()
	stride := w.stride()
	for r := range rows {
		to := s.wide[i][r*(n+pad):][:n]
		data := w.Data[(o+r)*stride+column/f.Items*f.Bytes:][:n/f.Items*f.Bytes]
		if st.route == float {
			asm.Widen(st.format, to, data)
		} else if err := quant.Decode(to, w.Type, data); err != nil {
			panic(err) // NewMatrix has checked all it can complain about
		}
	}
}

// setBytes is how far apart lines are that fall on each other in a first-level cache.
const setBytes = 4096

// wordWindow is window for F32, and for BF16, two numbers a word: it returns words and
// their distance. They are those of the matrix, unless its rows fall on each other in
// the cache, which those of wide panel i do not.
func (s *scratch) wordWindow(i int, w *Matrix, o int) (from int, rows []float32, stride int) {
	from, data, bytes := s.window(w, o)
	if bytes%setBytes != 0 {
		return from, view[float32](data), bytes / 4
	}
	words := bytes/4 + pad
	s.wide[i] = grow(s.wide[i], asm.PanelRows*words)
	to := view[byte](s.wide[i])
	for r := range asm.PanelRows {
		copy(to[4*r*words:], data[r*bytes:][:bytes])
	}
	return from, s.wide[i], words
}

// outSize is the number of products of a panel with a tile.
const outSize = asm.PanelRows * asm.PanelRows

// view returns the memory of x as elements of another type.
func view[T, S int8 | byte | uint16 | int32 | uint32 | float32](x []S) []T {
	n := len(x) * int(unsafe.Sizeof(*new(S))) / int(unsafe.Sizeof(*new(T)))
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(x))), n)
}
