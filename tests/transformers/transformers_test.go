// Package transformers holds exported folders against transformers itself, where a
// Python that has it is named.
package transformers

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/fold"
	"github.com/normswap/normswap/hf"
	"github.com/normswap/normswap/internal/testdata"
)

// A task is a pair of folders for check.py.
type task struct {
	Source string  `json:"source"`
	Export string  `json:"export"`
	IDs    []int32 `json:"ids"`
}

func python(t *testing.T) string {
	t.Helper()
	p := os.Getenv("NORMSWAP_PYTHON")
	if p == "" {
		t.Skip("NORMSWAP_PYTHON names no Python that has torch and transformers")
	}
	return p
}

// In transformers a folder that a fold wrote computes what its source computes.
func TestExportsInTransformers(t *testing.T) {
	interpreter := python(t)
	var names []string
	var input bytes.Buffer
	for _, root := range []string{filepath.Join("..", "..", "hf", "testdata"), filepath.Join(testdata.Data(), "hf")} {
		entries, err := os.ReadDir(root)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			dir := filepath.Join(root, e.Name())
			if !hf.Is(dir) {
				continue
			}
			for _, as := range []string{"", "llama", "gguf"} {
				out := filepath.Join(t.TempDir(), "out")
				if export(t, dir, out, as) {
					names = append(names, filepath.Base(root)+"/"+e.Name()+" "+as)
					if err := json.NewEncoder(&input).Encode(task{dir, out, sequence(t, dir)}); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	}
	check := exec.CommandContext(t.Context(), interpreter, "check.py")
	check.Stdin, check.Stderr = &input, os.Stderr
	output, err := check.Output()
	if err != nil {
		t.Fatal(err)
	}
	results := json.NewDecoder(bytes.NewReader(output))
	for _, name := range names {
		var r struct {
			NMSE       float64
			Class, Err string
			Bad        map[string]any
			Error      string
		}
		if err := results.Decode(&r); err != nil {
			t.Fatal(err)
		}
		if r.Error != "" || len(r.Bad) > 0 || !(r.NMSE <= 1e-10) {
			t.Errorf("%s: %+v", name, r)
			continue
		}
		t.Logf("%-32s %-28s NMSE %.1e", name, r.Class, r.NMSE)
	}
}

// export folds a folder, or as "gguf" the file that it stands for; false if it has no
// fold.
func export(t *testing.T, dir, out, as string) bool {
	t.Helper()
	options := hf.ExportOptions{As: as, ShardBytes: 30_000}
	var e *hf.Export
	var err error
	if as == "gguf" {
		options.As = ""
		f, openErr := hf.Open(dir)
		if openErr != nil {
			return false
		}
		defer f.Close()
		e, err = hf.PrepareExportGGUF(t.Context(), f, "model", dir, options)
	} else {
		e, err = hf.PrepareExport(t.Context(), dir, options)
	}
	var refusal *fold.Refusal
	var unknown *arch.UnknownError
	switch {
	case errors.As(err, &refusal), errors.Is(err, fold.ErrNothing), errors.As(err, &unknown):
		return false
	case err != nil:
		t.Logf("%s: %v", dir, err)
		return false
	}
	defer e.Close()
	if err := e.Write(t.Context(), out); err != nil {
		t.Fatal(err)
	}
	return true
}

func sequence(t *testing.T, dir string) []int32 {
	t.Helper()
	var x struct{ A []int32 }
	b, err := os.ReadFile(filepath.Join(dir, "ids.json"))
	if err == nil {
		err = json.Unmarshal(b, &x)
	}
	if err != nil {
		t.Fatal(err)
	}
	return x.A
}
