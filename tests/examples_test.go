package tests

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/internal/testdata"
)

// TestExamples builds and runs every program of examples, and holds each to
// the length that its readers were promised.
func TestExamples(t *testing.T) {
	story := testdata.Path(t, "trained/stories260K-F32.gguf")
	gpt2 := testdata.Path(t, "archs/gpt2.gguf")
	folded := filepath.Join(t.TempDir(), "folded.gguf")
	runs := map[string]struct {
		args []string
		want []string
	}{
		"hooks":    {[]string{story, "Once upon a time"}, []string{`","`, `" was"`, "||x|| = "}},
		"foldfile": {[]string{gpt2, folded}, []string{"centre token_embd by rows", "output_norm: LayerNorm becomes RMSNorm", "largest |mean| left"}},
		"norms":    {nil, []string{"theta = 79.2 degrees", "LayerNorm  RMSNorm"}},
		"probe":    {[]string{story, "blk.2.attn_norm", "Once upon a time"}, []string{"\" Once\",", "\" time\","}},
		"onefile":  {[]string{"CBABCA"}, []string{"AABBCC"}},
	}
	bin := t.TempDir()
	folders, err := filepath.Glob(filepath.Join(testdata.Root(), "examples", "*", "main.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, main := range folders {
		name := filepath.Base(filepath.Dir(main))
		run, ok := runs[name]
		if !ok {
			t.Errorf("examples/%s is not run by this test", name)
			continue
		}
		delete(runs, name)
		source, err := os.ReadFile(main)
		if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(source, []byte("\n")); n >= 60 {
			t.Errorf("examples/%s has %d lines", name, n)
		}
		t.Run(name, func(t *testing.T) {
			program := filepath.Join(bin, name)
			build := exec.Command("go", "build", "-buildvcs=false", "-o", program, ".")
			build.Dir = filepath.Dir(main)
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			out, err := exec.Command(program, run.args...).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			for _, want := range run.want {
				if !strings.Contains(string(out), want) {
					t.Errorf("printed\n%.500s\nwant %q in it", out, want)
				}
			}
		})
	}
	for name := range runs {
		t.Errorf("there is no examples/%s", name)
	}
	if m, err := engine.Open(t.Context(), folded, engine.Options{Norm: engine.RMSNaive}); err != nil {
		t.Errorf("what foldfile wrote does not load: %v", err)
	} else {
		m.Close()
	}
}
