package engine

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/internal/testdata"
)

// TestMoreArchitectures holds the logits of further architectures against
// llama.cpp's, and what it takes of each to run.
func TestMoreArchitectures(t *testing.T) {
	run := 0
	for _, path := range testdata.Files(t, "archs2", ".gguf") {
		name := "archs2/" + filepath.Base(path)
		f, err := gguf.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		kind, err := gguf.Get[string](&f.Meta, arch.KeyArchitecture)
		f.Close()
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := arch.Lookup(kind); !ok {
			t.Logf("%s: %s is not run", name, kind)
			continue
		}
		run++
		t.Run(strings.TrimSuffix(filepath.Base(path), ".gguf"), func(t *testing.T) {
			m := open(t, name, Options{})
			bound := 1e-10
			if m.Arch.Spec.Activation == arch.GELU { // llama.cpp's is a table in half precision
				bound = 1e-7
			}
			if e := testdata.NMSE(allLogits(t, m, testdata.Tokens()), testdata.Logits(t, name)); !(e <= bound) {
				t.Errorf("NMSE %.2g, want <= %.0g", e, bound)
			} else {
				t.Logf("NMSE %.2g", e)
			}
		})
	}
	t.Logf("%d models", run)
}
