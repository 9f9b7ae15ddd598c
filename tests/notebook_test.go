package tests

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/normswap/normswap/internal/testdata"
)

// TestNotebook runs the notebook's code on its files, with the Python that PYTHON names,
// or python3. Without pandas or matplotlib it is skipped.
func TestNotebook(t *testing.T) {
	python := os.Getenv("PYTHON")
	if python == "" {
		python = "python3"
	}
	if _, err := exec.LookPath(python); err != nil {
		t.Skip("no Python: ", err)
	}
	cmd := exec.CommandContext(t.Context(), python, filepath.Join(testdata.Root(), "examples", "notebook", "run"))
	cmd.Dir = t.TempDir()
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState != nil && cmd.ProcessState.ExitCode() == 77 {
		t.Skip(strings.TrimSpace(string(out)))
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"GPT-2 XL", "101.48", "rms-readers"} {
		if !bytes.Contains(out, []byte(want)) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	for _, plot := range []string{"rotation", "norm", "angle", "training", "sweep"} {
		if b, err := os.ReadFile(filepath.Join(cmd.Dir, plot+".pdf")); err != nil || !bytes.HasPrefix(b, []byte("%PDF-")) {
			t.Errorf("%s.pdf: %v", plot, err)
		}
	}
}
