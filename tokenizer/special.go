package tokenizer

import (
	"fmt"
	"slices"
	"strings"

	"github.com/normswap/normswap/gguf"
)

// A role is what the file may declare by key and what is otherwise guessed
// from the names that models are known to use. The table follows llama.cpp
// (src/llama-vocab.cpp).
type role struct {
	key   string
	eog   bool // the token ends a generation
	names []string
}

var roles = []role{
	{"tokenizer.ggml.eot_token_id", true, []string{"<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<|endoftext|>",
		"<|end_of_text|>", "<EOT>", "_<EOT>", "[EOT]", "<｜end▁of▁sentence｜>", "<end_of_utterance>"}},
	{"tokenizer.ggml.eom_token_id", true, []string{"<|eom_id|>"}},
	{"tokenizer.ggml.fim_pre_token_id", false, []string{"<|fim_prefix|>", "<fim-prefix>", "<fim_prefix>", "<｜fim▁begin｜>",
		"<PRE>", "▁<PRE>", "<|code_prefix|>", "<|prefix|>"}},
	{"tokenizer.ggml.fim_suf_token_id", false, []string{"<|fim_suffix|>", "<fim-suffix>", "<fim_suffix>", "<｜fim▁hole｜>",
		"<SUF>", "▁<SUF>", "<|code_suffix|>", "<|suffix|>"}},
	{"tokenizer.ggml.fim_mid_token_id", false, []string{"<|fim_middle|>", "<fim-middle>", "<fim_middle>", "<｜fim▁end｜>",
		"<MID>", "▁<MID>", "<|code_middle|>", "<|middle|>"}},
	{"tokenizer.ggml.fim_pad_token_id", true, []string{"<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"}},
	{"tokenizer.ggml.fim_rep_token_id", true, []string{"<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"}},
	{"tokenizer.ggml.fim_sep_token_id", true, []string{"<|file_sep|>"}},
}

// endNames are tokens that end a generation wherever they occur.
var endNames = []string{"<|eot_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>", "<|flush|>", "<|calls|>",
	"<end_of_turn>", "<|endoftext|>", "</s>", "<|eom_id|>", "<EOT>", "_<EOT>", "[EOT]", "[EOS]", "<|end_of_text|>",
	"<end_of_utterance>", "<eos>", "<turn|>", "<|tool_response>", "<｜end▁of▁sentence｜>", "[e~["}

// visibleNames are the markers of the harmony format, which a reader wants to
// see although files call them control tokens.
var visibleNames = []string{"<|channel|>", "<|message|>", "<|start|>", "<|constrain|>"}

// loadSpecial finds BOS, EOS and the tokens that end a generation, and builds
// the tables that find special tokens in a text.
func (t *Tokenizer) loadSpecial(m *gguf.Meta) error {
	t.bos, t.eos, t.sep, t.unk = -1, -1, -1, -1
	switch t.model { // what the trainers give them
	case "llama":
		t.bos, t.eos, t.unk = 1, 2, 0
		t.addBOS = true
	case "bert":
		t.bos, t.sep, t.unk = 101, 102, 100
		t.addSEP = true
	case "t5":
		t.eos, t.unk = 1, 2
		t.addEOS = true
	}
	for _, s := range []struct {
		key string
		id  *int32
	}{{keyBOS, &t.bos}, {keyEOS, &t.eos}, {keySEP, &t.sep}, {keyUnknown, &t.unk}} {
		id, err := t.idOf(m, s.key, *s.id)
		if err != nil {
			return err
		}
		*s.id = id
	}
	for _, s := range []struct {
		key string
		add *bool
	}{{keyAddBOS, &t.addBOS}, {keyAddEOS, &t.addEOS}, {keyAddSEP, &t.addSEP}} {
		add, err := gguf.GetOr(m, s.key, *s.add)
		if err != nil {
			return err
		}
		*s.add = add
	}
	switch {
	case t.model == "bert": // always, whatever the keys are
		t.addBOS = true
		if t.bos < 0 || t.sep < 0 || t.unk < 0 {
			return fmt.Errorf("%s, %s and %s must be in the vocabulary of %d tokens", keyBOS, keySEP, keyUnknown, t.Len())
		}
	case t.model == "t5" && t.unk < 0:
		return fmt.Errorf("%s must be in the vocabulary of %d tokens", keyUnknown, t.Len())
	case t.pre == "gemma4" || t.pre == "granite-embed-multi-311m": // as llama.cpp overrides it
		t.addBOS = true
	}
	if t.addBOS && t.bos < 0 {
		t.warn("%s is true but the model has no BOS token; none is added", keyAddBOS)
		t.addBOS = false
	}
	if t.addEOS && t.eos < 0 {
		t.warn("%s is true but the model has no EOS token; none is added", keyAddEOS)
		t.addEOS = false
	}
	if err := t.findEnds(m); err != nil {
		return err
	}
	return t.buildMatchers(m)
}

// idOf reads the id under a key; -1 is none. An id outside the vocabulary is
// reported and ignored.
func (t *Tokenizer) idOf(m *gguf.Meta, key string, otherwise int32) (int32, error) {
	if int(otherwise) >= t.Len() {
		otherwise = -1
	}
	id, err := gguf.GetOr(m, key, int(otherwise))
	if err != nil {
		return -1, err
	}
	if id < -1 || id >= t.Len() {
		t.warn("%s is %d, outside the vocabulary of %d tokens; ignored", key, id, t.Len())
		return otherwise, nil
	}
	return int32(id), nil
}

// findEnds collects the tokens that end a generation. Tokens known by name
// count as control tokens whatever type the file gives them.
func (t *Tokenizer) findEnds(m *gguf.Meta) error {
	t.eog = make(map[int32]bool)
	for _, r := range roles {
		id, err := t.idOf(m, r.key, -1)
		if err != nil {
			return err
		}
		if id < 0 {
			if id = t.firstOf(r.names); id >= 0 {
				t.types[id] = typeControl
			}
		}
		if id >= 0 && r.eog {
			t.eog[id] = true
		}
	}
	if t.eos >= 0 {
		t.eog[t.eos] = true
	}
	for _, name := range endNames {
		if id, ok := t.ids[name]; ok {
			t.eog[id] = true
			t.types[id] = typeControl
		}
	}
	for _, name := range visibleNames {
		if id, ok := t.ids[name]; ok {
			t.types[id] = typeUserDefined
		}
	}
	// Beside <|return|> or <|flush|>, <|end|> closes a message and not the turn.
	if t.endsWith("<|return|>", "<|call|>") || t.endsWith("<|return|>", "<|calls|>") ||
		t.endsWith("<|flush|>", "<|call|>") || t.endsWith("<|flush|>", "<|calls|>") {
		t.notEnd("<|end|>", typeUserDefined)
	}
	if t.endsWith("<|tool_response>") { // Gemma 4, where </s> is ordinary text
		t.notEnd("</s>", typeNormal)
	}
	return nil
}

// firstOf is the lowest id among the names, or -1.
func (t *Tokenizer) firstOf(names []string) int32 {
	first := int32(-1)
	for _, name := range names {
		if id, ok := t.ids[name]; ok && (first < 0 || id < first) {
			first = id
		}
	}
	return first
}

func (t *Tokenizer) endsWith(names ...string) bool {
	for _, name := range names {
		if id, ok := t.ids[name]; !ok || !t.eog[id] {
			return false
		}
	}
	return true
}

func (t *Tokenizer) notEnd(name string, k tokenType) {
	if id, ok := t.ids[name]; ok {
		delete(t.eog, id)
		t.types[id] = k
	}
}

// buildMatchers fills the matchers for special tokens.
func (t *Tokenizer) buildMatchers(m *gguf.Meta) error {
	if err := t.findStrips(m); err != nil {
		return err
	}
	var all, user []int32
	open := make(map[int32]bool)
	for i, k := range t.types {
		id, token := int32(i), t.tokens[i]
		if !k.special() || t.ids[token] != id || token == "" || t.normalized[id] && !t.llamaCpp {
			continue
		}
		if len(token) > maxSpecial {
			t.warn("%s[%d] is a special token of %d bytes; above %d it is not looked for in a text", keyTokens, i, len(token), maxSpecial)
			continue
		}
		all = append(all, id)
		if k == typeUserDefined {
			user = append(user, id)
			open[id] = !namesControl(token)
		}
	}
	t.special, t.userDefined = newMatcher(t.tokens, all, open), newMatcher(t.tokens, user, open)
	return nil
}

// maxSpecial bounds the memory of a matcher.
const maxSpecial = 1024

// findStrips marks the tokens that take away white space beside them. No key
// of the metadata has that: as in llama.cpp, the names of the pre-tokenizer,
// the architecture and the model tell. Beyond llama.cpp's list, <mask> of
// RoBERTa and of XLM-RoBERTa's vocabularies takes the white space before it, as
// their tokenizer.json says.
func (t *Tokenizer) findStrips(m *gguf.Meta) error {
	name, err := gguf.GetOr(m, "general.name", "")
	if err != nil {
		return err
	}
	arch, err := gguf.GetOr(m, "general.architecture", "")
	if err != nil {
		return err
	}
	t.stripsLeft, t.stripsRight = make(map[int32]bool), make(map[int32]bool)
	left := func(token string) {
		if id, ok := t.ids[token]; ok {
			t.stripsLeft[id] = true
		}
	}
	name = strings.ToLower(name)
	switch {
	case slices.Contains([]string{"jina-v2-de", "jina-v2-es", "jina-v2-code"}, t.pre),
		arch == "nomic-bert-moe", arch == "jina-bert-v3",
		!t.llamaCpp && (t.pre == "roberta-bpe" || t.model == "t5"):
		left("<mask>")
	case strings.Contains(name, "phi-3"), strings.Contains(name, "phi3"):
		for i, k := range t.types {
			if k.special() || t.tokens[i] == "</s>" {
				t.stripsRight[int32(i)] = true
			}
		}
		for _, token := range []string{"<unk>", "<s>", "<|endoftext|>"} {
			if id, ok := t.ids[token]; ok {
				delete(t.stripsRight, id)
			}
		}
	case strings.Contains(name, "modern-bert"), !t.llamaCpp && t.pre == "modern-bert":
		left("[MASK]")
	}
	return t.loadFlags(m)
}

// loadFlags reads the flags of added tokens that files of this project have.
// They replace what names tell.
func (t *Tokenizer) loadFlags(m *gguf.Meta) error {
	t.singleWord, t.normalized = make(map[int32]bool), make(map[int32]bool)
	for _, f := range []struct {
		key  string
		into *map[int32]bool
	}{{keyLStrip, &t.stripsLeft}, {keyRStrip, &t.stripsRight}, {keySingleWord, &t.singleWord}, {keyNormalized, &t.normalized}} {
		ids, err := gguf.GetOr[[]int](m, f.key, nil)
		if err != nil {
			return err
		}
		if ids != nil {
			*f.into = make(map[int32]bool)
		}
		for _, id := range ids {
			if id < 0 || id >= t.Len() {
				return fmt.Errorf("%s has %d, outside the vocabulary of %d tokens", f.key, id, t.Len())
			}
			(*f.into)[int32(id)] = true
		}
	}
	return nil
}
