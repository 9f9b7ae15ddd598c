package geometry

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// moments against two passes over the same numbers, with a mean far larger
// than the spread, in pieces of every size.
func TestMoments(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	var values []float64
	for range 1000 {
		values = append(values, 1e6+r.NormFloat64())
	}
	mean, sd := meanSD(values)
	for _, piece := range []int{1, 7, 100, 1000} {
		var m moments
		for at := 0; at < len(values); at += piece {
			m.Add(append([]float64{math.NaN()}, values[at:min(at+piece, len(values))]...)...)
		}
		near(t, "mean", m.Mean, mean, 1000*0x1p-53*mean)
		near(t, "sd", m.SD(), sd, 1e-9)
		if m.N != 1000 || m.Min != slices.Min(values) || m.Max != slices.Max(values) {
			t.Errorf("n %d, range %v to %v", m.N, m.Min, m.Max)
		}
	}
	var none moments
	none.Add(math.NaN())
	none.Merge(moments{})
	if none != (moments{}) || none.SD() != 0 {
		t.Errorf("nothing: %+v", none)
	}
}

// Percentiles are off by less than a bin.
func TestQuantiles(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	for scale, draw := range map[scale]func() float64{
		degreeScale: func() float64 { return math.Min(math.Max(90+20*r.NormFloat64(), 0), 180) },
		logScale:    func() float64 { return math.Exp(8 * r.NormFloat64()) },
	} {
		s := newStat(scale)
		var values []float64
		for range 4001 {
			v := draw()
			values = append(values, v)
			s.Add(v)
		}
		slices.Sort(values)
		for _, q := range []float64{0, 0.01, 0.25, 0.5, 0.99, 1} {
			// The two numbers around the rank, which a bin may part.
			at := q * float64(len(values))
			lo, hi := values[max(int(at)-1, 0)], values[min(int(at)+1, len(values)-1)]
			slack := 0.01
			if scale == logScale {
				slack = hi / 256
			}
			if got := s.Quantile(q); got < lo-slack || got > hi+slack {
				t.Errorf("%s: quantile %g is %g, want %g to %g", scale, q, got, lo, hi)
			}
		}
	}
	empty := newStat(logScale)
	if got := empty.Summary(); got != (Summary{}) {
		t.Errorf("nothing: %+v", got)
	}
}

// Every number falls into a bin whose edges hold it.
func TestBins(t *testing.T) {
	for _, v := range []float64{0x1p-160, 1e-30, 0.999, 1, 1.0039, 1.00390625, 3, 7e20, 0x1p159} {
		if i := logScale.bin(v); logScale.edge(i) > v || logScale.edge(i+1) <= v {
			t.Errorf("%g is in bin %d, from %g to %g", v, i, logScale.edge(i), logScale.edge(i+1))
		}
	}
	for _, v := range []float64{0, 0.0099, 0.01, 84, 89.999, 90, 96.01, 179.99} {
		i := degreeScale.bin(v)
		if degreeScale.edge(i) > v+1e-12 || degreeScale.edge(i+1) < v-1e-12 {
			t.Errorf("%g is in bin %d, from %g to %g", v, i, degreeScale.edge(i), degreeScale.edge(i+1))
		}
	}
	for _, v := range []float64{-5, 0, 1e-300, 1e300, math.Inf(1), 180, 181} {
		if i := logScale.bin(v); i < 0 || i >= logBins {
			t.Errorf("log bin %d of %g", i, v)
		}
		if i := degreeScale.bin(math.Min(v, 1e9)); i < 0 || i >= degreeBins {
			t.Errorf("degree bin %d of %g", i, v)
		}
	}
}

func TestBars(t *testing.T) {
	h := newHist(degreeScale)
	h.Add(83.99, 84, 84.049, 84.051, 90.02, 95.999, 96, 179.999)
	fine := h.Bars(84, 96, 0.05)
	if fine.From != 84 || len(fine.Counts) != 240 || fine.Counts[0] != 2 || fine.Counts[1] != 1 || fine.Counts[120] != 1 || fine.Counts[239] != 1 {
		t.Errorf("fine: from %g, %d bars, %v", fine.From, len(fine.Counts), fine.Counts)
	}
	coarse := h.Bars(0, 180, 1)
	if coarse.From != 83 || len(coarse.Counts) != 97 || coarse.Counts[0] != 1 || coarse.Counts[1] != 3 || coarse.Counts[96] != 1 {
		t.Errorf("coarse: %+v", coarse)
	}
	if none := h.Bars(10, 20, 1); len(none.Counts) != 0 {
		t.Errorf("between 10 and 20: %+v", none)
	}
}

func TestHistJSON(t *testing.T) {
	h := newHist(logScale)
	h.Add(1, 1, 2, 1e9)
	var back hist
	if err := json.Unmarshal(marshal(t, h), &back); err != nil {
		t.Fatal(err)
	}
	if a, b := string(marshal(t, h)), string(marshal(t, back)); a != b {
		t.Errorf("%s became %s", a, b)
	}
	a, b := newStat(logScale), newStat(degreeScale)
	if err := a.Merge(&b); err == nil {
		t.Error("merged degrees into norms")
	}
}

func TestCauses(t *testing.T) {
	rows := [][]float32{{1, 2, 3}, {3, 4, -1}, {0, 0, 2}, {5, 6, 7}}
	var c ColumnMeans
	var r RowStats
	for _, row := range rows {
		c.Add(row)
		r.Add(row)
	}
	means := c.Means()
	for j, want := range []float64{9.0 / 4, 3, 11.0 / 4} {
		near(t, "column mean", means[j], want, 1e-15)
	}
	w := c.Cause("w", 2, []float32{1, 2, 3, 6})
	energy := 1.0 + 4 + 9 + 9 + 16 + 1 + 4 + 25 + 36 + 49
	square := 81.0/16 + 9 + 121.0/16
	near(t, "rms", w.RMS, math.Sqrt(energy/12), 1e-15)
	near(t, "rms of means", w.MeanRMS, math.Sqrt(square/3), 1e-15)
	near(t, "share", w.Share, 4*square/energy, 1e-15)
	near(t, "bias", w.Bias, 3, 1e-15)
	if w.Null != 0.25 || w.Layer != 2 {
		t.Errorf("writer %+v", w)
	}
	e := r.Cause("embd")
	mean, sd := meanSD([]float64{2, 2, 2.0 / 3, 6})
	near(t, "row mean", e.Mean, mean, 1e-15)
	near(t, "row sd", e.SD, sd, 1e-15)
	near(t, "row share", e.Share, 3*(4+4+4.0/9+36)/energy, 1e-15)
	if e.Rows != 4 || e.Angle.Count != 4 {
		t.Errorf("embedding %+v", e)
	}
	n := VectorStats("norm", []float32{1, 2, 3}, nil)
	near(t, "gain angle", n.GainAngle, math.Acos(6/math.Sqrt(3*14))*degrees, 1e-12)
	if n.Gain.Mean != 2 || n.Gain.Min != 1 || n.Gain.Max != 3 || n.Bias.Count != 0 {
		t.Errorf("norm %+v", n)
	}
	var none ColumnMeans
	if got := none.Cause("none", 0, nil); got != (WriterCause{Name: "none"}) {
		t.Errorf("no rows: %+v", got)
	}
}
