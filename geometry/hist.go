package geometry

import (
	"encoding/json"
	"fmt"
	"math"
)

// scale is a fixed division of the numbers into bins, the same on every
// machine, so that histograms merge by adding counts.
type scale string

const (
	// degreeScale has bins of 0.01 degrees from 0 to 180.
	degreeScale scale = "degrees"
	// logScale has 256 equal bins in every octave of the positive numbers, that
	// is, bins no wider than 0.4 % of their values, from 2^-160 to 2^160.
	logScale scale = "log"
)

const (
	binsPerDegree = 100
	degreeBins    = 180 * binsPerDegree
	logOctaves    = 160 // on either side of 1
	logBins       = 2 * logOctaves * pageBins
	pageBins      = 256
)

func (s scale) bins() int {
	if s == degreeScale {
		return degreeBins
	}
	return logBins
}

// bin returns the bin of v; what lies outside goes to the nearest bin.
func (s scale) bin(v float64) int {
	if s == degreeScale {
		return min(max(int(v*binsPerDegree), 0), degreeBins-1)
	}
	if v <= 0 {
		return 0
	}
	// The exponent and the first 8 bits of the mantissa number the bins.
	return min(max(int(math.Float64bits(v)>>44)-(1023-logOctaves)*pageBins, 0), logBins-1)
}

// edge returns the lower edge of bin i, which is the upper one of i-1.
func (s scale) edge(i int) float64 {
	if s == degreeScale {
		return float64(i) / binsPerDegree
	}
	return math.Float64frombits(uint64(i+(1023-logOctaves)*pageBins) << 44)
}

// Hist counts numbers by bin. Bins come into being in pages, where numbers
// fall; the memory is bounded by the scale.
type hist struct {
	scale scale
	total uint64
	pages []*[pageBins]uint64
}

// newHist returns an empty histogram.
func newHist(s scale) hist {
	return hist{scale: s, pages: make([]*[pageBins]uint64, (s.bins()+pageBins-1)/pageBins)}
}

// Add counts the numbers of values that are not NaN.
func (h *hist) Add(values ...float64) {
	for _, v := range values {
		if v == v {
			h.count(h.scale.bin(v), 1)
		}
	}
}

func (h *hist) count(bin int, n uint64) {
	p := h.pages[bin/pageBins]
	if p == nil {
		p = new([pageBins]uint64)
		h.pages[bin/pageBins] = p
	}
	p[bin%pageBins] += n
	h.total += n
}

// Merge adds the counts of o, which has the same scale.
func (h *hist) Merge(o *hist) {
	for bin, n := range o.each {
		h.count(bin, n)
	}
}

// each yields the bins that are not empty, in order.
func (h *hist) each(yield func(bin int, n uint64) bool) {
	for i, p := range h.pages {
		if p == nil {
			continue
		}
		for j, n := range p {
			if n != 0 && !yield(i*pageBins+j, n) {
				return
			}
		}
	}
}

// Quantile returns the number below which the share q of the numbers lies,
// off by less than the width of a bin; NaN when there are none.
func (h *hist) Quantile(q float64) float64 {
	rank := q * float64(h.total)
	below := 0.0
	last := math.NaN()
	for bin, n := range h.each {
		lo, hi := h.scale.edge(bin), h.scale.edge(bin+1)
		if below+float64(n) >= rank {
			return lo + (hi-lo)*(rank-below)/float64(n)
		}
		below += float64(n)
		last = hi
	}
	return last
}

// Bars are equal bins side by side: Counts[i] numbers from From + i*Width on.
type Bars struct {
	From   float64  `json:"from"`
	Width  float64  `json:"width"`
	Counts []uint64 `json:"counts"`
}

// Bars sums the bins of a histogram of degrees into bars of width degrees (a
// multiple of 0.01) between from and to, and drops the empty ones at the ends.
func (h *hist) Bars(from, to, width float64) Bars {
	per := int(math.Round(width * binsPerDegree))
	lo, hi := int(math.Round(from*binsPerDegree)), int(math.Round(to*binsPerDegree))
	counts := make([]uint64, (hi-lo)/per)
	first, last := len(counts), -1
	for bin, n := range h.each {
		if bin >= lo && bin < hi {
			i := (bin - lo) / per
			counts[i] += n
			first, last = min(first, i), i
		}
	}
	if last < 0 {
		return Bars{From: from, Width: width, Counts: []uint64{}}
	}
	start := float64(lo+first*per) / binsPerDegree
	return Bars{From: start, Width: width, Counts: counts[first : last+1]}
}

type histJSON struct {
	Scale scale    `json:"scale"`
	Bins  []uint64 `json:"bins"` // bin, count, bin, count ...
}

// MarshalJSON writes the bins that are not empty.
func (h hist) MarshalJSON() ([]byte, error) {
	j := histJSON{Scale: h.scale, Bins: []uint64{}}
	for bin, n := range h.each {
		j.Bins = append(j.Bins, uint64(bin), n)
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (h *hist) UnmarshalJSON(b []byte) error {
	var j histJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return fmt.Errorf("geometry: histogram: %w", err)
	}
	if j.Scale != degreeScale && j.Scale != logScale {
		return fmt.Errorf("geometry: histogram: unknown scale %q", j.Scale)
	}
	if len(j.Bins)%2 != 0 {
		return fmt.Errorf("geometry: histogram: %d numbers do not pair into bins and counts", len(j.Bins))
	}
	*h = newHist(j.Scale)
	for i := 0; i < len(j.Bins); i += 2 {
		if j.Bins[i] >= uint64(j.Scale.bins()) {
			return fmt.Errorf("geometry: histogram: bin %d of %d", j.Bins[i], j.Scale.bins())
		}
		h.count(int(j.Bins[i]), j.Bins[i+1])
	}
	return nil
}
