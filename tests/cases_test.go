package tests

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/internal/testdata"
)

// TestCases: models with unusual metadata and shapes give llama.cpp's logits.
func TestCases(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(testdata.Root(), "tests", "testdata", "cases", "*.logits.f32"))
	if err != nil || len(paths) < 10 {
		t.Fatalf("%d cases, %v", len(paths), err)
	}
	for _, p := range paths {
		name := "cases/" + strings.TrimSuffix(filepath.Base(p), ".logits.f32")
		bound := 1e-10
		switch {
		case strings.HasSuffix(name, "-q8"):
			bound = 1e-3 // 8-bit activations on both sides
		case strings.Contains(name, "gemma"), strings.Contains(name, "mpt"), strings.Contains(name, "norm-2d"):
			bound = 1e-6 // llama.cpp's GELU is a table in half precision
		}
		if e := testdata.NMSE(logitsOf(t, name+".gguf", "--kv", "f32"), testdata.Floats(t, testdata.Read(t, name+".logits.f32"))); !(e <= bound) {
			t.Errorf("%s: NMSE %.2g, want <= %.0e", name, e, bound)
		}
	}
}

// altered writes a fixture with other metadata, and returns its path.
func altered(t *testing.T, fixture string, change func(f *gguf.File) error) string {
	t.Helper()
	f, err := gguf.Parse(testdata.Read(t, fixture))
	if err != nil {
		t.Fatal(err)
	}
	if err := change(f); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := gguf.Write(&b, f); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "model.gguf")
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestKeysOfModels: what would change the result is refused in one line, what
// is not used is one line of warning, and an epsilon of 0 runs.
func TestKeysOfModels(t *testing.T) {
	with := func(fixture, key string, v any) ran {
		return infer(t, "logits", altered(t, fixture, func(f *gguf.File) error { return f.Meta.Set(key, v) }), "--tokens", "3,8", "--out", filepath.Join(t.TempDir(), "l"))
	}
	with("archs/llama.gguf", "llama.attention.causal", false).fails(t, 1, "llama.attention.causal")
	with("archs/gpt2.gguf", "gpt2.attention.sliding_window", uint32(4)).fails(t, 1, "gpt2.attention.sliding_window")
	with("archs/gpt2.gguf", "general.type", "adapter").fails(t, 1, "a LoRA adapter")
	for _, v := range []any{true, uint8(1)} {
		if r := with("archs/llama.gguf", "llama.attention.causal", v); r.code != 0 || r.stderr != "" {
			t.Errorf("causal %v: %+v", v, r)
		}
	}
	r := with("archs/gpt2.gguf", "gpt2.mood", "calm")
	if r.code != 0 || strings.Count(r.stderr, "\n") != 1 || !strings.Contains(r.stderr, "warning: ") || !strings.Contains(r.stderr, "gpt2.mood") {
		t.Errorf("a key that is not known: %+v", r)
	}
	if r := with("archs/gpt2.gguf", "gpt2.attention.layer_norm_epsilon", float32(0)); r.code != 0 || r.stderr != "" {
		t.Errorf("an epsilon of 0: %+v", r)
	}
}

// TestFoldRefusals: what cannot be folded is refused before the file is hashed,
// and the command says which flag helps.
func TestFoldRefusals(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out.gguf")
	refuse := func(words []string, args ...string) {
		t.Helper()
		r := infer(t, append([]string{"fold", "-o", out}, args...)...)
		r.fails(t, 1, words...)
		if strings.Contains(r.stderr, "reading") {
			t.Errorf("%v: hashed first: %q", args, r.stderr)
		}
		if _, err := os.Stat(out); err == nil {
			t.Errorf("%v: left a file", args)
		}
	}
	refuse([]string{"RMSNorm already"}, testdata.Path(t, "archs/llama.gguf"))
	refuse([]string{"its head is the embedding", "--export plamo"}, testdata.Path(t, "archs/command-r.gguf"))
	refuse([]string{"blk.1.attn_output.bias", "NaN"}, altered(t, "archs/gpt2.gguf", func(f *gguf.File) error {
		x, _ := f.Tensor("blk.1.attn_output.bias")
		x.Data = bytes.Clone(x.Data)
		copy(x.Data, []byte{0, 0, 0xc0, 0x7f})
		return nil
	}))
}

// TestFoldVerifyCharacters: a model whose vocabulary has three characters is
// probed with token ids.
func TestFoldVerifyCharacters(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out.gguf")
	text := works(t, "fold", testdata.Path(t, "trained/nano-sort-85k-F32.gguf"), "-o", out, "--verify")
	if !strings.Contains(text, "100.00 % of the top-1 the same") {
		t.Error(text)
	}
}
