package tokenizer

import (
	"testing"

	"github.com/normswap/normswap/internal/testdata"
)

// BenchmarkEncode measures an encyclopedia's prose under real vocabularies.
func BenchmarkEncode(b *testing.B) {
	text := string(testdata.Read(b, "text/wiki.test.raw"))
	for _, name := range []string{"gpt-2", "gpt-neox", "llama-bpe", "qwen2", "falcon", "mpt", "llama-spm", "bert-bge"} {
		b.Run(name, func(b *testing.B) {
			tok := mustNew(b, open(b, vocabPath(b, name)))
			encodeLoop(b, tok, text)
		})
	}
	b.Run("unigram-16k", func(b *testing.B) {
		encodeLoop(b, mustNew(b, open(b, testdata.Path(b, "vocab/unigram-16k.gguf"))), text)
	})
}

// BenchmarkPreTokenizer measures the split patterns under one vocabulary.
func BenchmarkPreTokenizer(b *testing.B) {
	text := string(testdata.Read(b, "text/fairy-tales-heldout.txt"))
	for _, pre := range []string{"default", "gpt-2", "llama-bpe", "qwen2", "falcon", "starcoder", "deepseek-llm", "deepseek-coder",
		"deepseek-v3", "bloom", "tekken", "gpt-4o"} {
		b.Run(pre, func(b *testing.B) {
			tok := mustNew(b, changed(b, "bpe.gguf", map[string]any{keyPre: pre}, nil))
			encodeLoop(b, tok, text)
		})
	}
}

// BenchmarkLongWord measures ten million letters without a gap.
func BenchmarkLongWord(b *testing.B) {
	word := make([]byte, 10<<20)
	for i := range word {
		word[i] = "aesTr"[i*i%7%5]
	}
	tok := mustNew(b, changed(b, "bpe.gguf", nil, nil))
	encodeLoop(b, tok, string(word))
}

func BenchmarkNew(b *testing.B) {
	for _, name := range []string{"gpt-2", "llama-bpe", "llama-spm", "bert-bge"} {
		b.Run(name, func(b *testing.B) {
			m := open(b, vocabPath(b, name))
			for b.Loop() {
				mustNew(b, m)
			}
		})
	}
}

func encodeLoop(b *testing.B, tok *Tokenizer, text string) {
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	tokens := 0
	for b.Loop() {
		ids, err := tok.Encode(text, EncodeOptions{})
		if err != nil {
			b.Fatal(err)
		}
		tokens += len(ids)
	}
	b.ReportMetric(float64(tokens)/b.Elapsed().Seconds(), "tokens/s")
}
