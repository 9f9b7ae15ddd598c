package llamacpp

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/fold"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/internal/testdata"
)

// A folded file is the original model to a stock llama.cpp, which is what runs
// in llama-server and in Ollama; and it stays so with RMSNorm for all its norms,
// which the unfolded file does not.
func TestFolded(t *testing.T) {
	for _, fixture := range []string{"archs/gpt2.gguf", "archs/stablelm-2.gguf", "archs/olmo.gguf"} {
		t.Run(filepath.Base(fixture), func(t *testing.T) {
			path, tokens := testdata.Path(t, fixture), testdata.Tokens()
			folded := filepath.Join(t.TempDir(), "folded.gguf")
			writeFolded(t, path, folded)
			want := evaluate(t, open(t, path, Options{Threads: 1, Plain: true}), tokens, nil)
			stock := open(t, folded, Options{Threads: 1, Plain: true})
			limit := bound(load(t, stock.File))
			if e := testdata.NMSE(evaluate(t, stock, tokens, nil), want); !(e <= limit) {
				t.Errorf("as LayerNorm: NMSE %.2g", e)
			}
			m := open(t, folded, Options{Threads: 1})
			swap, err := m.Swap("rms-folded")
			if err != nil {
				t.Fatal(err)
			}
			e := testdata.NMSE(evaluate(t, m, tokens, swap), want)
			t.Logf("as RMSNorm: NMSE %.2g", e)
			if !(e <= limit) {
				t.Errorf("as RMSNorm: NMSE %.2g", e)
			}
		})
	}
}

func load(t *testing.T, f *gguf.File) *arch.Model {
	t.Helper()
	m, err := arch.Load(f)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func writeFolded(t *testing.T, from, to string) {
	t.Helper()
	f, err := gguf.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	out, err := fold.Prepare(t.Context(), f, load(t, f), fold.WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := out.Write(t.Context(), file); err != nil {
		t.Fatal(err)
	}
}
