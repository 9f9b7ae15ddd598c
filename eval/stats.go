// Package eval measures what a change to a model does to what it predicts:
// perplexity, and the divergence of its predictions from the original's, by
// llama-perplexity's definitions. [Text] makes token ids, and [Run] measures models
// on them.
//
// A [Report] can be merged with that of another part of the text, so that a run
// can be spread over machines.
package eval

import (
	"math"
)

// moments are the count, mean and sum of squared deviations of the finite values
// of a sample, in Welford's form, and how many are infinite. Parts are merged by
// Chan's formula.
type moments struct {
	N     int64   `json:"n"`
	Mean  float64 `json:"mean"`
	M2    float64 `json:"m2"`
	Above int64   `json:"above,omitempty"` // how many are +Inf
	Below int64   `json:"below,omitempty"` // how many are -Inf
}

// Add takes in one value.
func (m *moments) Add(x float64) {
	switch {
	case math.IsInf(x, 1):
		m.Above++
	case math.IsInf(x, -1):
		m.Below++
	default:
		m.Merge(moments{N: 1, Mean: x})
	}
}

// Count returns the number of all values.
func (m *moments) Count() int64 { return m.N + m.Above + m.Below }

// Average returns the mean of all values, NaN of none and of infinities of both
// signs.
func (m *moments) Average() float64 {
	switch {
	case m.Count() == 0 || m.Above > 0 && m.Below > 0:
		return math.NaN()
	case m.Above > 0:
		return math.Inf(1)
	case m.Below > 0:
		return math.Inf(-1)
	}
	return m.Mean
}

// Merge takes in the values of another sample.
func (m *moments) Merge(o moments) {
	m.Above, m.Below = m.Above+o.Above, m.Below+o.Below
	if o.N == 0 {
		return
	}
	n := m.N + o.N
	d := o.Mean - m.Mean
	m.M2 += o.M2 + d*d*float64(m.N)*float64(o.N)/float64(n)
	m.Mean += d * float64(o.N) / float64(n)
	m.N = n
}

// StandardError returns the standard error of the mean, as llama-perplexity
// computes it: the population's deviation over sqrt(n-1). There is none of a
// sample with infinite values.
func (m *moments) StandardError() float64 {
	if m.N < 2 || m.N < m.Count() {
		return math.NaN()
	}
	return math.Sqrt(m.M2 / float64(m.N) / float64(m.N-1))
}

// histogram counts positive values in bins whose bounds grow by 2^(1/64),
// about 1.1 %, from 2^-64 to 2^16; what is smaller, or not positive, counts
// as zero, and what is infinite has the bin behind the last.
type histogram struct {
	Zero int64         `json:"zero"`
	Bins map[int]int64 `json:"bins"` // by floor(64*log2(x))
}

const (
	binsPerOctave = 64
	infiniteBin   = 16*binsPerOctave + 1
)

// Add takes in one value.
func (h *histogram) Add(x float64) {
	if !(x >= 0x1p-64) {
		h.Zero++
		return
	}
	if h.Bins == nil {
		h.Bins = map[int]int64{}
	}
	bin := infiniteBin
	if !math.IsInf(x, 1) {
		bin = int(math.Floor(binsPerOctave * math.Log2(min(x, 0x1p16))))
	}
	h.Bins[bin]++
}

// Merge takes in the values of another sample.
func (h *histogram) Merge(o histogram) {
	h.Zero += o.Zero
	for b, n := range o.Bins {
		if h.Bins == nil {
			h.Bins = map[int]int64{}
		}
		h.Bins[b] += n
	}
}

// Quantile returns the value that a share q of the sample does not exceed,
// to the width of a bin: the geometric middle of the bin it lies in.
func (h *histogram) Quantile(q float64) float64 {
	total := h.Zero
	for _, n := range h.Bins {
		total += n
	}
	if total == 0 {
		return math.NaN()
	}
	want := int64(math.Ceil(q * float64(total)))
	seen := h.Zero
	if seen >= want {
		return 0
	}
	for b := -64 * binsPerOctave; b < infiniteBin; b++ {
		if seen += h.Bins[b]; seen >= want {
			return math.Exp2((float64(b) + 0.5) / binsPerOctave)
		}
	}
	return math.Inf(1)
}
