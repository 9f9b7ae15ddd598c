package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/normswap/normswap/internal/testdata"
	"github.com/normswap/normswap/plugin/llamacpp"
)

// Every command runs on a model, and a mistake gets an error that names it.
func TestCommands(t *testing.T) {
	dir := os.Getenv(llamacpp.Env)
	if dir == "" {
		dir = filepath.Join(testdata.Root(), "tests", "peers", "node_modules", "@node-llama-cpp", "linux-x64", "bins", "linux-x64")
		if _, err := os.Stat(dir); err != nil {
			t.Skipf("no llama.cpp in %s (tests/peers/compare --install, or set %s)", dir, llamacpp.Env)
		}
	}
	model := testdata.Path(t, "trained/stories260K-F32.gguf")
	states := filepath.Join(t.TempDir(), "x.npy")
	for _, c := range []struct{ args, want string }{
		{"sites M", "blk.0.attn_norm              RMSNorm"},
		{"compare M --norm layer --tokens 40", "KL divergence"},
		{"geometry M --tokens 40", "Table 2"},
		{"states M --tokens 40 -o " + states, ": 40 x 64, what output_norm reads"},
		{"bench M -r 1", "tap on every norm"},
		{"compare M", "ERROR compare needs a norm mode"},
		{"compare M --norm rms", `ERROR llamacpp: no norm mode "rms"`},
		{"states M -o x --site none", "ERROR --site none: the model has no such norm"},
		{"run M", `ERROR no command "run"`},
	} {
		args := strings.Fields(strings.Replace(c.args, "M", model, 1))
		o, err := parse(append(args, "--libs", dir, "-t", "1"), &bytes.Buffer{})
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := run(t.Context(), &out, o); err != nil {
			out.WriteString("ERROR " + err.Error())
		}
		if !strings.Contains(out.String(), c.want) {
			t.Errorf("%s: %q, want %q", c.args, out.String(), c.want)
		}
	}
	if b, err := os.ReadFile(states); err != nil || len(b) != 128+40*64*4 {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}
