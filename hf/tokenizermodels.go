package hf

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

const gpt2Split = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
const tailSplit = ` ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`

// splits are the names that package tokenizer has for the ways to cut a text:
// without and with NFC before it.
var splits = map[string][2]string{
	gpt2Split:            {"gpt-2", "olmo"},
	"digit " + gpt2Split: {"smollm", "command-r"},
	`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|` + tailSplit: {"dbrx", ""},
	`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|` + tailSplit:      {"stablelm2", "qwen2"},
	` ?[^(\s|[.,!?…。，、।۔،])]+`:                                                      {"bloom", ""},
}

func (v *vocabulary) byteLevel() error {
	f := v.file
	if f.Model.Prefix != "" || f.Model.Suffix != "" {
		return errors.New("continuing_subword_prefix and end_of_word_suffix are not supported with BPE")
	}
	nfc := 0
	for _, n := range f.Normalizer.steps() {
		if n.Type != "NFC" {
			return fmt.Errorf("the normalizer %.40s is not supported with byte-level BPE", n.Type)
		}
		nfc = 1
	}
	pattern, bytes := "", false
	for _, p := range f.PreTokenizer.steps() {
		switch {
		case p.Type == "Split" && p.Behavior == "Isolated" && !p.Invert && pattern == "":
			pattern = p.Pattern.Regex
		case p.Type == "Digits" && p.Individual && pattern == "":
			pattern = "digit "
		case p.Type == "ByteLevel" && !p.AddPrefixSpace:
			bytes = true
			if p.UseRegex == nil || *p.UseRegex {
				pattern += gpt2Split
			}
		default:
			return fmt.Errorf("the pre-tokenizer %.40s is not supported with byte-level BPE, or not with these settings", p.Type)
		}
	}
	names, ok := splits[pattern]
	if !ok || !bytes || names[nfc] == "" {
		return fmt.Errorf("its pattern of words is not supported: %.200q", pattern)
	}
	pre := names[nfc]
	if f.Model.IgnoreMerges {
		if pre != "dbrx" {
			return errors.New("ignore_merges is not supported with this pattern of words")
		}
		pre = "llama-bpe"
	}
	pairs, err := v.merges()
	if err != nil {
		return err
	}
	merges := make([]string, len(pairs))
	for i, p := range pairs {
		merges[i] = p[0] + " " + p[1]
	}
	v.set(ggml+"model", "gpt2")
	v.set(ggml+"pre", pre)
	v.set(ggml+"merges", merges)
	return nil
}

func (v *vocabulary) sentencePiece() error {
	prefix, first, escaped := false, false, false
	for _, n := range v.file.Normalizer.steps() {
		switch {
		case n.Type == "Prepend" && n.Prepend == "▁":
			prefix = true
		case n.Type == "Replace" && n.Pattern.String == " " && n.Content == "▁":
			escaped = true
		default:
			return fmt.Errorf("the normalizer %.40s is not supported with this model", n.Type)
		}
	}
	for _, p := range v.file.PreTokenizer.steps() {
		switch {
		case p.Type == "Split" && p.Pattern.String == " ": // finds none: they are escaped
		case p.Type == "Metaspace" && p.Split != nil && !*p.Split:
			escaped = true
			prefix = p.Scheme != "never"
			first = p.Scheme == "first"
		default:
			return fmt.Errorf("the pre-tokenizer %.40s is not supported with this model, or not with these settings", p.Type)
		}
	}
	if !escaped {
		return errors.New("it does not write a space as U+2581, which is not supported with byte_fallback")
	}
	pairs, err := v.merges()
	if err != nil {
		return err
	}
	scored := map[int]bool{}
	for i, p := range pairs { // scores that make the same order
		if id, ok := v.ids[p[0]+p[1]]; ok && !scored[id] {
			scored[id] = true
			v.scores[id] = -float32(i)
		}
	}
	for id, token := range v.tokens {
		if len(token) == 6 && strings.HasPrefix(token, "<0x") && token[5] == '>' && v.types[id] == 1 {
			v.types[id] = 6
		}
	}
	v.set(ggml+"model", "llama")
	v.set(ggml+"pre", "default")
	v.set(ggml+"scores", v.scores)
	v.set(ggml+"add_space_prefix", prefix)
	if first {
		v.set(keyFirst, true)
	}
	return v.unknown(v.file.Model.UnkToken)
}

func (v *vocabulary) unknown(token string) error {
	if token == "" {
		return nil
	}
	id, ok := v.ids[token]
	if !ok {
		return fmt.Errorf("unk_token %.40q is no token", token)
	}
	v.set(ggml+"unknown_token_id", uint32(id))
	return nil
}

func (v *vocabulary) unigram() error {
	nmt, nfkc, squeeze, metaspace := false, false, false, "keep"
	for _, n := range v.file.Normalizer.steps() {
		switch {
		case n.Type == "Precompiled":
			b, err := base64.StdEncoding.DecodeString(n.Map)
			if err != nil {
				return fmt.Errorf("precompiled_charsmap: %w", err)
			}
			v.set(ggml+"precompiled_charsmap", b)
		case n.Type == "Replace" && n.Pattern.Regex == " {2,}" && (n.Content == " " || n.Content == "▁"):
			squeeze = true
		case n.Type == "Nmt":
			nmt = true
		case n.Type == "NFKC" && nmt:
			nfkc = true
			v.set(keyNFKC, true)
		default:
			return fmt.Errorf("the normalizer %.40s is not supported with a Unigram model", n.Type)
		}
	}
	for _, p := range v.file.PreTokenizer.steps() {
		switch {
		case p.Type == "WhitespaceSplit":
			metaspace = "split"
		case p.Type == "Metaspace" && p.Scheme == "always":
		default:
			return fmt.Errorf("the pre-tokenizer %.40s is not supported with a Unigram model, or not with these settings", p.Type)
		}
	}
	if nmt != nfkc || !squeeze && metaspace == "keep" {
		return errors.New("the normalizer Nmt without NFKC, and Metaspace that keeps runs of spaces, are not supported")
	}
	if v.file.Model.UnkID == nil || *v.file.Model.UnkID < 0 || *v.file.Model.UnkID >= len(v.tokens) {
		return errors.New("unk_id is no token")
	}
	v.set(ggml+"model", "t5")
	v.set(ggml+"pre", "default")
	v.set(ggml+"scores", v.scores)
	v.set(ggml+"add_space_prefix", true)
	v.set(ggml+"remove_extra_whitespaces", true)
	v.set(keyMetaspace, metaspace)
	v.set(ggml+"unknown_token_id", uint32(*v.file.Model.UnkID))
	return nil
}

func (v *vocabulary) wordPiece() error {
	n := v.file.Normalizer
	if n == nil || n.Type != "BertNormalizer" || !n.CleanText || !n.Chinese {
		return errors.New("a normalizer other than BertNormalizer with clean_text and handle_chinese_chars is not supported with WordPiece")
	}
	if p := v.file.PreTokenizer; p == nil || p.Type != "BertPreTokenizer" {
		return errors.New("a pre-tokenizer other than BertPreTokenizer is not supported with WordPiece")
	}
	if v.file.Model.Prefix != "##" || v.file.Model.MaxChars != 100 {
		return errors.New("continuing_subword_prefix other than ## and max_input_chars_per_word other than 100 are not supported")
	}
	for id, token := range v.tokens {
		if v.types[id] != 1 {
			continue
		}
		if rest, ok := strings.CutPrefix(token, "##"); ok {
			v.tokens[id] = rest
		} else {
			v.tokens[id] = "▁" + token
		}
	}
	v.set(ggml+"model", "bert")
	v.set(ggml+"pre", "jina-v2-en")
	v.set(ggml+"normalizer.lowercase", n.Lowercase)
	strip := n.Lowercase
	if n.StripAccents != nil {
		strip = *n.StripAccents
	}
	v.set(ggml+"normalizer.strip_accents", strip)
	return v.unknown(v.file.Model.UnkToken)
}
