package engine

import (
	"fmt"

	"github.com/normswap/normswap/ops"
	"github.com/normswap/normswap/quant"
)

// wideBytes is up to how much memory the weights of a model take that widen
// decodes.
const wideBytes = 64 << 20

// widen decodes the quantised matrices of a small model that keeps its
// activations in float32. Products would do the same for every token, and take
// many times as long.
func (m *Model) widen() error {
	var stored []*linear
	total := 0
	for _, all := range m.linears() {
		for _, l := range all {
			if l.w.Rows > 0 && !isFloat(l.w.Type) {
				stored, total = append(stored, l), total+4*l.w.Rows*l.w.Cols
			}
		}
	}
	if total > wideBytes {
		return nil
	}
	for _, l := range stored {
		row, size := make([]float32, l.w.Cols), 4*l.w.Cols
		data := make([]byte, size*l.w.Rows)
		for i := range l.w.Rows {
			l.w.Row(row, i)
			if err := quant.Encode(data[i*size:(i+1)*size], quant.F32, row); err != nil {
				return fmt.Errorf("engine: %w", err)
			}
		}
		var err error
		if l.w, err = ops.NewMatrix(quant.F32, l.w.Rows, l.w.Cols, data); err != nil {
			return fmt.Errorf("engine: %w", err)
		}
	}
	return nil
}
