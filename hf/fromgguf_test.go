package hf_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/fold"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/hf"
	"github.com/normswap/normswap/internal/testdata"
	"github.com/normswap/normswap/quant"
)

// A file in GGUF becomes a folder that computes what it does, folded.
func TestExportOfGGUF(t *testing.T) {
	written := map[string]bool{}
	for _, fixture := range testdata.Fixtures(t, "archs") {
		t.Run(fixture, func(t *testing.T) {
			f, err := gguf.Open(testdata.Path(t, fixture))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			name, _ := gguf.Get[string](&f.Meta, arch.KeyArchitecture)
			e, err := hf.PrepareExportGGUF(t.Context(), f, "tiny", "", hf.ExportOptions{})
			var refusal *fold.Refusal
			if errors.As(err, &refusal) || errors.Is(err, fold.ErrNothing) {
				t.Log(err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			out := filepath.Join(t.TempDir(), "out")
			if err := e.Write(t.Context(), out); err != nil {
				t.Fatal(err)
			}
			written[name] = true
			if name == "command-r" || name == "cohere2" {
				return // GGUF's architecture has no head beside the embedding
			}
			m, err := engine.Open(t.Context(), out, engine.Options{FloatActivations: true, Threads: 2})
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			s, err := m.NewSession(engine.SessionOptions{Context: 64, KV: quant.F32})
			if err != nil {
				t.Fatal(err)
			}
			var got []float32
			err = s.EvalAll(t.Context(), testdata.Tokens(), func(_ int, logits []float32) error {
				got = append(got, logits...)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			// llama.cpp's GELU is a table in half precision.
			if nmse := testdata.NMSE(got, testdata.Logits(t, fixture)); !(nmse <= 2e-7) {
				t.Errorf("NMSE %.1e, want at most 2e-7", nmse)
			} else {
				t.Logf("NMSE %.1e", nmse)
			}
		})
	}
	if len(written) < 8 {
		t.Errorf("%d architectures were written: %v", len(written), written)
	}
}

// What a folder cannot say of a file is refused by name.
func TestExportOfGGUFRefuses(t *testing.T) {
	f, err := hf.Open(filepath.Join("testdata", "gpt_neo")) // gpt2 with windows
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := hf.PrepareExportGGUF(t.Context(), f, "tiny", "", hf.ExportOptions{}); err == nil || !strings.Contains(err.Error(), "a window of 12") {
		t.Errorf("windows in gpt2: %v", err)
	}
}
