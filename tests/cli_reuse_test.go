package tests

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

const repeating = "The king said to the wolf: I will come. The wolf said to the king: I will come. The king said to the"

// TestGuessing: guessed tokens change no text.
func TestGuessing(t *testing.T) {
	draft := filepath.Join("..", "internal", "tales", "fairy-tales-5.5M-layernorm-Q8_0.gguf")
	for _, temp := range []string{"0", "0.7"} {
		args := []string{"-p", repeating, "-n", "90", "--temp", temp, "--seed", "5", "--json"}
		type answer struct {
			Tokens   []int32
			Guessed  int `json:"guessed_tokens"`
			Accepted int `json:"accepted_tokens"`
		}
		run := func(more ...string) (a answer) {
			t.Helper()
			if err := json.Unmarshal([]byte(works(t, append(args, more...)...)), &a); err != nil {
				t.Fatal(err)
			}
			return a
		}
		want := run()
		for _, more := range [][]string{{"--lookup"}, {"--model-draft", draft}, {"--lookup", "--model-draft", draft, "--draft-max", "3"}} {
			got := run(more...)
			if len(got.Tokens) != 90 || !slices.Equal(got.Tokens, want.Tokens) {
				t.Errorf("%v, temperature %s: other tokens", more, temp)
			}
			if got.Accepted > got.Guessed || want.Guessed != 0 {
				t.Errorf("%v: %+v", more, got)
			}
		}
	}
	infer(t, "--draft-max", "0", "-p", "x").fails(t, 2, "--draft-max 0")
	infer(t, "--model-draft", "../tests/testdata/archs/gpt2.gguf", "-p", "x", "-n", "3", "--json").fails(t, 1, "the draft has a vocabulary of")
}

// TestPromptCache: the second run of a prompt begins from the file; a file of
// something else is refused, and stays.
func TestPromptCache(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	args := []string{"-p", repeating, "-n", "8", "--temp", "0", "--json", "--prompt-cache", path}
	type answer struct {
		Text string
		Kept int `json:"kept_tokens"`
		All  int `json:"prompt_tokens"`
	}
	run := func() (a answer) {
		t.Helper()
		if err := json.Unmarshal([]byte(works(t, args...)), &a); err != nil {
			t.Fatal(err)
		}
		return a
	}
	first, second := run(), run()
	if first.Text != second.Text || first.Kept != 0 || second.Kept != second.All-1 {
		t.Errorf("first %+v, second %+v", first, second)
	}
	infer(t, append(args, "--norm", "rms-naive")...).fails(t, 1, path, "other norms")
	infer(t, append(args, "--kv", "f32")...).fails(t, 1, path, "a cache of F16")
	if third := run(); third != second {
		t.Errorf("third %+v, want %+v", third, second)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b[:len(b)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	infer(t, args...).fails(t, 1, path, "is cut off", "remove it")
	infer(t, "-i", "--prompt-cache", path).fails(t, 2, "--prompt-cache is for a single prompt")
	infer(t, "-p", "x", "--prompt-cache", filepath.Join(t.TempDir(), "no", "state")).fails(t, 1, "there is no folder")
}
