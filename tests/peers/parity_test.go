package main

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/internal/testdata"
	"github.com/normswap/normswap/internal/toy"
	"github.com/normswap/normswap/internal/toytest"
)

// randomTokens returns n tokens of a vocabulary.
func randomTokens(n, vocab int) []int32 {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	tokens := make([]int32, n)
	for i := range tokens {
		tokens[i] = r.Int32N(int32(vocab))
	}
	return tokens
}

// compare holds our logits over tokens against llama.cpp's.
func compare(t *testing.T, path string, tokens []int32, bound float64) {
	t.Helper()
	want, _, err := peerLogits(path, "", tokens)
	if err != nil {
		t.Fatal(err)
	}
	got, _ := logits(t, path, tokens)
	e := testdata.NMSE(got, want)
	t.Logf("%d tokens: NMSE %.2g", len(tokens), e)
	if !(e <= bound) {
		t.Errorf("NMSE %.2g over %d tokens, want at most %.0g", e, len(tokens), bound)
	}
}

// Every architecture over as many tokens as its context takes, up to 200: more
// than any sliding window of the fixtures, several blocks of attention, and
// positions at which a wrong base or slope shows. The bounds are what llama.cpp
// itself rounds: GELU to half precision, and the angles of RoPE to float32 where
// the frequencies are divided by small factors.
func TestLongSequences(t *testing.T) {
	for _, fixture := range testdata.Fixtures(t, "archs") {
		t.Run(name(fixture), func(t *testing.T) {
			path := testdata.Path(t, fixture)
			m, err := engine.Open(t.Context(), path, engine.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			bound := 1e-11
			if _, factors := m.File.Tensor("rope_freqs.weight"); factors {
				bound = 1e-8
			}
			if m.Arch.Spec.Activation == arch.GELU {
				bound = halfGELU
			}
			compare(t, path, randomTokens(min(m.Context(), 200), m.Vocab()), bound)
		})
	}
}

// halfGELU is the NMSE of GELU from a table in half precision, as llama.cpp has
// it: argument and result are each off by up to 2^-11 of their size.
const halfGELU = 2.0 / (1 << 22)

// Files of `infer synth`, at the widths of the well-known shapes but with two
// layers and a small vocabulary, are models to llama.cpp, and it computes what
// we compute. Where weights are in half precision, llama.cpp rounds activations
// to it; where they are quantised, both sides round activations to 8 bits, each
// in its own way.
func TestSynthetic(t *testing.T) {
	for shapeName, shape := range toy.Shapes {
		shape.Layers, shape.Vocab, shape.Context = 2, 512, 256
		for typ, bound := range map[string]float64{"F32": halfGELU, "F16": halfGELU, "Q8_0": 1e-3, "Q4_0": 1e-3, "Q4_K_M": 1e-3} {
			t.Run(shapeName+"-"+typ, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "model.gguf")
				if err := os.WriteFile(path, toytest.Bytes(t, shape, typ, 1), 0o666); err != nil {
					t.Fatal(err)
				}
				compare(t, path, randomTokens(20, shape.Vocab), bound)
			})
		}
	}
}
