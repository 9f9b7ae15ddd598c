package tokenizer

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/internal/testdata"
)

// open reads a vocabulary file's metadata.
func open(t testing.TB, path string) *gguf.Meta {
	t.Helper()
	f, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return &f.Meta
}

func mustNew(t testing.TB, m *gguf.Meta) *Tokenizer {
	t.Helper()
	tok, err := New(m)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// reference is testdata/reference.json: llama.cpp's ids.
type reference struct {
	Texts  []string
	Groups []struct {
		Base    string
		Set     map[string]any
		Append  [][2]any // token, type
		Special bool
		Aliases []string // pre-tokenizers that cut these texts the same
		BOS     int32
		EOS     int32
		AddBOS  bool `json:"add_bos"`
		AddEOS  bool `json:"add_eos"`
		EOG     []int32
		Pieces  []string // in hexadecimal
		IDs     [][]int32
	}
}

func readReference(t testing.TB) (r reference) {
	t.Helper()
	b, err := os.ReadFile("testdata/reference.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

// changed is the vocabulary of a group of the reference.
func changed(t testing.TB, base string, set map[string]any, tokens [][2]any) *gguf.Meta {
	t.Helper()
	path := "testdata/bpe.gguf"
	if base == "stories260K" {
		path = testdata.Path(t, "trained/stories260K-F32.gguf")
	}
	m := open(t, path).Clone()
	for key, v := range set {
		if n, ok := v.(float64); ok { // as JSON has it
			v = uint32(n)
		}
		if err := m.Set(key, v); err != nil {
			t.Fatal(err)
		}
	}
	for _, a := range tokens {
		extend(t, &m, keyTokens, a[0].(string))
		extend(t, &m, keyTypes, int32(a[1].(float64)))
		extend(t, &m, keyScores, float32(-1000))
	}
	return &m
}

// extend appends to an array of the metadata, if it is there.
func extend[T any](t testing.TB, m *gguf.Meta, key string, v T) {
	t.Helper()
	old, ok := m.Lookup(key)
	if !ok {
		return
	}
	if err := m.Set(key, append(slices.Clone(old.([]T)), v)); err != nil {
		t.Fatal(err)
	}
}

// TestReference holds the ids of many texts against llama.cpp's, under a small
// vocabulary with every pre-tokenizer and a SentencePiece vocabulary.
func TestReference(t *testing.T) {
	r := readReference(t)
	for _, g := range r.Groups {
		name := fmt.Sprintf("%s %v %d special=%v", g.Base, g.Set, len(g.Append), g.Special)
		t.Run(name, func(t *testing.T) {
			tok := mustNew(t, changed(t, g.Base, g.Set, g.Append))
			for _, alias := range g.Aliases {
				if !slices.Equal(preTokenizers[alias].stages, preTokenizers[tok.Pre()].stages) {
					t.Errorf("%s does not cut as %s does", alias, tok.Pre())
				}
			}
			bos, _ := tok.BOS()
			eos, _ := tok.EOS()
			if bos != g.BOS || eos != g.EOS || tok.AddBOS() != g.AddBOS || tok.AddEOS() != g.AddEOS {
				t.Errorf("BOS %d EOS %d added %v %v, want %d %d %v %v", bos, eos, tok.AddBOS(), tok.AddEOS(), g.BOS, g.EOS, g.AddBOS, g.AddEOS)
			}
			var eog []int32
			for id := range int32(tok.Len()) {
				if tok.IsEOG(id) {
					eog = append(eog, id)
				}
			}
			if !slices.Equal(eog, g.EOG) {
				t.Errorf("generation ends with %v %q, want %v %q", eog, pieces(tok, eog), g.EOG, pieces(tok, g.EOG))
			}
			for id, piece := range g.Pieces {
				if got := fmt.Sprintf("%x", tok.Piece(int32(id))); got != piece {
					t.Errorf("token %d is %s, want %s", id, got, piece)
				}
			}
			for i, text := range r.Texts {
				got, err := tok.Encode(text, EncodeOptions{AddSpecial: g.Special, ParseSpecial: g.Special})
				if err != nil {
					t.Fatal(err)
				}
				if want, ok := asTrained[[2]string{tok.Pre(), text}]; ok {
					if got := pieces(tok, got); !slices.Equal(got, want) {
						t.Errorf("%q:\n got %q\nwant %q", text, got, want)
					}
				} else if !slices.Equal(got, g.IDs[i]) {
					t.Errorf("%q:\n got %v %q\nwant %v %q", text, got, pieces(tok, got), g.IDs[i], pieces(tok, g.IDs[i]))
				}
			}
		})
	}
}

// asTrained holds the texts on which llama.cpp's approximation of a pattern
// differs from the pattern in the models' tokenizer.json. Tekken and GPT-4o
// count combining marks to the word; DeepSeek's class of East Asian characters,
// U+0800 to U+D7FF with gaps, includes U+3000, which is white space too.
var asTrained = map[[2]string][]string{
	{"tekken", accents}:            accented,
	{"gpt-4o", accents}:            accented,
	{"deepseek-llm", wideSpaces}:   wideSpaced,
	{"deepseek-coder", wideSpaces}: wideSpaced,
}

const (
	accents    = "e\u0301te\u0301 a\u0301\u0301 \u0301"
	wideSpaces = "\u00a0a\u00a0\u00a0b \u3000c\u3000 \u2003d\u2028e\u0085f\u200b g"
)

var (
	accented   = []string{"e\u0301", "t", "e\u0301", " ", "a\u0301", "\u0301", " \u0301"}
	wideSpaced = []string{"\u00a0a", "\u00a0", "\u00a0", "b", " ", "\u3000", "c", "\u3000", " ", "\xe2", "\x80", "\x83", "d",
		"\xe2", "\x80", "\xa8", "e", "\xc2", "\x85", "f", "\xe2", "\x80", "\x8b", " ", "g"}
)

func pieces(tok *Tokenizer, ids []int32) []string {
	var out []string
	for _, id := range ids {
		out = append(out, tok.Piece(id))
	}
	return out
}

// TestRealVocabularies holds the ids of llama.cpp's own test texts against the
// ids that the models' own tokenizers give.
func TestRealVocabularies(t *testing.T) {
	const separator = "\n__ggml_vocab_test__\n"
	for _, name := range []string{"falcon", "gpt-2", "llama-bpe", "llama-spm", "mpt", "phi-3", "qwen2"} {
		t.Run(name, func(t *testing.T) {
			path := vocabPath(t, name)
			tok := mustNew(t, open(t, path))
			texts := strings.Split(strings.TrimSuffix(readFile(t, path+".inp"), separator), separator)
			lines := strings.Split(strings.TrimSuffix(readFile(t, path+".out"), "\n"), "\n")
			if len(texts) < 2 || len(texts) != len(lines) {
				t.Fatalf("%s: %d texts, %d lines of ids", filepath.Base(path), len(texts), len(lines))
			}
			for i, text := range texts {
				ids, err := tok.Encode(text, EncodeOptions{})
				if err != nil {
					t.Fatal(err)
				}
				if got := strings.Trim(fmt.Sprint(ids), "[]"); got != strings.TrimSpace(lines[i]) {
					t.Errorf("%q:\n got %s\nwant %s", text, got, lines[i])
				}
				if got := tok.Decode(ids); got != text {
					t.Errorf("%q decodes to %q", text, got)
				}
			}
		})
	}
}

func vocabPath(t testing.TB, name string) string {
	t.Helper()
	return testdata.Path(t, "vocab/ggml-vocab-"+name+".gguf")
}

func readFile(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
