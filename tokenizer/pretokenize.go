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
	llamaCpp     []string // where llama.cpp has other patterns
	ignoreMerges bool     // a word that is a token is that token
	addBOS       bool     // where the file does not say
	addSEP       bool     // where the file does not say
	nfc          bool     // the model was trained on text in NFC
	plain        bool     // pieces are plain text, not byte-level
	escape       bool     // a space is written as U+2581
	lineFeeds    bool     // a word of line feeds that is a token is that token
}

// preTokenizers holds the rule of each value of tokenizer.ggml.pre. The names
// are llama.cpp's (src/llama-vocab.cpp), since its converter gives them; the
// patterns and the normal form are those of the models' tokenizer.json, as far
// as they are known.
var preTokenizers = func() map[string]preTokenizer {
	byName := make(map[string]preTokenizer)
	for _, r := range []struct {
		names string
		rule  preTokenizer
	}{
		{"default", preTokenizer{stages: []string{patDefault, patGPT2, patNumbers, patThreeDigits}}},
		{"gpt-2 phi-2 jais gigachat a.x-4.0 mellum exaone4 trillion granite-docling jina-es jina-de jina-v2-es jina-v2-de",
			preTokenizer{stages: []string{patGPT2}}},
		{"mpt olmo gpt-neox modern-bert", preTokenizer{stages: []string{patGPT2}, nfc: true}},
		{"jina-v1-en jina-v2-code roberta-bpe", preTokenizer{stages: []string{patGPT2}, addSEP: true}},
		{"llama3 llama-v3 llama-bpe falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano",
			preTokenizer{stages: []string{patLlama3}, ignoreMerges: true, addBOS: true}},
		{"dbrx smaug-bpe glm4 chatglm-bpe", preTokenizer{stages: []string{patLlama3}}},
		{"jais-2", preTokenizer{stages: []string{patJais2}}},
		{"minicpm5", preTokenizer{stages: []string{patNumber3, patMiniCPM5}, ignoreMerges: true}},
		{"stablelm2 kormo megrez hunyuan solar-open grok-2 bailingmoe bailingmoe2 llada-moe",
			preTokenizer{stages: []string{patQwen2}}},
		{"qwen2 deepseek-r1-qwen f2llmv2", preTokenizer{stages: []string{patQwen2}, nfc: true}},
		{"qwen35", preTokenizer{stages: []string{patQwen35}, nfc: true}},
		{"ufakzeka", preTokenizer{stages: []string{patUfakzeka}}},
		{"laguna", preTokenizer{stages: []string{patLineFeeds, patQwen2}}},
		{"falcon", preTokenizer{stages: []string{patFalcon, patGPT2, patThreeDigits}}},
		{"starcoder refact smollm codeshell exaone minerva-7b mellum2",
			preTokenizer{stages: []string{patNumber, patGPT2}}},
		{"command-r", preTokenizer{stages: []string{patNumber, patGPT2}, nfc: true}},
		{"exaone-moe", preTokenizer{stages: []string{patEXAONEMoE}}},
		{"deepseek-llm", preTokenizer{
			stages:   []string{patLineEnd, patCased, patMarks, patTrailing, patCJK, patNumbers},
			llamaCpp: []string{patLineEnd, patCased, llamaMarks, patTrailing, llamaCJK, patNumbers}}},
		{"deepseek-coder", preTokenizer{
			stages:   []string{patLineEnd, patLetters, patPunctuation, patCJK, patNumber},
			llamaCpp: []string{patLineEnd, patLetters, patPunctuation, llamaCJK, patNumber}}},
		{"deepseek-v3 hunyuan-dense joyai-llm hy_v4",
			preTokenizer{stages: []string{patNumber3, patKana, patDeepSeek3}}},
		{"spark2_5", preTokenizer{stages: []string{patNumber3, patKana, patSpark, patNumber}}},
		{"afmoe", preTokenizer{
			stages:   []string{patThreesNumber, patAsian, patDeepSeek3},
			llamaCpp: []string{llamaThrees, llamaAsian, patDeepSeek3}}},
		{"bloom poro-chat gpt3-finnish", preTokenizer{stages: []string{patBloom}}},
		{"viking", preTokenizer{stages: []string{patBloom, patNumber}}},
		{"tekken", preTokenizer{stages: []string{patTekken}, llamaCpp: []string{llamaTekken}, ignoreMerges: true, addBOS: true}},
		{"gpt-4o llama4 kanana2 talkie minimax-m2", preTokenizer{stages: []string{patGPT4o}, llamaCpp: []string{llamaGPT4o}}},
		{"granite-embed-multi-97m", preTokenizer{stages: []string{patGPT4o}, llamaCpp: []string{llamaGranite}, ignoreMerges: true}},
		{"tiny_aya cohere2moe", preTokenizer{stages: []string{patThreesWord, patGPT4o}, llamaCpp: []string{llamaThrees, llamaTinyAya}}},
		{"youtu", preTokenizer{stages: []string{patYoutuCJK, patYoutu}, llamaCpp: []string{patYoutuCJK, llamaYoutu}, ignoreMerges: true}},
		{"kimi-k2", preTokenizer{stages: []string{patKimi}, llamaCpp: []string{llamaKimi}}},
		{"superbpe", preTokenizer{stages: []string{patNumbers, patThreesCut}, llamaCpp: []string{patNumbers, llamaThreesCut}}},
		{"chameleon", preTokenizer{
			stages: []string{patSentinel, patImage, patIndent, patNumber, patEachMark, patGPT2}, addBOS: true}},
		{"seed-coder", preTokenizer{stages: []string{patSeedCoder}}},
		{"whitespace", preTokenizer{stages: []string{patNoSpace}, plain: true}},
		{"gemma4 granite-embed-multi-311m",
			preTokenizer{stages: []string{patLineFeeds}, plain: true, escape: true, lineFeeds: true}},
		{"sarvam-moe", preTokenizer{stages: []string{patLineFeeds}, plain: true, escape: true}},
	} {
		for name := range strings.FieldsSeq(r.names) {
			byName[name] = r.rule
		}
	}
	return byName
}()

// A splitter applies the stages of a pre-tokenizer.
type splitter []stage

// A stage is one pattern: a scanner or a cutter if there is one, a regular
// expression otherwise.
type stage struct {
	next func(text string) int // the length of the first piece
	all  func(text string, yield func(piece string) bool) bool
}

func newSplitter(patterns []string) (s splitter) {
	for _, pattern := range patterns {
		if next, ok := scanners[pattern]; ok {
			s = append(s, stage{next: next})
		} else if all, ok := cutters[pattern]; ok {
			s = append(s, stage{all: all})
		} else {
			s = append(s, stage{all: newRegexpStage(pattern)})
		}
	}
	return s
}

// split calls yield with the pieces of the text, in order and without gaps,
// until yield returns false; it returns whether it came to the end.
func (s splitter) split(text string, yield func(piece string) bool) bool {
	if len(s) == 0 {
		return yield(text)
	}
	if s[0].next == nil {
		return s[0].all(text, func(piece string) bool { return s[1:].split(piece, yield) })
	}
	for text != "" {
		n := s[0].next(text)
		if !s[1:].split(text[:n], yield) {
			return false
		}
		text = text[n:]
	}
	return true
}

// newRegexpStage cuts by any pattern; it is the definition of what the scanners
// do.
func newRegexpStage(pattern string) func(text string, yield func(piece string) bool) bool {
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
