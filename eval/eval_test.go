package eval

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/internal/testdata"
	"github.com/normswap/normswap/quant"
)

func open(t *testing.T, name string, o engine.Options) *engine.Model {
	t.Helper()
	m, err := engine.Open(testdata.Path(t, name), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// TestPerplexity holds the figure against llama-perplexity's, on the twins
// over the first chunks of the held-out tales (twins.json has 200).
func TestPerplexity(t *testing.T) {
	for name, want := range map[string][2]float64{
		"trained/fairy-tales-5.5M-layernorm-F32.gguf": {39.7244, 0.6647},
	} {
		text := string(testdata.Read(t, "text/fairy-tales-heldout.txt"))
		m := open(t, name, engine.Options{})
		ids, _, err := Text(m, text, 0)
		if err != nil {
			t.Fatal(err)
		}
		res, err := Run(t.Context(), []*engine.Model{m}, []string{"native"}, ids, Options{Context: 256, Chunks: 200, KV: quant.F16})
		if err != nil {
			t.Fatal(err)
		}
		ppl, se := res[0].Perplexity()
		// llama.cpp rounds what it caches and looks up; the figure has six
		// digits, and five agree.
		if math.Abs(ppl-want[0]) > 1e-4*want[0] || math.Abs(se-want[1]) > 1e-3*want[1] {
			t.Errorf("%s: perplexity %.4f +- %.4f, llama.cpp's %.4f +- %.4f", name, ppl, se, want[0], want[1])
		}
		t.Logf("%s: %.4f +- %.4f", name, ppl, se)
	}
}

// TestCompare: the fold changes nothing, the naive swap of a model whose
// writers have a mean changes much, and shards merge to the whole.
func TestCompare(t *testing.T) {
	var models []*engine.Model
	names := []string{"native", "rms-folded", "rms-naive"}
	for _, n := range names {
		models = append(models, open(t, "archs/gptneox.gguf", engine.Options{Norm: engine.NormMode(n)}))
	}
	ids, random, err := Text(models[0], "", 64*9)
	if err != nil || !random {
		t.Fatalf("a model without a vocabulary: random %v, %v", random, err)
	}
	whole, err := Run(t.Context(), models, names, ids, Options{Context: 64})
	if err != nil {
		t.Fatal(err)
	}
	native, folded, naive := &whole[0], &whole[1], &whole[2]
	if native.KL.Mean != 0 || native.SameTop != native.KL.N || native.NLL.N != 9*31 {
		t.Errorf("native against itself: %+v", native)
	}
	if !(folded.KL.Mean < 1e-8 && folded.KLMax < 1e-7) || folded.SameTop != folded.KL.N {
		t.Errorf("folded: mean KL %.2g, max %.2g, top-1 %.3f", folded.KL.Mean, folded.KLMax, folded.TopAgreement())
	}
	if !(naive.KL.Mean > 1e-2) || naive.KLBins.Quantile(0.5) > naive.KLBins.Quantile(0.99) || naive.KLBins.Quantile(0.99) > naive.KLMax*1.02 {
		t.Errorf("naive: mean KL %.2g, median %.2g, p99 %.2g, max %.2g", naive.KL.Mean, naive.KLBins.Quantile(0.5), naive.KLBins.Quantile(0.99), naive.KLMax)
	}
	var merged []Result
	for i := range 4 {
		part, err := Run(t.Context(), models, names, ids, Options{Context: 64, Shard: i, Shards: 4})
		if err != nil {
			t.Fatal(err)
		}
		if merged == nil {
			merged = part
			continue
		}
		for j := range merged {
			if err := merged[j].Merge(&part[j]); err != nil {
				t.Fatal(err)
			}
		}
	}
	for j := range merged {
		a, b := &merged[j], &whole[j]
		near := func(x, y float64) bool { return math.Abs(x-y) <= 1e-9*max(math.Abs(x), math.Abs(y)) }
		if a.NLL.N != b.NLL.N || a.SameTop != b.SameTop || a.KLMax != b.KLMax || a.MaxLogit != b.MaxLogit ||
			!near(a.NLL.Mean, b.NLL.Mean) || !near(a.NLL.M2, b.NLL.M2) || !near(a.KL.Mean, b.KL.Mean) || !near(a.DeltaP2.Mean, b.DeltaP2.Mean) ||
			a.KLBins.Quantile(0.99) != b.KLBins.Quantile(0.99) {
			t.Errorf("%s: merged\n%+v, whole\n%+v", a.Norm, a, b)
		}
	}
	if err := merged[0].Merge(&whole[1]); err == nil {
		t.Error("figures of two modes merge")
	}
}

// TestPredict: identity 1 predicts nought where there is no mean, and what
// the naive swap does to the first norm where there is one.
func TestPredict(t *testing.T) {
	ids := []int32{3, 8, 13, 18, 23}
	before, err := Predict(t.Context(), open(t, "archs/gpt2.gguf", engine.Options{}), ids)
	if err != nil {
		t.Fatal(err)
	}
	after, err := Predict(t.Context(), open(t, "archs/gpt2.gguf", engine.Options{Norm: engine.RMSFolded}), ids)
	if err != nil {
		t.Fatal(err)
	}
	if len(before) != 5 || len(after) != 5 {
		t.Fatalf("%d and %d sites, want 5", len(before), len(after))
	}
	for i := range before {
		if !(before[i].Error > 0.01) || !(after[i].Error < 1e-4) {
			t.Errorf("%s: predicted %.2g before the fold and %.2g after", before[i].Site, before[i].Error, after[i].Error)
		}
	}
}

// TestHistogram: quantiles are those of the sorted sample, to a bin.
func TestHistogram(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var h Histogram
	var all []float64
	for range 5000 {
		x := math.Exp(2 * rng.NormFloat64())
		if rng.IntN(10) == 0 {
			x = 0
		}
		h.Add(x)
		all = append(all, x)
	}
	slices.Sort(all)
	for _, q := range []float64{0.01, 0.05, 0.5, 0.9, 0.99, 1} {
		want := all[int(math.Ceil(q*float64(len(all))))-1]
		if got := h.Quantile(q); math.Abs(got-want) > 0.012*want {
			t.Errorf("quantile %v: %v, want %v", q, got, want)
		}
	}
	if v := (&Histogram{}).Quantile(0.5); v == v {
		t.Errorf("quantile of nothing: %v", v)
	}
}

func TestRefusals(t *testing.T) {
	m := open(t, "archs/gpt2.gguf", engine.Options{})
	ids := make([]int32, 100)
	for _, o := range []Options{{Context: 3}, {Context: 101}, {Context: 10, Shard: 2, Shards: 2}, {Context: 10, Shard: -1, Shards: 2}} {
		if _, err := Run(t.Context(), []*engine.Model{m}, []string{"native"}, ids, o); err == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
}
