package fold

import (
	"context"
	"fmt"
	"slices"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/gguf"
)

// foldGain folds the gain and the bias of every norm of the residual stream
// into the matrices that read it: W' = W diag(gain), b' = b + W bias. What
// is left of the norm is one scalar a vector. A norm whose bias some reader
// has no place for keeps both. A fold of readers takes the mean of each row of W'
// from it too.
func (o *Output) foldGain(ctx context.Context) error {
	for _, n := range o.model.Norms() {
		readers := o.model.Readers(n)
		center := o.opts.Readers && n.Kind == arch.LayerNorm
		if !n.Residual || len(readers) == 0 || n.Gain == nil && n.Bias == nil && !center || o.opts.Readers && !center {
			continue
		}
		gain, bias, err := o.parameters(n)
		if err != nil {
			return err
		}
		if l := o.without(readers, bias); l != nil {
			o.keep(n, fmt.Sprintf("%s has no bias in %s", l.Name, o.model.Spec.Name))
			continue
		}
		if slices.Contains(readers, &o.model.Head) && o.model.Tied && o.head == nil {
			o.keep(n, fmt.Sprintf("its head is the embedding, and %s has no tensor for a head of its own", o.model.Spec.Name))
			continue
		}
		for _, l := range readers {
			it := o.matrix(l)
			if bias != nil {
				if err := o.addBias(ctx, l, it, bias); err != nil {
					return err
				}
			}
			lo, hi := l.From, l.From+l.Rows
			if l.Experts > 0 {
				lo, hi = 0, l.Rows*l.Experts
			}
			it.edits = append(it.edits, edit{lo, hi, func(row []float32, _ int) {
				for j, g := range gain {
					row[j] *= g
				}
				if center {
					m := mean(row)
					for j, v := range row {
						row[j] = float32(float64(v) - m)
					}
				}
			}})
			if center {
				it.byRow = true
				target := l.Name
				if l.Role == arch.Head { // which may be the embedding
					target = arch.Head.Name(-1)
				}
				o.Plan.Steps = append(o.Plan.Steps, Step{Action: CenterReader, Target: target, Layer: n.Layer, Norm: n})
			}
		}
		o.fill(n.Gain, 1)
		o.fill(n.Bias, 0)
	}
	return nil
}

// keep notes that a norm keeps gain and bias.
func (o *Output) keep(n *arch.Norm, reason string) {
	o.Report.GainKept = append(o.Report.GainKept, n.Site+": "+reason)
	if o.opts.Readers {
		o.Plan.Kept = append(o.Plan.Kept, Kept{n, reason})
	}
}

// parameters decodes the gain and the bias of a norm; the bias is nil if it
// is 0 throughout.
func (o *Output) parameters(n *arch.Norm) (gain, bias []float32, err error) {
	if n.Gain != nil {
		if gain, err = n.Gain.Float32s(); err != nil {
			return nil, nil, fmt.Errorf("fold: %w", err)
		}
	}
	if n.Bias == nil {
		return gain, nil, nil
	}
	all, err := n.Bias.Float32s()
	if err != nil {
		return nil, nil, fmt.Errorf("fold: %w", err)
	}
	for _, v := range all {
		if v != 0 {
			return gain, all, nil
		}
	}
	return gain, nil, nil
}

// without returns the first reader that cannot take a bias, if there is one
// to take.
func (o *Output) without(readers []*arch.Linear, bias []float32) *arch.Linear {
	if bias == nil {
		return nil
	}
	for _, l := range readers {
		if o.model.Spec.Bias(l) == arch.Absent {
			return l
		}
	}
	return nil
}

// matrix returns the item of a matrix: the head's own where it was given one.
func (o *Output) matrix(l *arch.Linear) *item {
	if l == &o.model.Head && o.head != nil {
		return o.head
	}
	return o.byT[l.W]
}

// addBias adds W times v to the bias of l, which is made if need be.
func (o *Output) addBias(ctx context.Context, l *arch.Linear, w *item, v []float32) error {
	rows, cols := w.shape()
	b, at := o.bias(l)
	if b == nil {
		b, at = o.add(biasName(l), 0, rows), l.From
	}
	_, n := b.shape()
	sum := make([]float32, n)
	if err := b.row(sum, 0); err != nil {
		return err
	}
	err := w.eachChunk(ctx, l.From, l.From+l.Rows, func(_, lo, hi int) error {
		row := make([]float32, cols)
		for i := lo; i < hi; i++ {
			if err := w.row(row, i); err != nil {
				return err
			}
			var dot float64
			for j, x := range row {
				dot += float64(x) * float64(v[j])
			}
			sum[at+i-l.From] += float32(dot)
		}
		return nil
	})
	b.replace(sum)
	return err
}

// bias returns the item that holds the bias of l, and where in it; nil if
// there is none. It may have been made by addBias for a whole fused matrix.
func (o *Output) bias(l *arch.Linear) (*item, int) {
	if l.B != nil {
		return o.byT[l.B], l.BFrom
	}
	return o.find(biasName(l)), l.From
}

// biasName returns the name that a bias of l has. A tied head has the name of
// the embedding, its bias does not.
func biasName(l *arch.Linear) string {
	if l.Role == arch.Head {
		return arch.BiasName(arch.Head.Name(-1))
	}
	return arch.BiasName(l.Name)
}

// fill makes every element of a vector of the source c.
func (o *Output) fill(t *gguf.Tensor, c float32) {
	if t == nil {
		return
	}
	o.byT[t].replace(slices.Repeat([]float32{c}, t.Dims[0]))
}

// find returns the item of a name, or nil.
func (o *Output) find(name string) *item {
	for _, it := range o.items {
		if it.info.Name == name {
			return it
		}
	}
	return nil
}
