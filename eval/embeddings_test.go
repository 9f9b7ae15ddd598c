package eval

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/internal/testdata"
)

// TestCompareEmbeddings: figures of vectors in a plane, worked out by hand.
func TestCompareEmbeddings(t *testing.T) {
	at := func(degrees ...float64) (all [][]float32) {
		for _, d := range degrees {
			sin, cos := math.Sincos(d * math.Pi / 180)
			all = append(all, []float32{float32(cos), float32(sin)})
		}
		return all
	}
	native := at(0, 10, 31, 60)
	f := CompareEmbeddings(native, native)
	if math.Abs(float64(f.Cosine)-1) > 1e-7 || f.Rank != 1 || f.SameNeighbor != 1 || f.SameNeighbors != 1 {
		t.Errorf("the same vectors: %+v", f)
	}
	// The third turns by 60 degrees: the fourth is nearest to it now.
	f = CompareEmbeddings(native, at(0, 10, 91, 60))
	for _, c := range []struct {
		name      string
		got, want float64
	}{
		{"mean", float64(f.Cosine), 0.875}, {"median", float64(f.CosineMedian), 1}, {"worst", float64(f.CosineWorst), 0.5}, {"p1", float64(f.CosineP1), 0.5},
		{"same nearest", float64(f.SameNeighbor), 0.75}, {"of ten nearest", float64(f.SameNeighbors), 1},
		// Angles of the pairs 10 31 60 21 50 29 become 10 91 60 81 50 31: ranks of cosines
		// 5 2 0 4 1 3 and 5 0 2 1 3 4.
		{"rank correlation", float64(f.Rank), 1 - 6*22.0/(6*35)},
	} {
		if !(math.Abs(c.got-c.want) < 1e-6) {
			t.Errorf("%s: %v, want %v", c.name, c.got, c.want)
		}
	}
	if f = CompareEmbeddings(native[:2], native[:2]); f.Rank == f.Rank {
		t.Error("two texts have a rank correlation")
	}
}

// TestRunEmbeddings: a comparison is what a sweep measures, and models whose embeddings
// have another width, or another vocabulary, are refused.
func TestRunEmbeddings(t *testing.T) {
	for _, file := range []string{"encoders/bert.gguf", "encoders/bert-rank.gguf"} {
		m := open(t, file, engine.Options{})
		p := experiment(t, m, "rms-naive")
		on := make([]bool, len(p.Sites))
		for i := range on {
			on[i] = true
		}
		want, err := p.Measure(t.Context(), on)
		if err != nil {
			t.Fatal(err)
		}
		naive, err := m.Variant(t.Context(), engine.Options{Norm: engine.RMSNaive})
		if err != nil {
			t.Fatal(err)
		}
		defer naive.Close()
		r, err := RunEmbeddings(t.Context(), []*engine.Model{m, naive}, []string{"native", "rms-naive"}, p.windows, nil)
		if err != nil {
			t.Fatal(err)
		}
		cost, _ := want.mean(func(w Window) float64 { return w.KL })
		f := r.Norms[1]
		if math.Abs(1-float64(f.Cosine)-cost) > 1e-6 || f.Rank != want.RankCorrelation || f.SameNeighbor != want.SameNeighbor {
			t.Errorf("%s: %+v, a sweep has %v %v %v", file, f, 1-cost, want.RankCorrelation, want.SameNeighbor)
		}
		if !(f.SwapPredicted > 0 && math.Abs(float64(f.SwapMeasured/f.SwapPredicted)-1) < 1e-2) || r.Norms[0].SwapPredicted == r.Norms[0].SwapPredicted {
			t.Errorf("%s: the swap's error is %v, predicted %v", file, f.SwapMeasured, f.SwapPredicted)
		}
		if r.Pooling != "mean" && r.Pooling != "cls" || !strings.HasPrefix(r.Verdict, "rms-naive: embeddings keep a mean cosine of ") {
			t.Errorf("%s: pooling %s, %q", file, r.Pooling, r.Verdict)
		}
	}
	a, b := open(t, "encoders/bert.gguf", engine.Options{}), open(t, "encoders/modern-bert.gguf", engine.Options{})
	if _, err := RunEmbeddings(t.Context(), []*engine.Model{a, b}, []string{"a", "b"}, windowsOf(a, 3, 8), nil); err == nil {
		t.Error("models of different vocabularies are compared")
	}
}

// TestRoundingSentence: what rounding does to embeddings is not put down to a norm.
func TestRoundingSentence(t *testing.T) {
	r := EmbeddingReport{Norms: []EmbeddingFigures{{Norm: "native"}, {Norm: Rounding, Cosine: 0.99995, CosineWorst: 0.9998, SameNeighbor: 1}}}
	if s := r.Sentences(); len(s) != 1 || !strings.HasPrefix(s[0], "Rounding activations to 8 bits alone") || !strings.Contains(s[0], "0.999950 (0.9998 at worst)") {
		t.Errorf("%q", s)
	}
}

// TestMiniLMSwap holds the swap of every norm of a trained encoder, and of each alone,
// against what float64 gives (the weights here have 8 bits).
func TestMiniLMSwap(t *testing.T) {
	var texts []struct{ IDs []int32 }
	if err := json.Unmarshal(testdata.Read(t, "real/minilm.json"), &texts); err != nil {
		t.Fatal(err)
	}
	var ids [][]int32
	for _, text := range texts {
		ids = append(ids, text.IDs)
	}
	m := open(t, "real/all-MiniLM-L6-v2-Q8_0.gguf", engine.Options{FloatActivations: true})
	r, err := Calibrate(t.Context(), m, "rms-naive", nil)
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewExperiment(t.Context(), m, engine.Options{FloatActivations: true}, r, ids)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	rows, err := p.Sweep(t.Context(), SweepOptions{})
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]Row{}
	for _, r := range rows {
		if r.Direction == "only" && (r.Group == "site" || r.Group == "all") {
			found[r.Name()] = r
		}
	}
	names := strings.NewReplacer("encoder.layer.", "blk.", ".attention.output.LayerNorm", ".attn_output_norm", ".output.LayerNorm", ".layer_output_norm",
		"embeddings.LayerNorm", "token_embd_norm", "naive all", "all norms")
	for line := range strings.Lines(string(testdata.Read(t, "real/swap-minilm.txt"))) {
		name, figures, _ := strings.Cut(names.Replace(line), " cos mean ")
		var want [4]float64
		if n, _ := fmt.Sscanf(figures, "%g min %g spearman %g nn %g", &want[0], &want[1], &want[2], &want[3]); n < 4 {
			continue // angles
		}
		row, ok := found[name]
		if !ok {
			t.Fatalf("no row %q", name)
		}
		cost := 1 - want[0]
		if got := [4]Number{*row.Cosine, *row.CosineWorst, *row.Rank, *row.SameNeighbor}; math.Abs(float64(got[0])-want[0]) > 0.02*cost+1e-5 ||
			math.Abs(float64(got[1])-want[1]) > 0.02*(1-want[1])+1e-4 || math.Abs(float64(got[2])-want[2]) > 0.02*(1-want[2])+1e-4 || math.Abs(float64(got[3])-want[3]) > 1.5/60 {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
		delete(found, name)
	}
	if len(found) > 0 {
		t.Errorf("not compared: %v", found)
	}
}
