package tests

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/normswap/normswap/internal/testdata"
)

// infer fold --format safetensors writes a folder that has the source's logits with
// the removal of means left out, and names what it cannot write.
func TestFoldToFolder(t *testing.T) {
	source := filepath.Join(testdata.Root(), "hf", "testdata", "gpt2")
	out := filepath.Join(t.TempDir(), "folded")
	works(t, "fold", source, "--format", "safetensors", "-o", out)
	logits := func(model, norm string) []float32 {
		file := filepath.Join(t.TempDir(), "logits")
		works(t, "logits", model, "--tokens", "3,8,13,21", "--norm", norm, "-o", file)
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return testdata.Floats(t, b)
	}
	want := logits(source, "native")
	for _, norm := range []string{"native", "rms-naive", "rms-folded"} {
		if e := testdata.NMSE(logits(out, norm), want); !(e <= 1e-11) {
			t.Errorf("%s: NMSE %.2g", norm, e)
		}
	}
	for _, name := range []string{"config.json", "model.safetensors", "tokenizer.json", "README.md"} {
		if _, err := os.Stat(filepath.Join(out, name)); err != nil {
			t.Error(err)
		}
	}
	again := filepath.Join(t.TempDir(), "again")
	works(t, "fold", testdata.Path(t, "archs/gptneox.gguf"), "--format", "safetensors", "-o", again, "--tokenizer-from", source)
	works(t, "inspect", again)
	infer(t, "fold", testdata.Path(t, "archs/llama.gguf"), "--format", "safetensors", "-o", again+"2").fails(t, 1, "RMSNorm already")
	infer(t, "fold", source, "--format", "safetensors", "-o", out).fails(t, 1, "has files already")
	other := filepath.Join(t.TempDir(), "other")
	infer(t, "fold", source, "--format", "safetensors", "-o", other, "--export", "llama").fails(t, 1, "only olmo")
	infer(t, "fold", source, "--format", "safetensors", "-o", other, "--fold-gain").fails(t, 2, "--fold-gain")
	if _, err := os.Stat(other); err == nil {
		t.Errorf("%s is there, though nothing was written", other)
	}
}
