package ollama

import (
	"fmt"

	"github.com/ollama/ollama/fs"
	"github.com/ollama/ollama/model"
	"github.com/ollama/ollama/tokenizer"
)

// pretokenizers are the patterns that cut a text into words, by the name that
// files give them: those of GPT-2 and of StableLM 2 (llama.cpp's
// llama-vocab.cpp).
var pretokenizers = map[string]string{
	"gpt-2":     gpt2Words,
	"olmo":      gpt2Words, // Pythia
	"stablelm2": stablelm2Words,
	"qwen2":     stablelm2Words,
}

const (
	gpt2Words      = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
	stablelm2Words = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
)

// newTokenizer makes Ollama's tokenizer of a file. With a vocabulary of
// another kind a model still runs on token ids.
func newTokenizer(c fs.Config) tokenizer.Tokenizer {
	v := &tokenizer.Vocabulary{
		Values: c.Strings("tokenizer.ggml.tokens"),
		Types:  c.Ints("tokenizer.ggml.token_type"),
		Merges: c.Strings("tokenizer.ggml.merges"),
		BOS:    tokenID(c, "tokenizer.ggml.bos_token_id"),
		EOS:    tokenID(c, "tokenizer.ggml.eos_token_id"),
		AddBOS: c.Bool("tokenizer.ggml.add_bos_token"),
		AddEOS: c.Bool("tokenizer.ggml.add_eos_token"),
	}
	if len(v.Types) != len(v.Values) {
		v.Types = make([]int32, len(v.Values)) // none is special
	}
	kind, pre := c.String("tokenizer.ggml.model"), c.String("tokenizer.ggml.pre")
	words, known := pretokenizers[pre]
	bpe := tokenizer.NewBytePairEncoding(v, words)
	if kind != "gpt2" || !known {
		return illiterate{bpe, fmt.Errorf("ollama: tokenizer %q, %q: %w", kind, pre, model.ErrUnsupportedTokenizer)}
	}
	return bpe
}

// tokenID returns the id that a key names, if it is there.
func tokenID(c fs.Config, key string) []int32 {
	if c.Value(key) == nil {
		return nil
	}
	return []int32{int32(c.Uint(key))}
}

// illiterate is a tokenizer that cannot encode.
type illiterate struct {
	tokenizer.Tokenizer
	why error
}

func (t illiterate) Encode(string, bool) ([]int32, error) { return nil, t.why }
