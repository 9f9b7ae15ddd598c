//go:build unix

package fold_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/fold"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/internal/toy"
	"github.com/normswap/normswap/internal/toytest"
)

// TestShrunkFile: a source that shrinks while it is folded is an error,
// whenever that happens.
func TestShrunkFile(t *testing.T) {
	shape := toy.Tiny("gpt2", nil)
	shape.Dim, shape.FFN, shape.Vocab = 512, 2048, 1024 // several chunks
	whole := toytest.Bytes(t, shape, "F16", 1)
	for _, stage := range []string{"Prepare", "Measure", "Write"} {
		path := filepath.Join(t.TempDir(), "model.gguf")
		if err := os.WriteFile(path, whole, 0o666); err != nil {
			t.Fatal(err)
		}
		f, err := gguf.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		m, err := arch.Load(f)
		if err != nil {
			t.Fatal(err)
		}
		at := func(now string) {
			if now == stage {
				if err := os.Truncate(path, 4096); err != nil {
					t.Fatal(err)
				}
			}
		}
		at("Prepare")
		out, err := fold.Prepare(t.Context(), f, m, fold.WriteOptions{})
		if err == nil {
			at("Measure")
			err = out.Measure(t.Context())
		}
		if err == nil {
			at("Write")
			err = out.Write(t.Context(), io.Discard)
		}
		if err == nil || !strings.Contains(err.Error(), path+" changed while it was in use") {
			t.Errorf("%s: %v", stage, err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}
