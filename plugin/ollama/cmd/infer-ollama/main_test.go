package main

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/fold"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/internal/testdata"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil)))
	os.Exit(m.Run())
}

// TestRun: a file as it comes runs one norm; a folded one runs both and
// compares them, and so does one without words.
func TestRun(t *testing.T) {
	sort, random := testdata.Path(t, "trained/nano-sort-85k-F32.gguf"), testdata.Path(t, "archs/gptneox.gguf")
	for _, c := range []struct {
		path string
		want []string
	}{
		{sort, []string{"is not folded, and runs LayerNorm", "CBABCAAABBC\n", "logits of 6 tokens", `LayerNorm +NMSE \d\.\de-(09|1)`, "prefill 8 +decode 3"}},
		{folded(t, sort), []string{"the norms run as RMSNorm", "CBABCAAABBC\n", `RMSNorm +NMSE \d\.\de-(09|1)`, `RMSNorm +\d+\.\d +\d+\.\d`, `ratio +\d`}},
		{folded(t, random), []string{`no text: .*tokenizer "test"`, "logits of 16 tokens", `RMSNorm +NMSE \d\.\de-(0[7-9]|1)`, "prefill 8 +decode 5"}},
	} {
		o, err := parse([]string{c.path, "-p", "CBABCA", "-n", "5", "-prefill", "8", "-r", "2"}, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		if err := run(t.Context(), &out, o); err != nil {
			t.Fatal(err)
		}
		for _, want := range c.want {
			if !regexp.MustCompile(want).MatchString(out.String()) {
				t.Errorf("%q is not in\n%s", want, out.String())
			}
		}
	}
}

func folded(t *testing.T, from string) string {
	t.Helper()
	f, err := gguf.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := arch.Load(f)
	if err != nil {
		t.Fatal(err)
	}
	out, err := fold.Prepare(t.Context(), f, m, fold.WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "folded.gguf")
	if err := gguf.WriteFile(path, func(w io.Writer) error { return out.Write(t.Context(), w) }); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestParse(t *testing.T) {
	o, err := parse([]string{"-n", "3", "model.gguf"}, io.Discard)
	if err != nil || o.path != "model.gguf" || o.n != 3 {
		t.Errorf("flags first: %+v, %v", o, err)
	}
	for _, args := range [][]string{{}, {"model.gguf", "-n", "0"}, {"model.gguf", "-x"}} {
		if _, err := parse(args, io.Discard); err == nil {
			t.Errorf("%q was accepted", args)
		}
	}
}

func TestQuantile(t *testing.T) {
	x := []float64{4, 1, 3, 2}
	for q, want := range map[float64]float64{0: 1, 0.5: 2.5, 1: 4} {
		if got := quantile(x, q); got != want {
			t.Errorf("quantile %g is %g, want %g", q, got, want)
		}
	}
}
