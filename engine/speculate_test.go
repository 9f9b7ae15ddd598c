package engine

import (
	"slices"
	"strings"
	"testing"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/internal/testdata"
	"github.com/normswap/normswap/internal/toy"
	"github.com/normswap/normswap/internal/toytest"
	"github.com/normswap/normswap/quant"
)

// TestSpeculation: tokens and logits are those of plain decoding, to the last bit:
// all architectures and types of weights, greedy and not, by lookup, and by a draft
// of other norms.
func TestSpeculation(t *testing.T) {
	total := map[string]*Speculation{}
	for _, folder := range []string{"archs", "quantized"} {
		for _, name := range testdata.Fixtures(t, folder) {
			m := open(t, name, Options{Threads: 2})
			if m.Arch.Spec.Encoder {
				continue
			}
			mode := RMSNaive
			if m.Arch.Spec.Norm == arch.RMSNorm {
				mode = Centered
			}
			other, err := m.Variant(t.Context(), Options{Threads: 1, Norm: mode})
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			o := SessionOptions{Context: 96, KV: quant.F16}
			for _, story := range stories(4) {
				plain := newSession(t, m, o)
				want, err := story.tell(t.Context(), plain, 24)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				for kind, g := range map[string]*Speculation{
					"lookup": {Lookup: true},
					"draft":  {Draft: newSession(t, other, o)},
					"both":   {Lookup: true, Draft: newSession(t, other, o), Max: 4},
				} {
					s := newSession(t, m, o)
					g.always = true
					got, err := story.tell(t.Context(), s, 24, g)
					if err != nil || !slices.EqualFunc(got, want, slices.Equal) || !slices.Equal(s.Tokens(), plain.Tokens()) {
						t.Errorf("%s: %s differs from plain decoding (%v)", name, kind, err)
					}
					if total[kind] == nil {
						total[kind] = &Speculation{}
					}
					total[kind].Guessed += g.Guessed
					total[kind].Accepted += g.Accepted
				}
			}
		}
	}
	for kind, g := range total {
		t.Logf("%s: %d of %d guesses are right", kind, g.Accepted, g.Guessed)
		if g.Guessed == 0 || g.Accepted == 0 {
			t.Errorf("%s: nothing was guessed, or nothing right", kind)
		}
	}
}

// TestSpeculationErrors: what cannot guess is refused.
func TestSpeculationErrors(t *testing.T) {
	m := open(t, "archs/gpt2.gguf", Options{Threads: 1})
	s := newSession(t, m, SessionOptions{})
	shape := toy.Tiny("gpt2", nil)
	shape.Vocab = 64
	small, err := Load(t.Context(), toytest.Parse(t, toytest.Bytes(t, shape, "F32", 1)), Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer small.Close()
	for want, g := range map[string]*Speculation{
		"its own draft":           {Draft: s},
		"-1 tokens to guess":      {Lookup: true, Max: -1},
		"a vocabulary of 64 toke": {Draft: newSession(t, small, SessionOptions{})},
	} {
		for _, err := range s.Generate(t.Context(), []int32{1, 2}, GenerateOptions{Max: 2, Speculation: g}) {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %q", err, want)
			}
		}
	}
}

func TestLookup(t *testing.T) {
	for text, want := range map[string]int{
		"abcabc": 3, "abab": 2, "xaby zaby qzab": 8, "aaaa": 3, "abcdefg": 0, "a": 0, "": 0, "ab.b": 0, "xab-ab-xab": 3,
	} {
		var tokens []int32
		for _, r := range text {
			tokens = append(tokens, r)
		}
		if at := lookup(tokens, 2); at != want {
			t.Errorf("%q: %d, want %d", text, at, want)
		}
	}
}
