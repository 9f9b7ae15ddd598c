package tests

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/normswap/normswap/internal/testdata"
)

// TestStatisticsNotFinite: there are no statistics of weights that are not
// finite, nor of hidden vectors; the error names the tensor.
func TestStatisticsNotFinite(t *testing.T) {
	whole := testdata.Read(t, stories)
	path := filepath.Join(t.TempDir(), "model.gguf")
	for _, tensor := range []string{"blk.2.ffn_norm.weight", "blk.1.attn_output.weight", "blk.4.ffn_down.weight", "token_embd.weight"} {
		damage(t, whole, path, tensor)
		r := infer(t, "geometry", path, "--tokens", "64", "--swap-tokens", "0", "-o", filepath.Join(t.TempDir(), "report"))
		r.fails(t, 1, "model", tensor, "NaN", "index")
	}
	damage(t, whole, path, "blk.2.attn_q.weight") // which is in no statistic of the weights
	infer(t, "geometry", path, "--tokens", "64", "--swap-tokens", "0").fails(t, 1, "model", "blk.2.ffn_norm", "NaN or Inf in 64 vectors")
}

// TestImpossibleParts: a part that no run wrote is no part, and the error says what
// is wrong with it.
func TestImpossibleParts(t *testing.T) {
	dir := t.TempDir()
	part := filepath.Join(dir, "part.json")
	for _, c := range []struct {
		command   []string
		old, want string
		new       string
	}{
		{[]string{"geometry", "--tokens", "64", "--swap-tokens", "0", "--shard", "0/1"}, `"m2":`, "geometry: state: site blk.0.attn_norm", `"m2":1e300,"m3":`},
		{[]string{"geometry", "--tokens", "64", "--swap-tokens", "0", "--shard", "0/1"}, `"count":1}`, "at most 1048576", `"count":2000000000}`},
		{[]string{"perplexity", "--chunks", "1", "--ctx", "16", "--shard", "0/1"}, `"mean": `, "figures of native: nll", `"mean": 1e300, "m": `},
		{[]string{"perplexity", "--chunks", "1", "--ctx", "16", "--shard", "0/1"}, `"of": 1`, "limit", `"of": 2000000000`},
		{[]string{"perplexity", "--chunks", "1", "--ctx", "16", "--shard", "0/1"}, `"of": 1`, "not JSON", `"of": NaN`},
	} {
		text := works(t, c.command...)
		edited := strings.Replace(text, c.old, c.new, 1)
		if edited == text {
			t.Fatalf("no %q in what infer %q writes", c.old, c.command)
		}
		if err := os.WriteFile(part, []byte(edited), 0o644); err != nil {
			t.Fatal(err)
		}
		infer(t, "merge", part).fails(t, 1, part, c.want)
	}
}

// TestUnknownDeviation: one token has no deviation, and no text says NaN.
func TestUnknownDeviation(t *testing.T) {
	for command, want := range map[string]string{"perplexity": "± unknown", "compare": "± ?"} {
		text := works(t, command, "--chunks", "1", "--ctx", "4")
		if !strings.Contains(text, want) || strings.Contains(text, "NaN") || command == "compare" && !strings.Contains(text, "an unknown error") {
			t.Errorf("%s: %s", command, text)
		}
	}
	if text := works(t, "geometry", "--tokens", "1"); strings.Contains(text, "NaN") || !strings.Contains(text, "too few for a verdict") {
		t.Errorf("geometry: %s", text)
	}
}

// TestSameNames: two files of one name are two models.
func TestSameNames(t *testing.T) {
	dir := t.TempDir()
	var paths []string
	for _, d := range []string{"one", "two"} {
		path := filepath.Join(dir, d, "m.gguf")
		if err := os.Mkdir(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, testdata.Read(t, "archs/gpt2.gguf"), 0o644); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
	for _, command := range [][]string{{"compare", "--chunks", "1", "--ctx", "16"}, {"geometry", "--tokens", "32", "--swap-tokens", "0"}, {"bench", "-p", "4", "-n", "0", "-r", "1"}} {
		text := works(t, append(command, paths...)...)
		if !strings.Contains(text, "one/m") || !strings.Contains(text, "two/m") {
			t.Errorf("%s: %s", command[0], text)
		}
	}
}
