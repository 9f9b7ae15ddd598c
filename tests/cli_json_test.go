package tests

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/normswap/normswap/internal/testdata"
)

// Every command that prints figures prints them as JSON too, and nothing else
// beside that; the others have no such flag.
func TestJSONEverywhere(t *testing.T) {
	model, letters := testdata.Path(t, stories), testdata.Path(t, sorter)
	dir := t.TempDir()
	questions := filepath.Join(dir, "questions.jsonl")
	if err := os.WriteFile(questions, []byte(`{"context": "Once upon a", "choices": ["time", "table"], "answer": 0}`), 0o666); err != nil {
		t.Fatal(err)
	}
	runs := map[string]struct {
		args []string
		keys []string // of the object, or of the first of several
	}{
		"":           {[]string{letters, "-p", "CBABCA", "-n", "2"}, []string{"text", "tokens", "decode_tokens_per_second"}},
		"archs":      {nil, []string{"architecture", "norm", "fold_reason"}},
		"bench":      {[]string{letters, "-p", "4", "-n", "2", "-r", "1"}, []string{"model_filename", "avg_ts", "n_prompt"}},
		"compare":    {[]string{"--chunks", "1", "--ctx", "32"}, []string{"norms", "model", "context"}},
		"embed":      {[]string{testdata.Path(t, "encoders/bert.gguf"), "A cat sleeps."}, []string{"text", "pooling", "embedding"}},
		"rerank":     {[]string{testdata.Path(t, "encoders/bert-rank.gguf"), "cats", "A cat sleeps."}, []string{"text", "score"}},
		"score":      {[]string{model, questions}, []string{"answer", "logprobs"}},
		"fold":       {[]string{"-o", filepath.Join(dir, "folded.gguf")}, []string{"file", "tensors", "largest_mean_left", "kl"}},
		"geometry":   {[]string{"--tokens", "64", "--ctx", "32", "--swap-tokens", "32"}, []string{"model", "verdict", "extremes"}},
		"inspect":    {nil, []string{"architecture", "metadata", "tensors"}},
		"logits":     {[]string{model, "--tokens", "403,407"}, []string{"position", "token", "logits"}},
		"perplexity": {[]string{"--chunks", "1", "--ctx", "32"}, []string{"norms", "model", "context"}},
		"sweep":      {[]string{"--ctx", "32", "--sites", "final"}, []string{"model_sha256", "activations", "rows", "verdict"}},
		"dimensions": {[]string{"--ctx", "32", "--chunks", "1"}, []string{"model_sha256", "text_sha256", "sites", "massive", "verdict"}},
		"states":     {[]string{"--tokens", "8", "--sites", "final,0", "-o", filepath.Join(dir, "s.npy")}, []string{"model_sha256", "text_sha256", "tokens", "files"}},
		"tokenize":   {[]string{model, "Once"}, []string{"id", "piece"}},
		"version":    {nil, []string{"version", "go", "kernels"}},
	}
	for _, name := range append(commandNames(t), "") {
		run, ok := runs[name]
		if !ok {
			text := works(t, name, "--help")
			// Tests of their own have what these two need: parts of a run, and a store.
			elsewhere := name == "merge" || name == "list"
			if _, flags, _ := strings.Cut(text, "\nFlags:\n"); strings.Contains(flags, "--json ") != elsewhere {
				t.Errorf("infer %s: is there --json, and no test of it?\n%s", name, flags)
			}
			continue
		}
		t.Run("infer "+name, func(t *testing.T) {
			out := json.NewDecoder(strings.NewReader(works(t, slices.Concat(strings.Fields(name), run.args, []string{"--json"})...)))
			for out.More() { // logits has a line for each token
				var v any
				if err := out.Decode(&v); err != nil {
					t.Fatal(err)
				}
				if list, ok := v.([]any); ok {
					v = list[0]
				}
				for _, key := range run.keys {
					if _, ok := v.(map[string]any)[key]; !ok {
						t.Errorf("no %q in %v", key, v)
					}
				}
			}
		})
	}
}
