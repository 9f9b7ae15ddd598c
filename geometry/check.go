package geometry

import (
	"fmt"
	"math"
)

// largest is more than any figure of float32 vectors can be: what is larger would
// overflow when states merge.
const largest = 1e100

// check returns what cannot be true of statistics that a collector made.
func (m *moments) check() error {
	for _, v := range []float64{m.Mean, m.M2, m.Min, m.Max} {
		if !(math.Abs(v) <= largest) {
			return fmt.Errorf("%v is no statistic", v)
		}
	}
	slack := 1e-9 * (math.Abs(m.Min) + math.Abs(m.Max))
	if m.N == 0 && *m != (moments{}) || m.M2 < 0 || m.N > 0 && !(m.Min-slack <= m.Mean && m.Mean <= m.Max+slack) {
		return fmt.Errorf("the mean of %d numbers from %v to %v is %v, their M2 %v", m.N, m.Min, m.Max, m.Mean, m.M2)
	}
	return nil
}

func (s *stat) check(want scale) error {
	switch {
	case s.Hist.scale != want:
		return fmt.Errorf("its histogram is in %q, want %q", s.Hist.scale, want)
	case s.Hist.total != s.N:
		return fmt.Errorf("its histogram has %d of %d numbers", s.Hist.total, s.N)
	}
	return s.moments.check()
}

// check names the first figure of a cell that cannot be true.
func (c *cell) check() error {
	type figure struct {
		name string
		err  error
	}
	figures := []figure{
		{"swap", c.Swap.check(logScale)}, {"measured", c.Measured.check(logScale)},
	}
	for i := range c.Stages {
		s, name := &c.Stages[i], stage(i).String()
		figures = append(figures, figure{"norm of " + name, s.Norm.check(logScale)}, figure{"angle of " + name, s.Angle.check(degreeScale)},
			figure{"share of " + name, s.Share.check()})
	}
	for i := range c.Rotations {
		figures = append(figures, figure{fmt.Sprint("rotation ", i), c.Rotations[i].check(degreeScale)})
	}
	for i := range c.Checks {
		figures = append(figures, figure{fmt.Sprint("check ", i), c.Checks[i].check()})
	}
	for _, f := range figures {
		if f.err != nil {
			return fmt.Errorf("%s: %w", f.name, f.err)
		}
	}
	return nil
}

// check names what of a run with exchanged norms cannot be true.
func (m *SwapMode) check() error {
	if m.Tokens < 0 || !(m.KL >= -1e-6) || !(m.Top1 >= 0 && m.Top1 <= 1) || m.Tokens > 0 && !(m.Perplexity > 0) {
		return fmt.Errorf("mode %s: KL %v, agreement %v and perplexity %v of %d tokens", m.Mode, m.KL, m.Top1, m.Perplexity, m.Tokens)
	}
	return nil
}

// check names what of a run with exchanged norms cannot be true.
func (m *EmbeddingSwap) check() error {
	cosine := func(x float64) bool { return math.Abs(x) <= 1+1e-5 }
	if m.Texts < 0 || !cosine(m.Cosine) || !cosine(m.CosineWorst) || !cosine(m.Rank) || !(m.SameNeighbor >= 0 && m.SameNeighbor <= 1) {
		return fmt.Errorf("mode %s: cosine %v, %v at worst, rank correlation %v and agreement %v of %d texts", m.Mode, m.Cosine, m.CosineWorst, m.Rank, m.SameNeighbor, m.Texts)
	}
	return nil
}
