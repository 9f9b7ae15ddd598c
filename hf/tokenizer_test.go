package hf

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/internal/testdata"
	"github.com/normswap/normswap/tokenizer"
)

// The ids are those of the tokenizers library.
func TestTokenizers(t *testing.T) {
	for _, e := range []string{"gpt2", "roberta", "modernbert", "digits", "llama3", "byte-ignore-merges", "qwen2", "sp", "gemma", "metaspace",
		"unigram", "t5", "unigram-nfkc", "wordpiece", "wordpiece-cased"} {
		t.Run(e, func(t *testing.T) {
			path := testdata.Path(t, "hf/tokenizers/"+e+"/texts.json")
			var m gguf.Meta
			if err := readTokenizer(filepath.Dir(path), &config{m: map[string]any{}}, &m); err != nil {
				t.Fatal(err)
			}
			if why, err := gguf.Get[string](&m, KeyTokenizer); err == nil {
				t.Fatal(why)
			}
			tok, err := tokenizer.New(&m)
			if err != nil {
				t.Fatal(err)
			}
			var rows [][4]json.RawMessage
			b, err := os.ReadFile(path)
			if err == nil {
				err = json.Unmarshal(b, &rows)
			}
			if err != nil {
				t.Fatal(err)
			}
			for _, row := range rows {
				var text string
				var want [2][]int32
				json.Unmarshal(row[0], &text)
				json.Unmarshal(row[1], &want[0])
				json.Unmarshal(row[2], &want[1])
				for i := range want {
					got, err := tok.Encode(text, tokenizer.EncodeOptions{AddSpecial: i == 1, ParseSpecial: true})
					if err != nil || !slices.Equal(got, want[i]) {
						t.Errorf("%q, special %v: %v (%v), want %v", text, i == 1, got, err, want[i])
						break
					}
				}
			}
		})
	}
}
