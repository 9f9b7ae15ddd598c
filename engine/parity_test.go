package engine

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"testing"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/internal/testdata"
	"github.com/normswap/normswap/quant"
)

// open opens a model of the test data.
func open(t testing.TB, name string, o Options) *Model {
	t.Helper()
	m, err := Open(t.Context(), testdata.Path(t, name), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// allLogits evaluates tokens in a new session with an F32 cache.
func allLogits(t testing.TB, m *Model, tokens []int32) []float32 {
	t.Helper()
	s, err := m.NewSession(SessionOptions{KV: quant.F32})
	if err != nil {
		t.Fatal(err)
	}
	var all []float32
	err = s.EvalAll(context.Background(), tokens, func(_ int, logits []float32) error {
		all = append(all, logits...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestArchitectures holds the logits of every architecture against
// llama.cpp's. Its GELU is a table in half precision, hence the wider bound.
func TestArchitectures(t *testing.T) {
	for _, name := range testdata.Fixtures(t, "archs") {
		t.Run(name, func(t *testing.T) {
			m := open(t, name, Options{})
			bound := 1e-10
			if m.Arch.Spec.Activation == arch.GELU {
				bound = 1e-7
			}
			got := allLogits(t, m, testdata.Tokens())
			if e := testdata.NMSE(got, testdata.Logits(t, name)); !(e <= bound) {
				t.Errorf("NMSE %.2g, want <= %.0g", e, bound)
			} else {
				t.Logf("NMSE %.2g", e)
			}
		})
	}
}

// TestBatchEqualsTokens: a prefill gives the logits of token by token, and
// a timeline that was cut and grown again those of a new one. Products of
// float weights add up in another order for one row than for many, hence the
// bound: some roundings of float32, far below what tells two runners apart.
func TestBatchEqualsTokens(t *testing.T) {
	ctx := context.Background()
	for _, name := range testdata.Fixtures(t, "archs") {
		m := open(t, name, Options{})
		tokens := testdata.Tokens()
		want := allLogits(t, m, tokens)
		s, err := m.NewSession(SessionOptions{KV: quant.F32})
		if err != nil {
			t.Fatal(err)
		}
		var got []float32
		for _, id := range tokens {
			logits, err := s.Eval(ctx, []int32{id})
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, logits...)
		}
		if e := testdata.NMSE(got, want); !(e <= 1e-11) {
			t.Errorf("%s: token by token NMSE %.2g", name, e)
		}
		other := slices.Clone(tokens)
		for i := 9; i < len(other); i++ {
			other[i] = 1
		}
		if _, kept, err := s.Sync(ctx, other); err != nil || kept != 9 {
			t.Fatalf("%s: Sync kept %d tokens, want 9 (%v)", name, kept, err)
		}
		logits, _, err := s.Sync(ctx, tokens)
		if err != nil {
			t.Fatal(err)
		}
		if e := testdata.NMSE(logits, want[len(want)-m.Vocab():]); !(e <= 1e-11) {
			t.Errorf("%s: after Sync NMSE %.2g", name, e)
		}
	}
}

// TestThreads: results do not depend on the number of threads.
func TestThreads(t *testing.T) {
	for _, name := range append(testdata.Fixtures(t, "archs"), testdata.Fixtures(t, "quantized")...) {
		var want []float32
		for _, threads := range []int{1, 2, 3, 5} {
			m := open(t, name, Options{Threads: threads})
			got := allLogits(t, m, testdata.Tokens())
			if want == nil {
				want = got
			} else if !slices.Equal(got, want) {
				t.Errorf("%s: %d threads give other logits than 1", name, threads)
			}
		}
	}
}

// TestQuantized: activations of 8 bits as llama.cpp has them, and activations
// in float against the forward of the decoded weights.
func TestQuantized(t *testing.T) {
	names := testdata.Fixtures(t, "quantized")
	for _, typ := range []string{"BF16", "F16", "F32", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q5_K_M", "Q6_K", "Q8_0",
		"IQ3_S", "IQ4_NL", "IQ4_XS", "MXFP4_MOE", "Q2_K", "Q3_K_M", "TQ1_0", "TQ2_0"} {
		names = append(names, "quantized/gpt2-256-"+typ+".gguf")
	}
	names = append(names, "quantized/llama-256-Q4_K_M.gguf", "quantized/llama-256-Q8_0.gguf")
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			m := open(t, name, Options{})
			if e := testdata.NMSE(allLogits(t, m, testdata.Tokens()), testdata.Logits(t, name)); !(e <= 2e-3) {
				t.Errorf("8-bit activations: NMSE %.2g, want <= 2e-3", e)
			} else {
				t.Logf("8-bit activations: NMSE %.2g", e)
			}
			exact := decoded(t, name)
			m = open(t, name, Options{FloatActivations: true})
			if e := testdata.NMSE(allLogits(t, m, testdata.Tokens()), allLogits(t, exact, testdata.Tokens())); !(e <= 1e-9) {
				t.Errorf("float activations: NMSE %.2g from the decoded weights, want <= 1e-9", e)
			}
		})
	}
}

// Small models that keep their activations in float32 have their weights
// decoded when they are loaded, which changes nothing, to the last bit.
func TestWiden(t *testing.T) {
	for _, name := range []string{"quantized/gpt2-256-Q4_K_M.gguf", "trained/fairy-tales-5.5M-layernorm-Q8_0.gguf"} {
		for _, norm := range []NormMode{Native, RMSFolded} {
			o := Options{FloatActivations: true, Norm: norm}
			wide, stored := open(t, name, o), open(t, name, o)
			for _, all := range wide.linears() {
				if typ := all[0].w.Type; typ != quant.F32 {
					t.Errorf("%s: weights run as %v", name, typ)
				}
			}
			for a, all := range stored.linears() {
				var b builder
				for _, l := range all {
					l.w = b.linear(a).w
				}
			}
			// A prompt, and single tokens.
			tokens := testdata.Tokens()
			if !slices.Equal(allLogits(t, wide, tokens), allLogits(t, stored, tokens)) || !slices.Equal(allLogits(t, wide, tokens[:2]), allLogits(t, stored, tokens[:2])) {
				t.Errorf("%s, norm %s: decoded weights give other logits", name, norm)
			}
		}
	}
}

// decoded opens a model and decodes its matrices to F32.
func decoded(t *testing.T, name string) *Model {
	m := open(t, name, Options{})
	f := m.File
	for i := range f.Tensors {
		x := &f.Tensors[i]
		v, err := x.Float32s()
		if err != nil {
			t.Fatal(err)
		}
		x.Type, x.Data = quant.F32, make([]byte, 4*len(v))
		if err := quant.Encode(x.Data, quant.F32, v); err != nil {
			t.Fatal(err)
		}
	}
	d, err := Load(t.Context(), f, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// authored are the author's own for three sequences: x is the sum of the
// embeddings, block0..2 the residual stream after each block; every array is
// [sequence, position, coordinate].
type authored struct {
	Tokens [][]int32 `json:"tokens"`
	X      []float32 `json:"x"`
	LN1    []float32 `json:"ln1"`
	Block0 []float32 `json:"block0"`
	Block1 []float32 `json:"block1"`
	Block2 []float32 `json:"block2"`
	LNF    []float32 `json:"ln_f"`
	LMHead []float32 `json:"lm_head"`
}

// TestActivations holds the residual stream and the logits against those
// that the author of a model computed in PyTorch.
func TestActivations(t *testing.T) {
	var truth authored
	if err := json.Unmarshal(testdata.Read(t, "trained/nano-sort-85k.activations.json"), &truth); err != nil {
		t.Fatal(err)
	}
	m := open(t, "trained/nano-sort-85k-F32.gguf", Options{})
	d := m.Arch.Dim
	near := func(what string, got, want []float32) {
		t.Helper()
		if len(got) != len(want) {
			t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
		}
		for i := range want {
			if e := math.Abs(float64(got[i] - want[i])); !(e <= 1e-4) {
				t.Fatalf("%s: value %d is %v, the author's %v", what, i, got[i], want[i])
			}
		}
	}
	for i, tokens := range truth.Tokens {
		n := len(tokens)
		part := func(all []float32) []float32 { return all[i*n*d : (i+1)*n*d] }
		s, err := m.NewSession(SessionOptions{KV: quant.F32})
		if err != nil {
			t.Fatal(err)
		}
		p, err := m.acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		p.begin([]segment{{session: s, tokens: tokens}})
		x := p.embed()
		near("x", x, part(truth.X))
		normed := make([]float32, len(x))
		p.normalize(normed, x, m.blocks[0].attnNorm)
		near("ln1", normed, part(truth.LN1))
		for b, want := range [][]float32{truth.Block0, truth.Block1, truth.Block2} {
			x = p.block(b, x)
			near("block", x, part(want))
		}
		p.normalize(normed, x, m.finalNorm)
		near("ln_f", normed, part(truth.LNF))
		m.release(p)
		v := m.Vocab()
		near("lm_head", allLogits(t, m, tokens), truth.LMHead[i*n*v:(i+1)*n*v])
	}
}
