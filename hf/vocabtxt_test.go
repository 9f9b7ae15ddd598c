package hf_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/normswap/normswap/hf"
	"github.com/normswap/normswap/tokenizer"
)

// vocab.txt is read where there is no tokenizer.json.
func TestVocabTxt(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"config.json", "model.safetensors"} {
		b, err := os.ReadFile(filepath.Join("testdata", "gpt2", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for text, want := range map[string][]int32{
		"[PAD]\n[UNK]\n[CLS]\n[SEP]\nA\nC\n[HEAVY]\n##b\n":      {2, 6, 4, 5, 1, 3}, // with a capital letter
		"[PAD]\r\n[UNK]\r\n[CLS]\r\n[SEP]\r\na\r\nc\r\n[HEAVY]": {2, 6, 4, 5, 4, 3},
	} {
		if err := os.WriteFile(filepath.Join(dir, "vocab.txt"), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		f, err := hf.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		tok, err := tokenizer.New(&f.Meta)
		if err != nil {
			t.Fatal(err)
		}
		got, err := tok.Encode("[HEAVY] A C a", tokenizer.EncodeOptions{AddSpecial: true, ParseSpecial: true})
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%v, %v, want %v", got, err, want)
		}
		f.Close()
	}
}
