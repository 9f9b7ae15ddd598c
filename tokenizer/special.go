package tokenizer

import (
	"slices"
	"sort"
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
	bos, eos, unk := int32(-1), int32(-1), int32(-1)
	if t.model == "llama" {
		bos, eos, unk = 1, 2, 0 // what SentencePiece's trainer gives them
	}
	var err error
	if t.bos, err = t.idOf(m, keyBOS, bos); err != nil {
		return err
	}
	if t.eos, err = t.idOf(m, keyEOS, eos); err != nil {
		return err
	}
	if t.unk, err = t.idOf(m, keyUnknown, unk); err != nil {
		return err
	}
	if t.addBOS, err = gguf.GetOr(m, keyAddBOS, t.addBOS); err != nil {
		return err
	}
	if t.addEOS, err = gguf.GetOr(m, keyAddEOS, false); err != nil {
		return err
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
	name, err := gguf.GetOr(m, "general.name", "")
	if err != nil {
		return err
	}
	t.buildMatchers(strings.ToLower(name))
	return nil
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

// buildMatchers fills the matchers for special tokens. Phi-3's special tokens drop
// the white space behind them, which no metadata key says: as in llama.cpp,
// the model's name decides.
func (t *Tokenizer) buildMatchers(modelName string) {
	phi3 := strings.Contains(modelName, "phi-3") || strings.Contains(modelName, "phi3")
	t.rstrip = make(map[int32]bool)
	var all, user []int32
	for i, k := range t.types {
		id, token := int32(i), t.tokens[i]
		if !k.special() || t.ids[token] != id || token == "" {
			continue
		}
		if len(token) > maxSpecial {
			t.warn("%s[%d] is a special token of %d bytes; above %d it is not looked for in a text", keyTokens, i, len(token), maxSpecial)
			continue
		}
		all = append(all, id)
		if k == typeUserDefined {
			user = append(user, id)
		}
		if phi3 && token != "<unk>" && token != "<s>" && token != "<|endoftext|>" {
			t.rstrip[id] = true
		}
	}
	t.special, t.userDefined = newMatcher(t.tokens, all), newMatcher(t.tokens, user)
}

// maxSpecial bounds the work that matcher.find does at each byte of a text.
const maxSpecial = 1024

// A matcher finds special tokens in a text: the leftmost, and of those that
// start at the same place the longest.
type matcher struct {
	tokens []string // sorted
	ids    []int32
	first  [257]int32 // tokens[first[b]:first[b+1]] begin with byte b
}

func newMatcher(all []string, ids []int32) *matcher {
	m := &matcher{ids: slices.Clone(ids)}
	slices.SortFunc(m.ids, func(a, b int32) int { return strings.Compare(all[a], all[b]) })
	for _, id := range m.ids {
		m.tokens = append(m.tokens, all[id])
	}
	for b := range 257 {
		m.first[b] = int32(sort.Search(len(m.tokens), func(i int) bool { return int(m.tokens[i][0]) >= b }))
	}
	return m
}

// find returns the first special token in the text and where it stands. Without
// one it returns len(text), len(text), -1.
func (m *matcher) find(text string) (start, end int, id int32) {
	for i := range len(text) {
		lo, hi := m.first[text[i]], m.first[int(text[i])+1]
		if lo == hi {
			continue
		}
		if n, id := m.longest(text[i:], int(lo), int(hi)); n > 0 {
			return i, i + n, id
		}
	}
	return len(text), len(text), -1
}

// longest is the longest token that text begins with. Of tokens[lo:hi] it is
// known that their first byte fits; each further byte narrows the range.
func (m *matcher) longest(text string, lo, hi int) (n int, id int32) {
	for depth := 1; ; depth++ {
		if len(m.tokens[lo]) == depth { // sorted: the shortest is the first
			n, id = depth, m.ids[lo]
			lo++
		}
		if lo == hi || depth == len(text) {
			return n, id
		}
		b, candidates := text[depth], m.tokens[lo:hi]
		from := sort.Search(len(candidates), func(i int) bool { return candidates[i][depth] >= b })
		to := from + sort.Search(len(candidates)-from, func(i int) bool { return candidates[from+i][depth] > b })
		if from == to {
			return n, id
		}
		lo, hi = lo+from, lo+to
	}
}
