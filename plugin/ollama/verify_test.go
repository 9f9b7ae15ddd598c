package ollama

import (
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/fold"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/internal/testdata"
)

// rewrite writes a file once more, with changes.
func rewrite(t *testing.T, from string, change func(*gguf.File)) string {
	t.Helper()
	f, err := gguf.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	change(f)
	path := filepath.Join(t.TempDir(), "changed.gguf")
	if err := gguf.WriteFile(path, func(w io.Writer) error { return gguf.Write(w, f) }); err != nil {
		t.Fatal(err)
	}
	return path
}

// refused opens a file that must be refused in one line with these words.
func refused(t *testing.T, path string, words ...string) {
	t.Helper()
	m, err := Open(t.Context(), path, params)
	if err == nil {
		t.Errorf("%v was opened", m.Norm())
		m.Backend().Close()
		return
	}
	for _, w := range append(words, path) {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("the error %q does not say %q", err, w)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("the error has more than a line: %q", err)
	}
}

// TestFalseClaim: a file that says it is folded and is not is refused, be it
// for all of its writers or for one.
func TestFalseClaim(t *testing.T) {
	for _, name := range []string{"gpt2", "gptneox", "stablelm-12b"} {
		source := testdata.Path(t, "archs/"+name+".gguf")
		folded := foldFile(t, source, fold.WriteOptions{})

		refused(t, rewrite(t, source, func(f *gguf.File) {
			if err := f.Meta.Set("normswap.version", fold.Version); err != nil {
				t.Fatal(err)
			}
		}), "not folded", "token_embd.weight")

		original, err := gguf.Open(source)
		if err != nil {
			t.Fatal(err)
		}
		defer original.Close()
		const one = "blk.1.ffn_down.weight"
		refused(t, rewrite(t, folded, func(f *gguf.File) {
			i := slices.IndexFunc(f.Tensors, func(t gguf.Tensor) bool { return t.Name == one })
			was, _ := original.Tensor(one)
			f.Tensors[i].Data = was.Data
		}), "not folded", one)
	}
}

// TestSilentFile: a folded file that does not say so runs LayerNorm, which is
// right as well.
func TestSilentFile(t *testing.T) {
	folded := foldFile(t, testdata.Path(t, "archs/gpt2.gguf"), fold.WriteOptions{})
	m := load(t, rewrite(t, folded, func(f *gguf.File) { f.Meta.Delete("normswap.version") }))
	if m.Norm() != arch.LayerNorm {
		t.Errorf("%v runs", m.Norm())
	}
}

// TestQuantized: centred weights that are stored in F16 run RMSNorm; those that
// were quantised again have a mean again, and run LayerNorm.
func TestQuantized(t *testing.T) {
	source := testdata.Path(t, "quantized/gpt2-256-Q4_K_M.gguf")
	for strategy, want := range map[fold.Strategy]arch.NormKind{fold.Dequant: arch.RMSNorm, fold.Requant: arch.LayerNorm} {
		path := foldFile(t, source, fold.WriteOptions{Strategy: strategy})
		m := load(t, path)
		if m.Norm() != want {
			t.Errorf("%s: %v runs, want %v", strategy, m.Norm(), want)
		}
		tokens := probe(m)
		// ggml rounds activations to 8 bits, and our engine does not here.
		e := NMSE(theirs(t, begin(t, m), tokens), ours(t, path, tokens))
		t.Logf("%s: NMSE %.1e", strategy, e)
		if !(e <= 1e-3) {
			t.Errorf("%s: NMSE %.2g, want at most 1e-3", strategy, e)
		}
	}
}

func TestUnsupported(t *testing.T) {
	refused(t, testdata.Path(t, "trained/stories260K-F32.gguf"), "not supported")
	refused(t, testdata.Path(t, "archs/bloom.gguf"), "not supported")
	const last = "blk.1.ffn_up.bias"
	refused(t, rewrite(t, testdata.Path(t, "archs/gpt2.gguf"), func(f *gguf.File) {
		f.Tensors = slices.DeleteFunc(f.Tensors, func(t gguf.Tensor) bool { return t.Name == last })
	}), last)
	with := func(name, key string, value any) string {
		return rewrite(t, testdata.Path(t, "archs/"+name+".gguf"), func(f *gguf.File) {
			if err := f.Meta.Set(key, value); err != nil {
				t.Fatal(err)
			}
		})
	}
	refused(t, with("gptneox", "gptneox.rope.scaling.type", "yarn"), "RoPE")
	refused(t, with("gptneox", "gptneox.attention.head_count", []int32{4, 4}), "attention.head_count")
}

func TestUnknownType(t *testing.T) {
	refused(t, testdata.Path(t, "quantized/gpt2-256-TQ1_0.gguf"), "TQ1_0")
}
