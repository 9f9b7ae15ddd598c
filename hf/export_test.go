package hf_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/fold"
	"github.com/normswap/normswap/hf"
	"github.com/normswap/normswap/internal/testdata"
)

// results are the stored logits of a folder.
func results(t *testing.T, dir string) (*ids, []float32) {
	t.Helper()
	var x ids
	if !readJSON(t, filepath.Join(dir, "ids.json"), &x) {
		t.Fatal("no ids.json")
	}
	var meta struct {
		Values string `json:"values_of"`
	}
	readJSON(t, filepath.Join(dir, "meta.json"), &meta)
	if meta.Values != "" {
		dir = filepath.Join(filepath.Dir(dir), meta.Values)
	}
	if filepath.Base(dir) == "falcon-rw" { // those of SDPA; see TestFoldersComputeAsTransformers
		dir = filepath.Join("testdata", "falcon-rw")
	}
	return &x, floatFile(t, filepath.Join(dir, "logits.f32"))
}

// A folder that a fold wrote computes what its source computes, and nothing in it
// is left to be centered.
func TestExportsComputeAsTheirSources(t *testing.T) {
	written := 0
	folders(t, func(t *testing.T, dir, form string) {
		if refused[form] != "" {
			return
		}
		for _, as := range []string{"", "llama"} {
			e, err := hf.PrepareExport(t.Context(), dir, hf.ExportOptions{As: as, ShardBytes: 20_000})
			var refusal *fold.Refusal
			var unknown *arch.UnknownError
			if errors.As(err, &refusal) || errors.Is(err, fold.ErrNothing) || errors.As(err, &unknown) {
				t.Log(err)
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			defer e.Close()
			out := filepath.Join(t.TempDir(), "out")
			if err := e.Write(t.Context(), out); err != nil {
				t.Fatal(err)
			}
			written++
			if strings.HasPrefix(form, "cohere") {
				continue // GGUF's architecture has no head beside the embedding; tests/transformers holds these
			}
			f, err := hf.Open(out)
			if err != nil {
				t.Fatal(err)
			}
			m, err := engine.Load(t.Context(), f, engine.Options{FloatActivations: true, Threads: 2})
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			x, want := results(t, dir)
			if nmse := testdata.NMSE(compute(t, m, x), want); !(nmse <= 1e-10) {
				t.Errorf("%s: NMSE %.1e, want at most 1e-10", as, nmse)
			} else {
				t.Logf("%s: NMSE %.1e", as, nmse)
			}
			if as == "" {
				_, err := fold.Verify(t.Context(), f, m.Arch)
				var not *fold.NotCentered
				if errors.As(err, &not) && len(e.Plan.Kept) == 0 {
					t.Error(err)
				}
			}
			if e.Report.LargestMean > 1e-6 {
				t.Errorf("a mean of %g is left", e.Report.LargestMean)
			}
		}
	})
	if written < 2 {
		t.Errorf("%d folders were written", written)
	}
}

func TestExportRefuses(t *testing.T) {
	dir := filepath.Join("testdata", "gpt2")
	for _, c := range []struct {
		options hf.ExportOptions
		want    string
	}{{hf.ExportOptions{Type: "Q8_0"}, "none of F32"}, {hf.ExportOptions{As: "llama"}, "only olmo"}, {hf.ExportOptions{As: "gemma"}, "only to llama"}} {
		if _, err := hf.PrepareExport(t.Context(), dir, c.options); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: error %v, want one with %q", c.options, err, c.want)
		}
	}
	e, err := hf.PrepareExport(t.Context(), dir, hf.ExportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	out := t.TempDir()
	if err := os.WriteFile(filepath.Join(out, "mine"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := e.Write(t.Context(), out); err == nil || !strings.Contains(err.Error(), "has files already") {
		t.Errorf("written into a folder with files: %v", err)
	}
}
