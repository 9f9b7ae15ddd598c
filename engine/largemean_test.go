package engine

import (
	"strings"
	"testing"

	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/internal/testdata"
	"github.com/normswap/normswap/internal/toy"
	"github.com/normswap/normswap/internal/toytest"
	"github.com/normswap/normswap/quant"
)

// rewritten changes the values of the tensors whose names contain one of some
// words. It stores them in the type of the file, or all tensors as F32.
func rewritten(t *testing.T, b []byte, words string, wide bool, change func(v float32) float32) []byte {
	t.Helper()
	return rewrite(t, b, func(f *gguf.File) {
		for i := range f.Tensors {
			x := &f.Tensors[i]
			v, err := x.Float32s()
			if err != nil {
				t.Fatal(err)
			}
			for word := range strings.FieldsSeq(words) {
				if strings.Contains(x.Name, word) {
					for j := range v {
						v[j] = change(v[j])
					}
				}
			}
			if wide {
				x.Type = quant.F32
			}
			size, err := x.Type.RowBytes(x.Dims[0])
			if err != nil {
				t.Fatal(err)
			}
			x.Data = make([]byte, len(v)/x.Dims[0]*size)
			for r := range len(v) / x.Dims[0] {
				if err := quant.Encode(x.Data[r*size:(r+1)*size], x.Type, v[r*x.Dims[0]:(r+1)*x.Dims[0]]); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

// TestLargeMeans: a fold in memory is exact whatever the mean of what writes the
// stream. The reference is the model as trained with the constant taken out again,
// which a LayerNorm does not see.
func TestLargeMeans(t *testing.T) {
	writers := map[string]string{
		"embeddings":    "token_embd.weight",
		"positions":     "position_embd.weight",
		"biases":        "attn_output.bias ffn_down.bias",
		"weights":       "attn_output.weight ffn_down.weight",
		"experts":       "ffn_down_exps.weight",
		"a norm's bias": "token_embd_norm.bias",
		"everything":    "token_embd.weight position_embd.weight attn_output ffn_down",
	}
	for _, c := range []struct{ arch, what string }{
		{"gpt2", "embeddings"}, {"gpt2", "positions"}, {"gpt2", "biases"}, {"gpt2", "weights"}, {"gpt2", "everything"},
		{"stablelm", "embeddings"}, {"stablelm", "weights"}, {"phi2", "biases"}, {"phi2", "weights"}, {"dbrx", "experts"}, {"bloom", "a norm's bias"},
	} {
		for _, typ := range []string{"F32", "F16", "Q8_0"} {
			shape := toy.Tiny(c.arch, func(tensor string) bool {
				return !strings.Contains(tensor, "attn_q_norm") && !strings.Contains(tensor, "attn_k_norm")
			})
			shape.FFN = 128
			for _, constant := range []float32{4, 300, 10_000} {
				b := rewritten(t, toytest.Bytes(t, shape, typ, 1), writers[c.what], false, func(v float32) float32 { return v + constant })
				small := rewritten(t, b, writers[c.what], true, func(v float32) float32 { return v - constant })
				run := func(b []byte, o Options) []float32 {
					m, err := Load(t.Context(), toytest.Parse(t, b), o)
					if err != nil {
						t.Fatalf("%s %s, %v in %s: %v", c.arch, typ, constant, c.what, err)
					}
					defer m.Close()
					return allLogits(t, m, testdata.Tokens())
				}
				want := run(small, Options{Threads: 1, FloatActivations: true})
				if e := testdata.NMSE(run(b, Options{Threads: 1, FloatActivations: true, Norm: RMSFolded}), want); !(e <= 1e-11) {
					t.Errorf("%s %s, %v in %s: NMSE %.2g", c.arch, typ, constant, c.what, e)
				}
				if e := testdata.NMSE(run(b, Options{Threads: 1, Norm: RMSFolded}), want); !(e <= 1e-3) {
					t.Errorf("%s %s, %v in %s, activations of 8 bits: NMSE %.2g", c.arch, typ, constant, c.what, e)
				}
			}
		}
	}
}

// TestLargeMeanFiles holds folds of models with a mean of 300 against runs of
// the models without it that nobody here wrote.
func TestLargeMeanFiles(t *testing.T) {
	for _, name := range []string{"cases/round2/gpt2-posmean300.gguf", "cases/round2/stablelm-mean300.gguf"} {
		got := allLogits(t, open(t, name, Options{Norm: RMSFolded}), testdata.Tokens())
		if e := testdata.NMSE(got, testdata.Logits(t, name)); !(e <= 1e-10) {
			t.Errorf("%s: NMSE %.2g", name, e)
		}
	}
}

// TestCenteredCopies: weights are copied where their means are large, and only
// there.
func TestCenteredCopies(t *testing.T) {
	shape := toy.Tiny("gpt2", nil)
	for constant, want := range map[float32]bool{0: false, 300: true} {
		b := rewritten(t, toytest.Bytes(t, shape, "Q8_0", 1), "ffn_down.weight", false, func(v float32) float32 { return v + constant })
		m, err := Load(t.Context(), toytest.Parse(t, b), Options{Norm: RMSFolded})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(m.Note(), "centers copies"); got != want || (m.blocks[0].down.w.Type == quant.F32) != want || (m.blocks[0].down.means == nil) != want {
			t.Errorf("a mean of %v: %q, %v", constant, m.Note(), m.blocks[0].down.w.Type)
		}
		m.Close()
	}
}
