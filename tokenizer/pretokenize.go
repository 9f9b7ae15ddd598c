package tokenizer

import (
	"strings"
	"unicode/utf8"

	"github.com/dlclark/regexp2"
)

// A preTokenizer cuts text into words, which are then merged each on its own.
// The patterns apply one after the other, each to the pieces that the one
// before it left; what a pattern does not match stays a piece too.
type preTokenizer struct {
	stages       []string
	ignoreMerges bool // a word that is a token is that token
	addBOS       bool // where the file does not say
}

// preTokenizers holds the rule of each value of tokenizer.ggml.pre.
var preTokenizers = func() map[string]preTokenizer {
	byName := make(map[string]preTokenizer)
	for _, r := range []struct {
		names string
		rule  preTokenizer
	}{
		{"default", preTokenizer{stages: []string{patDefault, patGPT2, patNumbers, patThreeDigits}}},
		{"gpt-2 phi-2 mpt olmo jais gpt-neox gigachat a.x-4.0 mellum exaone4 trillion granite-docling",
			preTokenizer{stages: []string{patGPT2}}},
		{"llama3 llama-v3 llama-bpe falcon3 falcon-h1 pixtral midm-2.0 lfm2",
			preTokenizer{stages: []string{patLlama3}, ignoreMerges: true, addBOS: true}},
		{"dbrx smaug-bpe glm4 chatglm-bpe", preTokenizer{stages: []string{patLlama3}}},
		{"qwen2 stablelm2 deepseek-r1-qwen kormo f2llmv2 megrez hunyuan solar-open grok-2 " +
			"bailingmoe bailingmoe2 llada-moe",
			preTokenizer{stages: []string{patQwen2}}},
		{"qwen35", preTokenizer{stages: []string{patQwen35}}},
		{"falcon", preTokenizer{stages: []string{patFalcon, patGPT2, patThreeDigits}}},
		{"starcoder refact command-r smollm codeshell exaone minerva-7b mellum2",
			preTokenizer{stages: []string{patNumber, patGPT2}}},
		{"deepseek-llm",
			preTokenizer{stages: []string{patLineEnd, patCased, patMarks, patTrailing, patCJK, patNumbers}}},
		{"deepseek-coder",
			preTokenizer{stages: []string{patLineEnd, patLetters, patPunctuation, patCJK, patNumber}}},
		{"deepseek-v3 hunyuan-dense joyai-llm hy_v4",
			preTokenizer{stages: []string{patNumber3, patKana, patDeepSeek3}}},
		{"bloom poro-chat gpt3-finnish", preTokenizer{stages: []string{patBloom}}},
		{"viking", preTokenizer{stages: []string{patBloom, patNumber}}},
		{"jais-2", preTokenizer{stages: []string{patJais2}}},
		{"tekken", preTokenizer{stages: []string{patTekken}, ignoreMerges: true, addBOS: true}},
		{"gpt-4o llama4 kanana2 talkie minimax-m2", preTokenizer{stages: []string{patGPT4o}}},
		{"seed-coder", preTokenizer{stages: []string{patSeedCoder}}},
	} {
		for name := range strings.FieldsSeq(r.names) {
			byName[name] = r.rule
		}
	}
	return byName
}()

// A splitter calls yield with the pieces of a text, in order and without
// gaps, until yield returns false; it returns whether it came to the end.
type splitter func(text string, yield func(piece string) bool) bool

// newSplitter chains the stages.
func newSplitter(patterns []string) splitter {
	first := newStage(patterns[0])
	if len(patterns) == 1 {
		return first
	}
	rest := newSplitter(patterns[1:])
	return func(text string, yield func(string) bool) bool {
		return first(text, func(piece string) bool { return rest(piece, yield) })
	}
}

// newStage is the splitter of one pattern.
func newStage(pattern string) splitter {
	if next, ok := scanners[pattern]; ok {
		return func(text string, yield func(string) bool) bool {
			for text != "" {
				n := next(text)
				if !yield(text[:n]) {
					return false
				}
				text = text[n:]
			}
			return true
		}
	}
	return newRegexpStage(pattern)
}

// newRegexpStage is the splitter of any pattern, and the definition of what
// the scanners do.
func newRegexpStage(pattern string) splitter {
	re := regexp2.MustCompile(pattern, regexp2.None)
	return func(text string, yield func(string) bool) bool {
		runes := make([]rune, 0, len(text))
		for _, r := range text {
			runes = append(runes, r) // a byte that is no UTF-8 is one U+FFFD
		}
		// The matches count in runes; at is the byte where rune number done is.
		at, done := 0, 0
		advance := func(to int) (piece string) {
			from := at
			for ; done < to; done++ {
				_, n := utf8.DecodeRuneInString(text[at:])
				at += n
			}
			return text[from:at]
		}
		// An error could only be a timeout, and none is set.
		for m, _ := re.FindRunesMatch(runes); m != nil; m, _ = re.FindNextMatch(m) {
			if before := advance(m.Index); before != "" && !yield(before) {
				return false
			}
			if match := advance(m.Index + m.Length); match != "" && !yield(match) {
				return false
			}
		}
		if at < len(text) {
			return yield(text[at:])
		}
		return true
	}
}
