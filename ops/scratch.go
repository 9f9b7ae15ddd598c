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
	rows  []byte    // a panel of stored weights, where a matrix has less than 16 rows
	out   [asm.PanelRows * asm.TileRows]float32
}

// pad keeps the rows of a wide panel from falling on each other in the cache
// when the width is a power of two.
const pad = 16

// unpack fills the panel with n columns, from the given one, of so many rows
// from o.
func (s *scratch) unpack(f asm.Format, w *Matrix, o, rows, from, n int) {
	l := f.Layout()
	codes := asm.PanelRows * n
	s.panel.Q = grow(s.panel.Q, codes)
	s.panel.Scale = grow(s.panel.Scale, codes/l.Group)
	s.panel.Low = grow(s.panel.Low, codes/l.Group)
	s.panel.Start = grow(s.panel.Start, codes/l.Group)
	stride := w.stride()
	asm.Unpack(f, s.panel, rows, n/l.Items, w.Data[o*stride+from/l.Items*l.Bytes:], stride)
}

// widen fills the wide panel likewise.
func (s *scratch) widen(st storage, w *Matrix, o, rows, from, n int) {
	s.wide = grow(s.wide, asm.PanelRows*(n+pad))
	f, _ := w.Type.Format()
	stride := w.stride()
	for r := range rows {
		to := s.wide[r*(n+pad):][:n]
		data := w.Data[(o+r)*stride+from/f.Items*f.Bytes:][:n/f.Items*f.Bytes]
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
