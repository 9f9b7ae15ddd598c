package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/ops"
	"github.com/normswap/normswap/quant"
)

// foldGain folds, for FoldGain and FoldReaders, the gain and the bias of every norm of the residual stream
// into the matrices that read it: W' = W diag(gain), b' = b + W bias. Those
// must be stored as numbers: a copy of each is made, in its own type. FoldReaders takes
// the mean of each row of W' from it too.
func (m *Model) foldGain(ctx context.Context) error {
	linears := m.linears()
	var kept, rounded []string
	note := func(list *[]string, t quant.Type) {
		if !slices.Contains(*list, t.String()) {
			*list = append(*list, t.String())
		}
	}
	folded := 0
	for _, site := range m.Arch.Norms() {
		readers, n := m.Arch.Readers(site), m.built(site)
		center := m.opts.FoldReaders && site.Kind == arch.LayerNorm
		if !site.Residual || site.Kept || len(readers) == 0 || n == nil || n.Gain == nil && n.Bias == nil && !center {
			continue
		}
		if i := slices.IndexFunc(readers, func(l *arch.Linear) bool { return !isFloat(l.W.Type) }); i >= 0 {
			note(&kept, readers[i].W.Type)
			continue
		}
		for _, a := range readers {
			for _, l := range linears[a] {
				if err := l.foldGain(m.pool, n, center); err != nil {
					return fmt.Errorf("engine: fold the gain of %s into %s: %w", site.Site, a.Name, err)
				}
				if err := ctx.Err(); err != nil {
					return err
				}
			}
			if (n.Gain != nil || center) && a.W.Type != quant.F32 {
				note(&rounded, a.W.Type)
			}
		}
		weightless := *n
		weightless.Gain, weightless.Bias = nil, nil
		m.norms[site].parts[0] = &weightless
		folded++
	}
	switch {
	case len(kept) > 0 && folded == 0:
		m.remark("no gain was folded: the matrices that read the norms are quantised (%s)", strings.Join(kept, ", "))
	case len(kept) > 0:
		m.remark("some gains stay: matrices that read their norms are quantised (%s)", strings.Join(kept, ", "))
	}
	if len(rounded) > 0 {
		m.remark("folding the gains rounds weights in %s once more", strings.Join(rounded, ", "))
	}
	return nil
}

func isFloat(t quant.Type) bool { return t == quant.F32 || t == quant.F16 || t == quant.BF16 }

// foldGain multiplies the columns of l with the gain of n, and adds what l
// makes of its bias to the bias of l. With center it takes the mean of each row of the
// result from it.
func (l *linear) foldGain(p *ops.Pool, n *ops.Norm, center bool) error {
	t := &gainTask{from: l.w, gain: n.Gain, bias: n.Bias, center: center, errs: make([]error, p.Threads())}
	if n.Gain != nil || center {
		t.to = make([]byte, len(l.w.Data))
	}
	if n.Bias != nil {
		t.b = make([]float32, l.w.Rows)
		copy(t.b, l.b)
	}
	p.Run(t, l.w.Rows, 16)
	for _, err := range t.errs {
		if err != nil {
			return err
		}
	}
	if t.to != nil {
		l.w.Data = t.to
	}
	if t.b != nil {
		l.b = t.b
	}
	return nil
}

// gainTask folds a gain into rows of a matrix.
type gainTask struct {
	from       ops.Matrix
	to         []byte // nil: the weights stay
	gain, bias []float32
	b          []float32 // nil: no bias
	center     bool
	errs       []error // by worker
}

// Do folds into the rows lo to hi-1.
func (t *gainTask) Do(worker, lo, hi int) {
	row := make([]float32, t.from.Cols)
	size := len(t.from.Data) / t.from.Rows
	for i := lo; i < hi; i++ {
		t.from.Row(row, i)
		if t.b != nil {
			var dot float64
			for j, w := range row {
				dot += float64(w) * float64(t.bias[j])
			}
			t.b[i] += float32(dot)
		}
		if t.to == nil {
			continue
		}
		for j, g := range t.gain {
			row[j] *= g
		}
		if t.center {
			centerRow(row)
		}
		if err := quant.Encode(t.to[i*size:(i+1)*size], t.from.Type, row); err != nil && t.errs[worker] == nil {
			t.errs[worker] = err
		}
	}
}
