package main

import (
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/normswap/normswap/corpus"
	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/geometry"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/internal/testdata"
	"github.com/normswap/normswap/tokenizer"
)

// Identities 1 to 3 hold on what the engine shows of every fixture, the
// engine's norms are the definition, and identity 1's prediction of a swap is
// what the other norm gives.
func TestIdentities(t *testing.T) {
	dir := filepath.Dir(testdata.Path(t, "archs/gpt2.gguf"))
	paths, err := filepath.Glob(filepath.Join(dir, "*.gguf"))
	if err != nil || len(paths) < 30 {
		t.Fatalf("%d fixtures, %v", len(paths), err)
	}
	paths = append(paths, testdata.Path(t, "trained/stories260K-F32.gguf"), testdata.Path(t, "quantized/gpt2-256-Q4_K_M.gguf"))
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".gguf"), func(t *testing.T) { identities(t, path) })
	}
}

func identities(t *testing.T, path string) {
	m, err := engine.Open(t.Context(), path, engine.Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	norms := m.Arch.Norms()
	meter, err := newMeter(m, "fixture", norms, geometry.Options{CheckEvery: 1})
	if err != nil {
		t.Fatal(err)
	}
	var o textFlags
	var ids []int32
	for i := range 64 {
		ids = append(ids, int32((3+5*i)%m.Vocab()))
	}
	w := &windows{ids: ids, each: [][]int32{ids[:32], ids[32:]}, size: 32}
	if _, err := o.run(t.Context(), m, w, func(int) bool { return true }, norms, engine.Tap{Func: func(h engine.Hidden) { meter.add(corpus.Window{}, h) }}, func(int) {}); err != nil {
		t.Fatal(err)
	}
	r, err := meter.State().Result(false)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Effects) != len(norms) {
		t.Fatalf("%d of %d norms", len(r.Effects), len(norms))
	}
	const tolerance = 1e-6
	for i, e := range r.Effects {
		if want := uint64(len(ids) * max(norms[i].Groups, 1)); e.Checks.Count != want {
			t.Errorf("%s: %d checks, want %d", e.Site, e.Checks.Count, want)
		}
		for name, v := range map[string]float64{
			"identity 1": e.Checks.Decompose, "identity 2 (degrees)": e.Checks.Rotate, "identity 3": e.Checks.Energy, "definition": e.Checks.Definition,
		} {
			if !(v <= tolerance) {
				t.Errorf("%s: %s is off by %.2g", e.Site, name, v)
			}
		}
		if e.MeasuredSwap == nil || e.MeasuredSwap.Count != e.Swap.Count {
			t.Fatalf("%s: measured %+v", e.Site, e.MeasuredSwap)
		}
		// Relative to the output, whose smallest may be smaller than what goes
		// in: then the rounding of both norms counts for more.
		for _, v := range [][2]float64{{e.Swap.Mean, e.MeasuredSwap.Mean}, {e.Swap.Min, e.MeasuredSwap.Min}, {e.Swap.Max, e.MeasuredSwap.Max}} {
			if !(math.Abs(v[0]-v[1]) <= tolerance*max(1, v[0])) {
				t.Errorf("%s: identity 1 predicts a swap error of %.9f, measured %.9f", e.Site, v[0], v[1])
			}
		}
	}
}

func TestCheckpointNames(t *testing.T) {
	for name, want := range map[string]struct {
		run  string
		step int
	}{
		"tales-layernorm-step00300-Q8_0": {"tales-layernorm-Q8_0", 300},
		"tales-step0":                    {"tales", 0},
		"two-step":                       {"", -1},
		"model":                          {"", -1},
		"x-step99999999999999999999":     {"", -1},
	} {
		run, step := checkpoint(name)
		if run != want.run || (step == nil) != (want.step < 0) || step != nil && *step != want.step {
			t.Errorf("%s: %q, %v", name, run, step)
		}
	}
}

// BenchmarkMeter evaluates each window of the tales plain and measured, in
// turn, and reports the speeds and what is left of the plain one (median).
func BenchmarkMeter(b *testing.B) {
	for _, name := range []string{"F32", "Q8_0"} {
		b.Run(name, func(b *testing.B) {
			m, err := engine.Open(b.Context(), testdata.Path(b, "trained/fairy-tales-5.5M-layernorm-"+name+".gguf"), engine.Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer m.Close()
			var o textFlags
			w, err := o.windows(b.Context(), m)
			if err != nil {
				b.Fatal(err)
			}
			meter, err := newMeter(m, name, m.Arch.Norms(), geometry.Options{})
			if err != nil {
				b.Fatal(err)
			}
			seq := 0
			var sessions []*engine.Session
			for _, tap := range []*engine.Tap{nil, {Func: func(h engine.Hidden) { meter.add(corpus.Window{Seq: seq}, h) }}} {
				s, err := m.NewSession(engine.SessionOptions{Context: w.size, Tap: tap})
				if err != nil {
					b.Fatal(err)
				}
				sessions = append(sessions, s)
			}
			whole := len(w.ids) / w.size
			var seconds [2][]float64
			var ratios []float64
			for b.Loop() {
				ids := w.at(seq % whole)
				for i, s := range sessions {
					start := time.Now()
					s.Truncate(0)
					if err := s.Append(b.Context(), ids); err != nil {
						b.Fatal(err)
					}
					seconds[i] = append(seconds[i], since(start))
				}
				ratios = append(ratios, seconds[0][seq]/seconds[1][seq])
				seq++
			}
			median := func(v []float64) float64 {
				v = slices.Sorted(slices.Values(v))
				return v[len(v)/2]
			}
			b.ReportMetric(float64(w.size)/median(seconds[0]), "plain-tokens/s")
			b.ReportMetric(float64(w.size)/median(seconds[1]), "measured-tokens/s")
			b.ReportMetric(median(ratios), "of-plain")
		})
	}
}

// TestMostlySpecial: a text of which a vocabulary has nothing but UNK is seen.
func TestMostlySpecial(t *testing.T) {
	f, err := gguf.Open(testdata.Path(t, "encoders/bert.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	tok, err := tokenizer.New(&f.Meta)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{"\u16a0\u16a1 \u16a2": true, "a b c": false, "": false} {
		if ids, err := tok.Encode(text, tokenizer.EncodeOptions{}); err != nil || mostlySpecial(tok, ids) != want {
			t.Errorf("%q: ids %v, %v", text, ids, err)
		}
	}
}
