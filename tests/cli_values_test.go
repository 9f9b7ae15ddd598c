package tests

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/internal/testdata"
)

// Values that other tools give a meaning have it here, or are refused.
func TestSamplingValues(t *testing.T) {
	run := func(args ...string) string {
		return works(t, append([]string{"-p", "Once upon a time there was", "--top-k", "0", "--min-p", "0", "--temp", "1.5", "-n", "12", "--seed", "1"}, args...)...)
	}
	one := run("--top-p", "1e-9")
	if got := run("--top-p", "0"); got != one {
		t.Errorf("--top-p 0 gives %q, --top-p 1e-9 %q", got, one)
	}
	if all := run("--top-p", "1"); all == one {
		t.Errorf("--top-p 1 gives %q, like --top-p 1e-9", all)
	}
	seeds := map[string]bool{}
	for range 4 {
		seeds[run("--top-p", "1", "--seed", "-1")] = true
	}
	if len(seeds) == 1 {
		t.Errorf("--seed -1 gives one text: %v", seeds)
	}
	infer(t, "-p", "Once", "--repeat-penalty", "0").fails(t, 2, "--repeat-penalty 0", "divided")
}

func TestConvertTypes(t *testing.T) {
	out := filepath.Join(t.TempDir(), "x.gguf")
	infer(t, "convert", "x", "-o", out, "--type", "Q4_K_M").fails(t, 2, "--type Q4_K_M: choose from", "Q4_K", "Q8_0")
}

// A mode that cannot run leaves the figures of the others, and is named.
func TestCompareWithoutAMode(t *testing.T) {
	b := testdata.Read(t, sorter)
	f, err := gguf.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	// NaN in the embedding of C, which the text lacks and the probe of a fold has.
	x, ok := f.Tensor("token_embd.weight")
	if !ok {
		t.Fatal("no embeddings")
	}
	binary.LittleEndian.PutUint32(x.Data[len(x.Data)-4:], math.Float32bits(float32(math.NaN())))
	dir := t.TempDir()
	model, text := filepath.Join(dir, "model.gguf"), filepath.Join(dir, "text")
	if err := os.WriteFile(model, b, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(text, []byte(strings.Repeat("ABBA", 20)), 0o666); err != nil {
		t.Fatal(err)
	}
	r := infer(t, "compare", model, "-f", text, "--ctx", "8")
	if r.code != 1 || !strings.Contains(r.stdout, "rms-naive") || strings.Contains(r.stdout, "rms-folded") || !strings.Contains(r.stderr, "no figures of rms-folded: ") {
		t.Errorf("exit %d, %q, %s", r.code, r.stderr, r.stdout)
	}
	infer(t, "compare", model, "-f", text, "--ctx", "8", "--norm", "rms-folded").fails(t, 1, "no figures of rms-folded: ")
}
