package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/normswap/normswap/internal/testdata"
)

// What stock llama.cpp may lose between a model and its folded file, F32 both.
// Exact arithmetic apart, the bound is what was measured with some room: 1e-13
// to 2e-12 where the feed-forward network is gated or ReLU. GELU models lose
// 3e-10 to 1e-9 because llama.cpp looks GELU up in a half-precision table, so
// that a rounding of its argument can move the result by 2^-11.
const (
	exact = 1e-11
	gelu  = 1e-8
)

// A LayerNorm model whose writers are centred, exported under the name of an
// RMSNorm architecture, gives the same logits on a runner that has never heard
// of folding. The four routes, and the architecture llama.cpp must see.
func TestExports(t *testing.T) {
	for _, route := range []struct{ file, to string }{
		{"archs/olmo.gguf", "llama"},
		{"archs/stablelm-2.gguf", "phimoe"},
		{"archs/stablelm-3b.gguf", "phimoe"},
		{"archs/orion.gguf", "phimoe"},
		{"archs/command-r.gguf", "plamo"},
		{"trained/fairy-tales-5.5M-layernorm-F32.gguf", "phimoe"},
	} {
		t.Run(name(route.file)+"-to-"+route.to, func(t *testing.T) {
			foldAndCompare(t, testdata.Path(t, route.file), route.to, exact, "--export", "auto")
			foldAndCompare(t, testdata.Path(t, route.file), route.to, exact, "--export", "auto", "--fold-gain")
		})
	}
}

// A folded file under its own architecture is still a LayerNorm model: stock
// llama.cpp, which removes the mean once more, gives the same logits.
func TestFoldedFiles(t *testing.T) {
	for _, fixture := range []struct {
		name, architecture string
		bound              float64
	}{
		{"codeshell", "codeshell", gelu},
		{"dbrx", "dbrx", exact},
		{"falcon-40b", "falcon", gelu},
		{"falcon-7b", "falcon", gelu},
		{"gpt2", "gpt2", gelu},
		{"gpt2-tied", "gpt2", gelu},
		{"gptneox", "gptneox", gelu},
		{"gptneox-parallel", "gptneox", gelu},
		{"jais", "jais", exact},
		{"mpt-7b", "mpt", gelu},
		{"mpt-full", "mpt", gelu},
		{"nemotron", "nemotron", exact},
		{"nemotron-nobias", "nemotron", exact},
		{"olmo", "olmo", exact},
		{"olmo-clamp", "olmo", exact},
		{"orion", "orion", exact},
		{"phi2", "phi2", gelu},
		{"stablelm-12b", "stablelm", exact},
		{"stablelm-2", "stablelm", exact},
		{"stablelm-3b", "stablelm", exact},
		{"starcoder", "starcoder", gelu},
		{"starcoder2", "starcoder2", gelu},
	} {
		t.Run(fixture.name, func(t *testing.T) {
			path := testdata.Path(t, "archs/"+fixture.name+".gguf")
			foldAndCompare(t, path, fixture.architecture, fixture.bound)
			foldAndCompare(t, path, fixture.architecture, fixture.bound, "--fold-gain")
		})
	}
}

// llama.cpp's command-r and cohere2 have no tensor for a head of their own, and
// a head that shares the centred table would be wrong; BLOOM's embedding norm
// writes the residual stream, and no file can say that its output is to be
// centred. infer must refuse to write these under their own names.
func TestRefusedFiles(t *testing.T) {
	for _, fixture := range []string{"bloom", "bloom-tied", "command-r", "cohere2"} {
		t.Run(fixture, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "folded.gguf")
			_, err := execute("infer", nil, "fold", testdata.Path(t, "archs/"+fixture+".gguf"), "-o", out)
			if err == nil {
				t.Fatal("infer fold wrote a file that no runner computes correctly")
			}
			if !strings.Contains(err.Error(), "cannot be folded") {
				t.Errorf("refused for another reason: %v", err)
			}
			if _, err := os.Stat(out); err == nil {
				t.Error("a refused fold left a file")
			}
		})
	}
}

// PhiMoE was trained with LayerNorm, but llama.cpp runs its norms as RMSNorm. The
// repaired file has centred writers: from it llama.cpp computes what the original
// gives with the mean removed at every norm, which only our engine can run.
func TestPhiMoERepair(t *testing.T) {
	original := testdata.Path(t, "archs/phimoe.gguf")
	out := filepath.Join(t.TempDir(), "logits.f32")
	if _, err := execute("infer", nil, "logits", original, "--norm", "layer", "--tokens", list(testdata.Tokens()), "--out", out); err != nil {
		t.Fatal(err)
	}
	want, err := readFloats(out)
	if err != nil {
		t.Fatal(err)
	}
	compareFolded(t, fold(t, original, "--export", "auto"), want, "phimoe", exact)
}

// foldAndCompare folds a model with `infer fold` and holds llama.cpp's logits of
// the result against its logits of the original.
func foldAndCompare(t *testing.T, original, architecture string, bound float64, options ...string) {
	t.Helper()
	want, _, err := peerLogits(original, "", testdata.Tokens())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("infer fold %s %s", filepath.Base(original), strings.Join(options, " "))
	compareFolded(t, fold(t, original, options...), want, architecture, bound)
}

// fold runs `infer fold` and returns the file it wrote.
func fold(t *testing.T, original string, options ...string) string {
	t.Helper()
	folded := filepath.Join(t.TempDir(), "folded.gguf")
	if _, err := execute("infer", nil, append([]string{"fold", original, "-o", folded}, options...)...); err != nil {
		t.Fatal(err)
	}
	return folded
}

func compareFolded(t *testing.T, folded string, want []float32, architecture string, bound float64) {
	t.Helper()
	got, took, err := peerLogits(folded, "", testdata.Tokens())
	if err != nil {
		t.Fatal(err)
	}
	if took != architecture {
		t.Errorf("llama.cpp takes the folded file for %s, want %s", took, architecture)
	}
	e := testdata.NMSE(got, want)
	t.Logf("NMSE %.2g", e)
	if !(e <= bound) {
		t.Errorf("llama.cpp's logits of the folded file are off by NMSE %.2g, want at most %.0g", e, bound)
	}
}
