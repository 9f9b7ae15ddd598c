package ollama

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/fold"
	"github.com/normswap/normswap/internal/testdata"
	"github.com/normswap/normswap/tokenizer"
	"github.com/ollama/ollama/model"
)

// TestText: the model that sorts letters sorts them with either norm, and the
// one of fairy tales tells what it tells in our engine.
func TestText(t *testing.T) {
	for _, c := range []struct {
		name, prompt string
		n            int
		want         string // "": what our engine writes
	}{
		{"nano-sort-85k-F32", "CBABCA", 5, "AABBC"},
		{"fairy-tales-5.5M-layernorm-F32", "Once upon a time there was", 20, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := testdata.Path(t, "trained/"+c.name+".gguf")
			want := cmp.Or(c.want, continued(t, path, c.prompt, c.n))
			for _, path := range []string{path, foldFile(t, path, fold.WriteOptions{})} {
				m := load(t, path)
				s := begin(t, m)
				for range 2 {
					var got strings.Builder
					if err := s.Generate(t.Context(), c.prompt, c.n, func(piece string) { got.WriteString(piece) }); err != nil {
						t.Fatal(err)
					}
					if got.String() != want {
						t.Errorf("%v: %q, want %q", m.Norm(), got.String(), want)
					}
					if err := s.Reset(); err != nil {
						t.Fatal(err)
					}
				}
			}
		})
	}
}

// continued is the greedy continuation of a prompt by our engine.
func continued(t *testing.T, path, prompt string, n int) string {
	t.Helper()
	m, err := engine.Open(t.Context(), path, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	tok, err := m.Tokenizer()
	if err != nil {
		t.Fatal(err)
	}
	ids, err := tok.Encode(prompt, tokenizer.EncodeOptions{AddSpecial: true})
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.NewSession(engine.SessionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var text []byte
	for id, err := range s.Generate(t.Context(), ids, engine.GenerateOptions{Max: n}) {
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, tok.Piece(id)...)
	}
	return string(text)
}

// TestTokens: Ollama's tokenizer cuts text as ours does.
func TestTokens(t *testing.T) {
	path := testdata.Path(t, "trained/fairy-tales-5.5M-layernorm-F32.gguf")
	m := load(t, path)
	e, err := engine.Open(t.Context(), path, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	tok, err := e.Tokenizer()
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"Once upon a time", "  two  spaces\n\nand 1789 lines, he'll say: \"Über allen Gipfeln\" 国王"} {
		want, err := tok.Encode(text, tokenizer.EncodeOptions{AddSpecial: true})
		if err != nil {
			t.Fatal(err)
		}
		got, err := m.Encode(text, true)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v, %v, want %v", text, got, err, want)
		}
	}
}

func TestSessionErrors(t *testing.T) {
	m := load(t, testdata.Path(t, "archs/gpt2.gguf"))
	for _, room := range []int{0, 257} {
		if _, err := NewSession(m, room); err == nil {
			t.Errorf("room for %d tokens in a context of 256", room)
		}
	}
	s, err := NewSession(m, 4)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewSession(m, 4); err == nil {
		t.Error("a second session of one cache")
	}
	for _, tokens := range [][]int32{nil, {-1}, {128}, {1, 2, 3, 4, 5}} {
		if _, err := s.Eval(t.Context(), tokens, false); err == nil {
			t.Errorf("tokens %v were taken", tokens)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Eval(ctx, []int32{1}, false); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if err := s.Generate(t.Context(), "text", 1, func(string) {}); err == nil || !strings.Contains(err.Error(), `"test"`) {
		t.Errorf("a text for a model without a vocabulary of words: %v", err)
	}
}

// TestShift: turning keys by a shift is as if they had been turned by the
// shifted positions, which is what lets Ollama drop the oldest tokens.
func TestShift(t *testing.T) {
	m := load(t, testdata.Path(t, "archs/gptneox-parallel.gguf")).(*gptneox)
	ctx := m.Backend().NewContext()
	defer ctx.Close()
	values := make([]float32, 8*4*3)
	for i := range values {
		values[i] = float32(i%7) - 3
	}
	in := ctx.Input()
	keys := in.FromFloats(values, 8, 4, 3)
	got, err := m.shift(ctx, 0, m.rotate(ctx, keys, in.FromInts([]int32{5, 6, 7}, 3)), in.FromInts([]int32{-5, -5, -5}, 3))
	if err != nil {
		t.Fatal(err)
	}
	want := m.rotate(ctx, keys, in.FromInts([]int32{0, 1, 2}, 3))
	ctx.Forward(got, want).Compute(got, want)
	if e := NMSE(got.Floats(), want.Floats()); !(e <= 1e-12) {
		t.Errorf("NMSE %.2g, want at most 1e-12", e)
	}
}

// TestRegistered: Ollama opens the models by itself, too, with LayerNorm, and
// finds their tokenizer.
func TestRegistered(t *testing.T) {
	path := foldFile(t, testdata.Path(t, "trained/nano-sort-85k-F32.gguf"), fold.WriteOptions{})
	m, err := model.New(path, params)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Backend().Close()
	if kind := m.(Model).Norm(); kind != arch.LayerNorm {
		t.Errorf("%v runs a file that was not verified", kind)
	}
	text, err := model.NewTextProcessor(path)
	if err != nil {
		t.Fatal(err)
	}
	if ids, err := text.Encode("CAB", true); err != nil || !slices.Equal(ids, []int32{2, 0, 1}) {
		t.Errorf("CAB is %v, %v", ids, err)
	}
}
