package geometry

import "math"

// moments are the count, mean, spread and range of a stream of numbers. The
// zero value is the empty stream.
type moments struct {
	N    uint64  `json:"n"`
	Mean float64 `json:"mean"`
	M2   float64 `json:"m2"` // sum of squared deviations from the mean
	Min  float64 `json:"min"`
	Max  float64 `json:"max"`
}

// Add takes the numbers of values that are not NaN.
func (m *moments) Add(values ...float64) {
	var b moments
	total := 0.0
	b.Min, b.Max = math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if v == v {
			b.N++
			total += v
			b.Min, b.Max = min(b.Min, v), max(b.Max, v)
		}
	}
	if b.N == 0 {
		return
	}
	b.Mean = total / float64(b.N)
	for _, v := range values {
		if v == v {
			b.M2 += (v - b.Mean) * (v - b.Mean)
		}
	}
	m.Merge(b)
}

// Merge adds the numbers that o has seen (Chan, Golub and LeVeque's update;
// with one number it is Welford's).
func (m *moments) Merge(o moments) {
	if o.N == 0 {
		return
	}
	if m.N == 0 {
		*m = o
		return
	}
	n, k := float64(m.N), float64(o.N)
	d := o.Mean - m.Mean
	m.Mean += d * k / (n + k)
	m.M2 += o.M2 + d*d*n*k/(n+k)
	m.N += o.N
	m.Min, m.Max = min(m.Min, o.Min), max(m.Max, o.Max)
}

// SD returns the standard deviation of the numbers themselves, sqrt(M2/N);
// 0 for none.
func (m moments) SD() float64 {
	if m.N == 0 {
		return 0
	}
	return math.Sqrt(m.M2 / float64(m.N))
}
