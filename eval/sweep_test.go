package eval

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/internal/testdata"
	"github.com/normswap/normswap/norm"
)

// windowsOf are random windows for a fixture.
func windowsOf(m *engine.Model, n, size int) [][]int32 {
	return slices.Collect(slices.Chunk(randomIDs(m, n*size), size))
}

func experiment(t *testing.T, m *engine.Model, rules string) *Experiment {
	t.Helper()
	windows := windowsOf(m, 6, 32)
	r, err := Calibrate(t.Context(), m, rules, windows[:2])
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewExperiment(t.Context(), m, engine.Options{}, r, windows[2:])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// TestSweep: switches that are off change nothing, to the bit; all of them on is the
// mode of the engine; rows are sorted, each with its direction.
func TestSweep(t *testing.T) {
	m := open(t, "archs/gptneox.gguf", engine.Options{})
	p := experiment(t, m, "rms-naive")
	none, err := p.Measure(t.Context(), make([]bool, len(p.Sites)))
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range none.Windows {
		if w.KL != 0 || w.DNLL != 0 || w.Same != w.Tokens || w.Tokens != 15 {
			t.Errorf("nothing is swapped: %+v", w)
		}
	}
	rows, err := p.Sweep(t.Context(), SweepOptions{})
	if err != nil {
		t.Fatal(err)
	}
	naive, err := m.Variant(t.Context(), engine.Options{Norm: engine.RMSNaive})
	if err != nil {
		t.Fatal(err)
	}
	defer naive.Close()
	report, err := Run(t.Context(), []*engine.Model{m, naive}, []string{"native", "rms-naive"}, slices.Concat(p.windows...), Options{Context: 32})
	if err != nil {
		t.Fatal(err)
	}
	want := float64(report.Norms[1].KLMean)
	for i, r := range rows {
		if r.Group == "all" && math.Abs(r.Cost()-want) > 1e-6*want {
			t.Errorf("all norms: KL %v, compare has %v", r.Cost(), want)
		}
		if i > 0 && r.Direction == rows[i-1].Direction && r.Cost() > rows[i-1].Cost() {
			t.Errorf("%s is not in order", r.Name())
		}
		if r.Group == "site" && r.Direction == "only" && (r.Explanation == nil || !(r.Offset > 0) || r.Norms != 1) {
			t.Errorf("%s: %+v", r.Name(), r.Explanation)
		}
	}
	n := 2*len(p.Sites) + 1 + 2*3 + 2*2 + 1
	if len(rows) != n || p.Subsets() != n {
		t.Errorf("%d rows of %d, want %d", len(rows), p.Subsets(), n)
	}
	if s := sweepSentence(rows, "rms-naive", "q8"); !strings.Contains(s, "offset") || !strings.Contains(s, "Rounding") {
		t.Error(s)
	}
}

// TestSweepShards: shards merge to the rows of the whole sweep, in whatever order; one that
// was ended goes on with what it kept, and does not merge before.
func TestSweepShards(t *testing.T) {
	m := open(t, "archs/gptneox.gguf", engine.Options{})
	p := experiment(t, m, "rms-naive")
	report := func(shard int, rows []Row) *SweepReport {
		t.Helper()
		r := &SweepReport{Kind: Sweep, Norm: "rms-naive", Subsets: p.Subsets(), Shards: []int{shard}, Of: 3, Rows: rows}
		b, err := json.Marshal(r)
		if err == nil {
			r, err = ParseSweep(b)
		}
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	var merged *SweepReport
	for _, shard := range []int{2, 0, 1} {
		ended := errors.New("ended")
		var kept []Row
		_, err := p.Sweep(t.Context(), SweepOptions{Shard: shard, Shards: 3, Keep: func(rows []Row) error {
			if kept = slices.Clone(rows); len(kept) == 4 {
				return ended
			}
			return nil
		}})
		part := report(shard, kept)
		if err != ended || part.Complete() == nil {
			t.Fatalf("%v, %v", err, part.Complete())
		}
		measured := 0
		rows, err := p.Sweep(t.Context(), SweepOptions{Shard: shard, Shards: 3, Measured: part.Rows, Keep: func([]Row) error { measured++; return nil }})
		if err != nil || measured != len(rows)-4 {
			t.Fatalf("%d rows measured of %d: %v", measured, len(rows), err)
		}
		part = report(shard, rows)
		if err := part.Complete(); err != nil {
			t.Fatal(err)
		}
		if merged == nil {
			merged = part
		} else if err := merged.Merge(part); err != nil {
			t.Fatal(err)
		}
		if err := merged.Merge(part); err == nil {
			t.Error("a shard merged twice")
		}
	}
	rows, err := p.Sweep(t.Context(), SweepOptions{})
	if err != nil {
		t.Fatal(err)
	}
	whole := report(0, rows)
	whole.SetRows(whole.Rows)
	if len(merged.Missing()) > 0 || !reflect.DeepEqual(merged.Rows, whole.Rows) || merged.Verdict != whole.Verdict {
		t.Errorf("merged: %v\nwhole: %v", merged, whole)
	}
	other := report(1, rows)
	if other.Norm = "layer"; merged.Same(other) == nil {
		t.Error("sweeps of two forms are one")
	}
}

// TestRounding: 8-bit activations have a cost of their own, float activations of a float
// model none.
func TestRounding(t *testing.T) {
	m := open(t, "quantized/gpt2-256-Q4_K_M.gguf", engine.Options{})
	s, err := experiment(t, m, "rms-naive").Rounding(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if kl, _ := s.mean(func(w Window) float64 { return w.KL }); !(kl > 1e-9 && kl < 0.1) {
		t.Errorf("rounding has a KL of %v", kl)
	}
}

// TestBudget: steps cost more and more, what is chosen stays within the budget, and a
// budget without end takes all.
func TestBudget(t *testing.T) {
	m := open(t, "archs/gptneox.gguf", engine.Options{})
	p := experiment(t, m, "fixed")
	steps, sites, err := p.Budget(t.Context(), math.Inf(1), nil)
	if err != nil || len(sites) != len(p.Sites) {
		t.Fatalf("%d of %d norms: %v", len(sites), len(p.Sites), err)
	}
	limit := steps[1].Cost()
	steps, sites, err = p.Budget(t.Context(), limit, nil)
	if err != nil || len(sites) < 2 || steps[len(sites)-1].Cost() > limit || len(steps) > len(sites) && steps[len(sites)].Cost() <= limit {
		t.Errorf("budget %v: %v of %d steps, %v", limit, sites, len(steps), err)
	}
	if _, sites, err = p.Budget(t.Context(), -1, nil); err != nil || len(sites) != 0 {
		t.Errorf("no budget: %v, %v", sites, err)
	}
}

// TestSweepEncoder: embeddings are compared, and a constant makes up for most of what
// the naive swap does where the mean is the same for all tokens.
func TestSweepEncoder(t *testing.T) {
	m, err := engine.Open(t.Context(), testdata.Path(t, "encoders/bert.gguf"), engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	p := experiment(t, m, "rms-naive")
	rows, err := p.Sweep(t.Context(), SweepOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if r.Cosine == nil || r.KLMean != nil || !(r.Cost() >= -1e-6 && r.Cost() < 2) {
			t.Errorf("%s: %+v", r.Name(), r)
		}
	}
	if _, err := NewExperiment(t.Context(), m, engine.Options{}, &norm.Recipe{}, windowsOf(m, 1, 8)); err == nil {
		t.Error("an experiment without a form")
	}
}

func TestRankCorrelation(t *testing.T) {
	for _, c := range []struct {
		x, y []float64
		want float64
	}{
		{[]float64{1, 2, 3}, []float64{10, 20, 15}, 0.5},
		{[]float64{1, 1, 2, 3}, []float64{4, 4, 5, 6}, 1},
		{[]float64{1, 2, 3}, []float64{3, 2, 1}, -1},
	} {
		if r := rankCorrelation(c.x, c.y); math.Abs(r-c.want) > 1e-12 {
			t.Errorf("%v %v: %v", c.x, c.y, r)
		}
	}
}
