package ops

import (
	"fmt"

	"github.com/normswap/normswap/ops/asm"
)

// columnSpan is how many columns a worker adds up at a time: whole blocks of
// every type.
const columnSpan = 512

// ColumnMeans sets dst[i] to the mean of column i of the decoded weights, from
// sums in float64. dst has w.Cols elements. The result does not depend on the
// number of threads.
func ColumnMeans(p *Pool, dst []float32, w *Matrix) {
	if len(dst) != w.Cols {
		panic(fmt.Sprintf("ops: means of %d columns into %d", w.Cols, len(dst)))
	}
	p.Run(&columns{p, dst, w}, (w.Cols+columnSpan-1)/columnSpan, 1)
}

// columns is the task of ColumnMeans, a span of columns an item.
type columns struct {
	pool *Pool
	dst  []float32
	w    *Matrix
}

func (t *columns) Do(worker, lo, hi int) {
	s, w := &t.pool.scratch[worker], t.w
	st := storageOf(w.Type)
	var sums [columnSpan]float64
	for i := lo; i < hi; i++ {
		from := i * columnSpan
		dst := t.dst[from:min(from+columnSpan, w.Cols)]
		n := len(dst)
		sum := sums[:n]
		clear(sum)
		for o := 0; o < w.Rows; o += asm.PanelRows {
			rows := min(asm.PanelRows, w.Rows-o)
			if st.route == integer {
				first := s.unpack(0, st.format, w, o, from, n)
				asm.SumColumns(st.format, sum, s.panel[0], o-first, rows)
				continue
			}
			s.widen(0, st, w, o, from, n)
			for r := range rows {
				asm.AddFloats(sum, s.wide[0][r*(n+pad):][:n])
			}
		}
		for k, v := range sum {
			dst[k] = float32(v / float64(max(w.Rows, 1)))
		}
	}
}
