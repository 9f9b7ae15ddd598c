package eval

import (
	"errors"
	"fmt"
	"math"
)

// largest is more than any figure of a run can be: what is larger would overflow
// when parts merge.
const largest = 1e100

// check returns what cannot be true of the statistics of n tokens.
func (m *moments) check(n int64) error {
	switch {
	case m.N < 0 || m.Above < 0 || m.Below < 0 || m.Count() != n:
		return fmt.Errorf("they are of %d of %d tokens", m.Count(), n)
	case !(math.Abs(m.Mean) <= largest && m.M2 >= 0 && m.M2 <= largest) || m.N == 0 && (m.Mean != 0 || m.M2 != 0):
		return fmt.Errorf("a mean of %v and an M2 of %v are no statistics of %d numbers", m.Mean, m.M2, m.N)
	}
	return nil
}

func (h *histogram) check(n int64) error {
	total := h.Zero
	for bin, k := range h.Bins {
		if k < 0 || bin < -64*binsPerOctave || bin > infiniteBin {
			return fmt.Errorf("bin %d has %d", bin, k)
		}
		total += k
	}
	if h.Zero < 0 || total != n {
		return fmt.Errorf("its histogram has %d of %d tokens", total, n)
	}
	return nil
}

// check names the first figure of a result that cannot be true.
func (r *result) check() error {
	n := r.NLL.Count()
	for _, f := range []struct {
		name string
		err  error
	}{
		{"nll", r.NLL.check(n)}, {"dnll", r.DNLL.check(n)}, {"kl", r.KL.check(n)}, {"kl_bins", r.KLBins.check(n)}, {"delta_p2", r.DeltaP2.check(n)},
		{"tokens", within(float64(r.Tokens), float64(n))}, {"seconds", within(r.Seconds, 0)}, {"kl_max", within(r.KLMax, -1e-6)},
		{"max_dlogit", within(r.MaxLogit, 0)}, {"same_top", within(float64(n-r.SameTop), 0)}, {"same_top", within(float64(r.SameTop), 0)},
		{"apart", within(float64(r.Apart), 0)},
	} {
		if f.err != nil {
			return fmt.Errorf("%s: %w", f.name, f.err)
		}
	}
	c := &r.Clusters
	if err := errors.Join(c.KL.check(c.KL.Count()), c.DNLL.check(c.KL.Count()), c.Same.check(c.KL.Count())); err != nil {
		return fmt.Errorf("clusters: %w", err)
	}
	for i := range r.Swaps {
		s := &r.Swaps[i]
		if err := errors.Join(s.Predicted.check(s.Measured.Count()), s.Measured.check(s.Predicted.Count())); err != nil {
			return fmt.Errorf("swap at %s: %w", s.Site, err)
		}
	}
	return nil
}

// within returns an error if v is below least, or no number.
func within(v, least float64) error {
	if !(v >= least && v <= largest) {
		return fmt.Errorf("%v is out of range", v)
	}
	return nil
}
