package llamacpp

import (
	"context"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/internal/testdata"
)

// library loads the libraries of the folder that Env names, or those that
// tests/peers has installed. Without them a test is skipped.
func library(t testing.TB) *Library {
	t.Helper()
	dir := os.Getenv(Env)
	if dir == "" {
		dir = filepath.Join(testdata.Root(), "tests", "peers", "node_modules", "@node-llama-cpp", "linux-x64", "bins", "linux-x64")
		if _, err := os.Stat(dir); err != nil {
			t.Skipf("no llama.cpp in %s (tests/peers/compare --install, or set %s)", dir, Env)
		}
	}
	lib, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return lib
}

func open(t testing.TB, path string, o Options) *Model {
	t.Helper()
	m, err := library(t).Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func evaluate(t testing.TB, m *Model, tokens []int32, h *Hook) []float32 {
	t.Helper()
	m.Reset()
	logits, err := m.Eval(t.Context(), tokens, h)
	if err != nil {
		t.Fatal(err)
	}
	return logits
}

// ours returns the engine's logits in a norm mode.
func ours(t testing.TB, path string, mode engine.NormMode, tokens []int32, tap *engine.Tap) []float32 {
	t.Helper()
	m, err := engine.Open(t.Context(), path, engine.Options{FloatActivations: true, TanhGELU: true, Norm: mode})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	s, err := m.NewSession(engine.SessionOptions{Context: len(tokens), Tap: tap})
	if err != nil {
		t.Fatal(err)
	}
	var logits []float32
	if err := s.EvalAll(t.Context(), tokens, func(_ int, row []float32) error {
		logits = append(logits, row...)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return logits
}

// bound is how near our engine's logits are to llama.cpp's: its GELU is a table
// in half precision, and it divides RoPE's angles by factors in float32.
func bound(m *arch.Model) float64 {
	switch {
	case m.Spec.Activation == arch.GELU:
		return 1e-6
	case m.RoPE.Factors != nil:
		return 1e-8
	}
	return 1e-10
}

// Every fixture: a hook that only looks leaves the logits as they are to the
// bit, what it sees of each norm is what our engine sees, and the logits with
// all norms swapped are those of our engine with its norms swapped.
func TestFixtures(t *testing.T) {
	for _, fixture := range testdata.Fixtures(t, "archs") {
		t.Run(strings.TrimPrefix(fixture, "archs/"), func(t *testing.T) {
			checkModel(t, testdata.Path(t, fixture))
		})
	}
}

// Trained models, one of them with a real model's spread of norms.
func TestTrained(t *testing.T) {
	for _, path := range testdata.Files(t, "trained", "-F32.gguf") {
		t.Run(filepath.Base(path), func(t *testing.T) { checkModel(t, path) })
	}
}

// A published LayerNorm model, IgLM, made a GGUF file of its folder: see docs/MODELS.md.
func TestPublished(t *testing.T) {
	folder := filepath.Join(os.Getenv("NORMSWAP_MODELS"), "iglm", "trained_models", "IgLM")
	if _, err := os.Stat(folder); err != nil {
		t.Skip("no IgLM in the folder that NORMSWAP_MODELS names (tests/published/run --install)")
	}
	path := filepath.Join(t.TempDir(), "iglm.gguf")
	convert := exec.Command("go", "run", "-C", "../..", "./cmd/infer", "convert", folder, "-o", path)
	if out, err := convert.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	checkModel(t, path)
}

func checkModel(t *testing.T, path string) {
	plain, m := open(t, path, Options{Threads: 1, Plain: true}), open(t, path, Options{Threads: 1})
	tokens := testdata.Tokens()
	tokens = tokens[:min(len(tokens), m.Context())]
	for i := range tokens {
		tokens[i] %= int32(m.Vocab())
	}
	known, err := arch.Load(m.File)
	if err != nil {
		t.Fatal(err)
	}
	want := evaluate(t, plain, tokens, nil)
	if got := evaluate(t, m, tokens, nil); !slices.Equal(got, want) {
		t.Error("the callback changes the logits")
	}
	seen := map[string]Vectors{}
	look := &Hook{Tap: func(v Vectors) {
		v.In, v.Std = slices.Clone(v.In), v.Out(nil)
		seen[v.Site.Name] = v
	}}
	if got := evaluate(t, m, tokens, look); !slices.Equal(got, want) {
		t.Error("looking changes the logits")
	}

	worst, at := 0.0, ""
	tap := &engine.Tap{Func: func(h engine.Hidden) {
		v, ok := seen[h.Site.Site]
		got := v.In
		if h.Stage == engine.Out {
			got = v.Std
		}
		if e := testdata.NMSE(got, h.Rows); !ok || !(e <= worst) {
			worst, at = e, h.Site.Site
		}
	}}
	ours(t, path, engine.Native, tokens, tap)
	t.Logf("%d norms: NMSE of vectors at most %.2g (%s)", len(seen), worst, at)
	if len(seen) != len(known.Norms()) || !(worst <= bound(known)) {
		t.Errorf("%d of %d norms seen, NMSE %.2g at %s", len(seen), len(known.Norms()), worst, at)
	}

	name, mode := "rms-naive", engine.RMSNaive
	if known.FinalNorm.Kind == arch.RMSNorm {
		name, mode = "layer", engine.Centered
	}
	swap, err := m.Swap(name)
	if err != nil {
		t.Fatal(err)
	}
	got := evaluate(t, m, tokens, swap)
	e, moved := testdata.NMSE(got, ours(t, path, mode, tokens, nil)), testdata.NMSE(got, want)
	t.Logf("%s: NMSE %.2g of our engine's logits, %.2g of the native ones", name, e, moved)
	if !(e <= bound(known)) || !(moved > 1e-9) {
		t.Errorf("%s: NMSE %.2g of our engine's logits, %.2g of the native ones", name, e, moved)
	}
}

// Token by token is the same as in one batch.
func TestAppend(t *testing.T) {
	m := open(t, testdata.Path(t, "archs/stablelm-2.gguf"), Options{Threads: 1})
	swap, err := m.Swap("rms-naive")
	if err != nil {
		t.Fatal(err)
	}
	tokens := testdata.Tokens()
	want := evaluate(t, m, tokens, swap)
	m.Reset()
	var got []float32
	for _, id := range tokens {
		row, err := m.Eval(t.Context(), []int32{id}, swap)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, row...)
	}
	if e := testdata.NMSE(got, want); !(e < 1e-11) {
		t.Errorf("NMSE %.2g", e)
	}
}

// The modes that our engine has not are held to their definitions in float64.
func TestModes(t *testing.T) {
	m := open(t, testdata.Path(t, "archs/stablelm-2.gguf"), Options{Threads: 1})
	tokens := testdata.Tokens()
	if _, err := m.Swap("fixed"); err == nil || !strings.Contains(err.Error(), "not calibrated") {
		t.Errorf("fixed without a calibration: %v", err)
	}
	if err := m.Calibrate(t.Context(), [][]int32{tokens}); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []string{"rms-readers", "fixed"} {
		swap, err := m.Swap("output_norm=" + mode)
		if err != nil {
			t.Fatal(err)
		}
		calls := 0
		swap.Tap = func(v Vectors) {
			calls++
			w := v.Site.Width
			for row := range len(v.In) / w {
				x, std := v.In[row*w:][:w], v.Std[row*w:][:w]
				mean, variance := moments(x)
				s := math.Sqrt(variance + float64(v.Site.Eps))
				if mode == "rms-readers" {
					s = math.Sqrt(variance + mean*mean + float64(v.Site.Eps))
				} else if row > 0 {
					s = v.Site.sigma
				}
				for i := range x {
					if want := (float64(x[i]) - mean) / s; math.Abs(float64(std[i])-want) > 1e-5 {
						t.Fatalf("%s: row %d has %g at %d, want %g", mode, row, std[i], i, want)
					}
				}
			}
		}
		swap.TapSites = func(s *Site) bool { return s.Name == "output_norm" }
		evaluate(t, m, tokens, swap)
		if calls != 1 {
			t.Errorf("%s: the tap was called %d times", mode, calls)
		}
	}
}

// A recipe changes the sites that it names, and a mistake in one is an error.
func TestRecipes(t *testing.T) {
	m := open(t, testdata.Path(t, "archs/stablelm-2.gguf"), Options{Threads: 1})
	swap, err := m.Swap("ln1=rms-naive, blk.1.*=native")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range m.Sites() {
		want := s.Role == arch.LN1 && s.Layer != 1
		if (swap.Replace(s) != nil) != want {
			t.Errorf("%s: swapped %v", s.Name, !want)
		}
	}
	for recipe, want := range map[string]string{
		"rms":               `no norm mode "rms"`,
		"ln9=rms-naive":     `no norm "ln9"`,
		"output_norm=layer": "changes none",
		"rms-folded":        "not folded",
	} {
		if _, err := m.Swap(recipe); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", recipe, err, want)
		}
	}
}

func TestErrors(t *testing.T) {
	lib := library(t)
	if _, err := lib.Open(filepath.Join(t.TempDir(), "none.gguf"), Options{}); err == nil {
		t.Error("a model that is not there")
	}
	if _, err := Load(t.TempDir()); err == nil || !strings.Contains(err.Error(), "this process has loaded") {
		t.Errorf("a second library: %v", err)
	}
	m := open(t, testdata.Path(t, "archs/gpt2.gguf"), Options{Threads: 1, Context: 4})
	if _, err := m.Eval(t.Context(), []int32{1, 2, 3, 4, 5}, nil); err == nil {
		t.Error("more tokens than the context has room for")
	}
	if _, err := m.Eval(t.Context(), []int32{int32(m.Vocab())}, nil); err == nil {
		t.Error("a token outside the vocabulary")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	look := &Hook{Tap: func(Vectors) {}}
	if _, err := m.Eval(ctx, []int32{1}, look); err == nil || !strings.Contains(err.Error(), "canceled") {
		t.Errorf("a canceled evaluation: %v", err)
	}
	m.Reset()
	if _, err := m.Eval(t.Context(), []int32{1}, &Hook{Tap: func(Vectors) { panic("oh") }}); err == nil || !strings.Contains(err.Error(), "the hook failed: oh") {
		t.Errorf("a hook that panics: %v", err)
	}
}
