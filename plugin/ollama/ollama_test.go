package ollama

import (
	"encoding/binary"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/fold"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/internal/testdata"
	"github.com/ollama/ollama/ml"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil)))
	os.Exit(m.Run())
}

// models are files of every form of the three architectures.
var models = []string{
	"archs/gpt2", "archs/gpt2-tied", "archs/gptneox", "archs/gptneox-parallel",
	"archs/stablelm-3b", "archs/stablelm-2", "archs/stablelm-12b",
	"trained/nano-sort-85k-F32", "trained/fairy-tales-5.5M-layernorm-F32",
}

// params are those of the CPU, one thread.
var params = ml.BackendParams{AllocMemory: true, NumThreads: 1}

// foldFile folds a file as `infer fold` does, and returns the new file's path.
func foldFile(t *testing.T, from string, o fold.WriteOptions) string {
	t.Helper()
	f, err := gguf.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := arch.Load(f)
	if err != nil {
		t.Fatal(err)
	}
	out, err := fold.Prepare(t.Context(), f, m, o)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "folded.gguf")
	if err := gguf.WriteFile(path, func(w io.Writer) error { return out.Write(t.Context(), w) }); err != nil {
		t.Fatal(err)
	}
	return path
}

func load(t *testing.T, path string) Model {
	t.Helper()
	m, err := Open(t.Context(), path, params)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Config().Cache.Close(); m.Backend().Close() })
	return m
}

// begin starts a session with room for the whole context.
func begin(t *testing.T, m Model) *Session {
	t.Helper()
	s, err := NewSession(m, int(m.Backend().Config().Uint("context_length")))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ours are the logits of every token by our engine.
func ours(t *testing.T, path string, tokens []int32) []float32 {
	t.Helper()
	m, err := engine.Open(t.Context(), path, engine.Options{FloatActivations: true})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	s, err := m.NewSession(engine.SessionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var all []float32
	err = s.EvalAll(t.Context(), tokens, func(_ int, logits []float32) error {
		all = append(all, logits...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// theirs are the logits of every token by Ollama's back end: the first half of
// the tokens in one batch, the others one at a time.
func theirs(t *testing.T, s *Session, tokens []int32) []float32 {
	t.Helper()
	half := len(tokens) / 2
	all, err := s.Eval(t.Context(), tokens[:half], true)
	for i := half; i < len(tokens) && err == nil; i++ {
		var logits []float32
		logits, err = s.Eval(t.Context(), tokens[i:i+1], false)
		all = append(all, logits...)
	}
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// probe are the tokens of the references in tests/testdata, as many as a model
// has room for.
func probe(m Model) []int32 {
	n := min(16, int(m.Backend().Config().Uint("context_length")))
	vocab := m.Backend().Get("token_embd.weight").Dim(1)
	tokens := make([]int32, n)
	for i := range tokens {
		tokens[i] = int32((3 + 5*i) % vocab)
	}
	return tokens
}

// TestLogits holds every model, as it comes and folded, against our engine. A
// folded file is held against the original too, and runs with either norm.
func TestLogits(t *testing.T) {
	for _, name := range models {
		t.Run(filepath.Base(name), func(t *testing.T) {
			path := testdata.Path(t, name+".gguf")
			native := load(t, path)
			if native.Norm() != arch.LayerNorm {
				t.Errorf("%v runs a file that is not folded", native.Norm())
			}
			if err := native.SetNorm(arch.RMSNorm); err == nil {
				t.Error("RMSNorm was allowed for a file that is not folded")
			}
			tokens := probe(native)
			want, bound := ours(t, path, tokens), 1e-11
			if gelu(native) {
				bound = 1e-7
			}
			check := func(m Model, s *Session, kind arch.NormKind) {
				t.Helper()
				if err := m.SetNorm(kind); err != nil {
					t.Fatal(err)
				}
				if err := s.Reset(); err != nil {
					t.Fatal(err)
				}
				e := NMSE(theirs(t, s, tokens), want)
				t.Logf("%s: NMSE %.1e", kind, e)
				if !(e <= bound) {
					t.Errorf("%s: NMSE %.2g, want at most %.0e", kind, e, bound)
				}
			}
			check(native, begin(t, native), arch.LayerNorm)

			for _, o := range []fold.WriteOptions{{}, {Gain: true}} {
				folded := load(t, foldFile(t, path, o))
				if folded.Norm() != arch.RMSNorm {
					t.Fatalf("%v runs a folded file", folded.Norm())
				}
				s := begin(t, folded)
				check(folded, s, arch.RMSNorm)
				check(folded, s, arch.LayerNorm)
			}
		})
	}
}

// gelu reports whether a model has the GELU, which in ggml is a table in half
// precision: a rounding of its input may hit the next entry.
func gelu(m Model) bool {
	_, gated := m.(*stablelm)
	return !gated
}

// TestReference holds the graphs against logits by llama.cpp, which has the
// same table.
func TestReference(t *testing.T) {
	for _, name := range models[:7] {
		m := load(t, testdata.Path(t, name+".gguf"))
		b := testdata.Read(t, name+".logits.f32")
		want := make([]float32, len(b)/4)
		if _, err := binary.Decode(b, binary.LittleEndian, want); err != nil {
			t.Fatal(err)
		}
		tokens := probe(m)
		e, bound := NMSE(theirs(t, begin(t, m), tokens), want), 1e-11
		if gelu(m) {
			bound = 1e-8
		}
		t.Logf("%s: NMSE %.1e", name, e)
		if !(e <= bound) {
			t.Errorf("%s: NMSE %.2g, want at most %.0e", name, e, bound)
		}
	}
}
