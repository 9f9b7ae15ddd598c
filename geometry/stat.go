package geometry

import "fmt"

// Stat is moments with a histogram beside them, for percentiles.
type stat struct {
	moments
	Hist hist `json:"hist"`
}

// newStat returns the statistic of an empty stream.
func newStat(s scale) stat { return stat{Hist: newHist(s)} }

// Add takes the numbers of values that are not NaN.
func (s *stat) Add(values ...float64) {
	s.moments.Add(values...)
	s.Hist.Add(values...)
}

// Merge adds what o has seen. Counts stay exact, moments agree with those of
// one run to rounding, percentiles are those of one run.
func (s *stat) Merge(o *stat) error {
	if s.Hist.scale != o.Hist.scale {
		return fmt.Errorf("geometry: a histogram in %s does not merge with one in %s", o.Hist.scale, s.Hist.scale)
	}
	s.moments.Merge(o.moments)
	s.Hist.Merge(&o.Hist)
	return nil
}

// Quantile returns the number below which the share q of the numbers lies,
// off by less than the width of a bin; 0 when there are none.
func (s *stat) Quantile(q float64) float64 {
	if s.N == 0 {
		return 0
	}
	return min(max(s.Hist.Quantile(q), s.Min), s.Max)
}

// Summary is a Stat as geometry.json shows it. SD is that of the numbers
// themselves (divided by the count). Percentiles are good to 0.01 degrees,
// and to 0.4 % for norms; the other figures are exact to rounding.
type Summary struct {
	Count uint64  `json:"count"`
	Mean  float64 `json:"mean"`
	SD    float64 `json:"sd"`
	Min   float64 `json:"min"`
	Max   float64 `json:"max"`
	P1    float64 `json:"p1"`
	P50   float64 `json:"p50"`
	P99   float64 `json:"p99"`
}

// Summary returns the figures of s; all zero when it has seen nothing.
func (s *stat) Summary() Summary {
	return Summary{
		Count: s.N, Mean: s.Mean, SD: s.SD(), Min: s.Min, Max: s.Max,
		P1: s.Quantile(0.01), P50: s.Quantile(0.50), P99: s.Quantile(0.99),
	}
}
