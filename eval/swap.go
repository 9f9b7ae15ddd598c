package eval

import (
	"context"
	"fmt"
	"math"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/ops"
)

// A swap is what becomes of the standardised vector (before gain and bias) of
// one norm that runs as another kind than it was trained as. Both errors are
// of its own input, and relative: the mean over its coordinates of the
// squared difference, where a standardised vector has mean square 1.
type swap struct {
	Site string `json:"site"`
	// Predicted is by identity 1 of the paper: without the removal of the
	// mean, the standardised vector y becomes sin(theta) y + cos(theta) 1,
	// theta being the angle of the input with the uniform vector 1. That is a
	// mean squared difference of 2 - 2 sin(theta).
	Predicted moments `json:"predicted"`
	// Measured is by applying both norms.
	Measured moments `json:"measured"`
}

// swapChunks is the stride of the chunks that swapped norms are looked at on:
// enough of a text for a mean, and little time.
const swapChunks = 16

// swaps measures the swapped norms of one model, which may have none.
type swaps struct {
	trace func(ctx context.Context, tokens []int32) error // nil: no norm is swapped
	found []swap
}

func newSwaps(m *engine.Model, o Options) (*swaps, error) {
	s := &swaps{}
	index := map[*arch.Norm]int{}
	for _, n := range m.Arch.Norms() {
		if m.Swapped(n) {
			index[n] = len(s.found)
			s.found = append(s.found, swap{Site: n.Site})
		}
	}
	if len(s.found) == 0 {
		return s, nil
	}
	tap := &engine.Tap{
		Sites: func(n *arch.Norm) bool { _, ok := index[n]; return ok },
		Func: func(h engine.Hidden) {
			if h.Stage == engine.In {
				s.found[index[h.Site]].add(h.Rows, h.Site.Width, m.Arch.Eps)
			}
		},
	}
	if m.Arch.Spec.Encoder {
		s.trace = func(ctx context.Context, tokens []int32) error { return m.Trace(ctx, tokens, tap) }
		return s, nil
	}
	session, err := m.NewSession(engine.SessionOptions{Context: o.Context, KV: o.KV, Tap: tap})
	s.trace = func(ctx context.Context, tokens []int32) error {
		session.Truncate(0)
		return session.Append(ctx, tokens)
	}
	return s, err
}

func (s *swaps) measure(ctx context.Context, chunk []int32) error {
	if s.trace == nil {
		return nil
	}
	return s.trace(ctx, chunk)
}

// add takes in what the norm reads: vectors of width elements.
func (s *swap) add(rows []float32, width int, eps float32) {
	centered, plain := make([]float32, width), make([]float32, width)
	for i := 0; i < len(rows); i += width {
		x := rows[i : i+width]
		mean := ops.Mean(x)
		cos2 := min(1, float64(width)*mean*mean/max(ops.SumSquares(x), math.SmallestNonzeroFloat64))
		s.Predicted.Add(2 - 2*math.Sqrt(1-cos2))
		ops.LayerNorm(centered, x, nil, nil, eps)
		ops.RMSNorm(plain, x, nil, nil, eps)
		var sum float64
		for j, v := range centered {
			d := float64(plain[j]) - float64(v)
			sum += d * d
		}
		s.Measured.Add(sum / float64(width))
	}
}

// swapError returns the root mean square over all swapped norms of what
// identity 1 predicts, and of what was measured; NaN without any.
func swapError(found []swap) (predicted, measured float64) {
	var p, m moments
	for _, s := range found {
		p.Merge(s.Predicted)
		m.Merge(s.Measured)
	}
	if m.N == 0 {
		return math.NaN(), math.NaN()
	}
	return math.Sqrt(p.Mean), math.Sqrt(m.Mean)
}

// mergeSwaps takes in what was found on another part of the text.
func mergeSwaps(a, b []swap) ([]swap, error) {
	if len(a) != len(b) {
		return nil, fmt.Errorf("eval: cannot merge figures of %d swapped norms with those of %d", len(a), len(b))
	}
	for i := range a {
		if a[i].Site != b[i].Site {
			return nil, fmt.Errorf("eval: cannot merge figures of %s with those of %s", a[i].Site, b[i].Site)
		}
		a[i].Predicted.Merge(b[i].Predicted)
		a[i].Measured.Merge(b[i].Measured)
	}
	return a, nil
}
