package hf

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/normswap/normswap/gguf"
)

// KeyTokenizer is the metadata key that says why a folder's tokenizer is not
// read. Such a model runs by token ids.
const KeyTokenizer = "normswap.tokenizer.refused"

// A step is a normalizer or pre-tokenizer of tokenizer.json.
type step struct {
	Type           string
	Normalizers    []step
	Pretokenizers  []step
	Prepend        string
	Content        string
	Pattern        struct{ Regex, String string }
	Behavior       string
	Invert         bool
	Map            string `json:"precompiled_charsmap"`
	Lowercase      bool
	StripAccents   *bool  `json:"strip_accents"`
	CleanText      bool   `json:"clean_text"`
	Chinese        bool   `json:"handle_chinese_chars"`
	AddPrefixSpace bool   `json:"add_prefix_space"`
	UseRegex       *bool  `json:"use_regex"`
	Individual     bool   `json:"individual_digits"`
	Scheme         string `json:"prepend_scheme"`
	Split          *bool
}

// steps returns the steps of a sequence, or the step itself.
func (s *step) steps() []step {
	if s == nil {
		return nil
	}
	if s.Type != "Sequence" {
		return []step{*s}
	}
	var all []step
	for _, sub := range append(s.Normalizers, s.Pretokenizers...) {
		all = append(all, sub.steps()...)
	}
	return all
}

// A tokenizerFile is tokenizer.json.
type tokenizerFile struct {
	Added []struct {
		ID         int
		Content    string
		Special    bool
		LStrip     bool
		RStrip     bool
		SingleWord bool `json:"single_word"`
		Normalized bool
	} `json:"added_tokens"`
	Normalizer    *step
	PreTokenizer  *step `json:"pre_tokenizer"`
	PostProcessor *post `json:"post_processor"`
	Model         struct {
		Type         string
		Vocab        json.RawMessage
		Merges       []json.RawMessage
		UnkID        *int   `json:"unk_id"`
		UnkToken     string `json:"unk_token"`
		Prefix       string `json:"continuing_subword_prefix"`
		Suffix       string `json:"end_of_word_suffix"`
		MaxChars     int    `json:"max_input_chars_per_word"`
		ByteFallback bool   `json:"byte_fallback"`
		IgnoreMerges bool   `json:"ignore_merges"`
	}
}

// A post is the post-processor, which puts special tokens around a text.
type post struct {
	Type       string
	Processors []post
	Single     []struct {
		SpecialToken *struct{ ID string }
		Sequence     *struct{ ID string }
	}
	Cls, Sep []any
}

// readTokenizer writes the vocabulary of a folder. One that cannot be kept
// exactly is left out, and KeyTokenizer says why.
func readTokenizer(dir string, c *config, m *gguf.Meta) error {
	b, err := os.ReadFile(filepath.Join(dir, "tokenizer.json"))
	if errors.Is(err, fs.ErrNotExist) {
		b, err = vocabTxt(dir)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var f tokenizerFile
	if err := json.Unmarshal(b, &f); err != nil {
		return fmt.Errorf("tokenizer.json: %w", err)
	}
	v := vocabulary{file: &f, config: c}
	if err := v.read(); err != nil {
		return m.Set(KeyTokenizer, "tokenizer.json: "+err.Error())
	}
	if err := v.templates(dir); err != nil {
		return err
	}
	for _, kv := range v.kvs {
		if err := m.Set(kv.Key, kv.Value); err != nil {
			return err
		}
	}
	return nil
}

// A vocabulary becomes the keys of the metadata.
type vocabulary struct {
	file   *tokenizerFile
	config *config
	tokens []string
	types  []int32
	scores []float32
	ids    map[string]int
	kvs    []gguf.KV
}

func (v *vocabulary) set(key string, value any) {
	v.kvs = append(v.kvs, gguf.KV{Key: key, Value: value})
}

const (
	ggml = "tokenizer.ggml."
	// The flags of added tokens, and where a space goes in front of a text.
	keyLStrip     = "normswap.tokenizer.lstrip"
	keyRStrip     = "normswap.tokenizer.rstrip"
	keySingleWord = "normswap.tokenizer.single_word"
	keyFirst      = "normswap.tokenizer.prefix_first"
	keyNormalized = "normswap.tokenizer.normalized"
	keyMetaspace  = "normswap.tokenizer.metaspace"
	keyNFKC       = "normswap.tokenizer.nmt_nfkc"
)

func (v *vocabulary) read() error {
	f := v.file
	if err := v.loadTokens(); err != nil {
		return err
	}
	var err error
	switch {
	case f.Model.Type == "BPE" && f.Model.ByteFallback:
		err = v.sentencePiece()
	case f.Model.Type == "BPE":
		err = v.byteLevel()
	case f.Model.Type == "Unigram":
		err = v.unigram()
	case f.Model.Type == "WordPiece":
		err = v.wordPiece()
	default:
		err = fmt.Errorf("the model %.40q is not supported", f.Model.Type)
	}
	if err != nil {
		return err
	}
	v.set(ggml+"tokens", v.tokens)
	v.set(ggml+"token_type", v.types)
	v.flags()
	return v.around()
}

// maxTokens is more than any vocabulary has.
const maxTokens = 1 << 24

func (v *vocabulary) loadTokens() error {
	f := v.file
	byID, scores := map[int]string{}, map[int]float32{}
	if f.Model.Type == "Unigram" {
		var all [][2]any
		if err := json.Unmarshal(f.Model.Vocab, &all); err != nil {
			return fmt.Errorf("vocab: %w", err)
		}
		for id, t := range all {
			name, ok1 := t[0].(string)
			score, ok2 := t[1].(float64)
			if !ok1 || !ok2 {
				return fmt.Errorf("vocab[%d] is no piece with a score", id)
			}
			byID[id], scores[id] = name, float32(score)
		}
	} else {
		var all map[string]int
		if err := json.Unmarshal(f.Model.Vocab, &all); err != nil {
			return fmt.Errorf("vocab: %w", err)
		}
		for token, id := range all {
			byID[id] = token
		}
	}
	size := v.config.int(0, "vocab_size")
	for _, a := range f.Added {
		byID[a.ID] = a.Content
	}
	for id := range byID {
		if id < 0 || id >= maxTokens {
			return fmt.Errorf("the id %d is out of range", id)
		}
		size = max(size, id+1)
	}
	if size > maxTokens {
		return fmt.Errorf("vocab_size is %d", size)
	}
	v.tokens, v.types, v.scores, v.ids = make([]string, size), make([]int32, size), make([]float32, size), make(map[string]int, size)
	for id := range size {
		token, ok := byID[id]
		v.types[id] = 1
		if !ok {
			token, v.types[id] = fmt.Sprintf("[PAD%d]", id), 5
		}
		v.tokens[id], v.scores[id] = token, scores[id]
		if ok {
			v.ids[token] = id
		}
	}
	for _, a := range f.Added {
		v.types[a.ID] = 4
		if a.Special {
			v.types[a.ID] = 3
		}
	}
	return nil
}

// merges returns the merges, each two pieces with a space between.
func (v *vocabulary) merges() ([][2]string, error) {
	all := make([][2]string, len(v.file.Model.Merges))
	for i, raw := range v.file.Model.Merges {
		if err := json.Unmarshal(raw, &all[i]); err == nil {
			continue
		}
		var text string
		if err := json.Unmarshal(raw, &text); err != nil {
			return nil, fmt.Errorf("merges[%d]: %w", i, err)
		}
		all[i][0], all[i][1], _ = strings.Cut(text, " ")
	}
	return all, nil
}

// flags writes the flags of added tokens.
func (v *vocabulary) flags() {
	var left, right, single, normalized []uint32
	// Normalizers that change the tokens themselves.
	changes := false
	for _, n := range v.file.Normalizer.steps() {
		changes = changes || n.Type == "Prepend" || n.Type == "BertNormalizer" && n.Lowercase
	}
	for _, a := range v.file.Added {
		for _, f := range []struct {
			on   bool
			into *[]uint32
		}{{a.LStrip, &left}, {a.RStrip, &right}, {a.SingleWord, &single}, {a.Normalized && !a.Special && changes, &normalized}} {
			if f.on {
				*f.into = append(*f.into, uint32(a.ID))
			}
		}
	}
	for _, f := range []struct {
		key string
		ids []uint32
	}{{keyLStrip, left}, {keyRStrip, right}, {keySingleWord, single}, {keyNormalized, normalized}} {
		if len(f.ids) > 0 {
			v.set(f.key, f.ids)
		}
	}
}

// around writes the special tokens that stand before and behind a text.
func (v *vocabulary) around() error {
	before, behind := "", ""
	var walk func(p *post) error
	walk = func(p *post) error {
		if p == nil {
			return nil
		}
		switch p.Type {
		case "ByteLevel":
		case "Sequence":
			for i := range p.Processors {
				if err := walk(&p.Processors[i]); err != nil {
					return err
				}
			}
		case "RobertaProcessing", "BertProcessing":
			if len(p.Cls) == 2 && len(p.Sep) == 2 {
				before, behind = fmt.Sprint(p.Cls[0]), fmt.Sprint(p.Sep[0])
			}
		case "TemplateProcessing":
			seen := false
			for _, s := range p.Single {
				switch {
				case s.Sequence != nil:
					seen = true
				case s.SpecialToken != nil && !seen && before == "":
					before = s.SpecialToken.ID
				case s.SpecialToken != nil && seen && behind == "":
					behind = s.SpecialToken.ID
				default:
					return errors.New("its template puts more than one token before or behind a text")
				}
			}
		default:
			return fmt.Errorf("the post-processor %.40s is not supported", p.Type)
		}
		return nil
	}
	if err := walk(v.file.PostProcessor); err != nil {
		return err
	}
	id := func(token, key string) (int, bool) {
		if n, ok := v.ids[token]; ok && token != "" {
			return n, true
		}
		first, _ := v.config.find(key)
		if all, ok := first.([]any); ok && len(all) > 0 {
			first = all[0]
		}
		if n, ok := first.(json.Number); ok {
			if i, err := n.Int64(); err == nil && 0 <= i && int(i) < len(v.tokens) {
				return int(i), true
			}
		}
		return 0, false
	}
	if n, ok := id(before, "bos_token_id"); ok {
		v.set(ggml+"bos_token_id", uint32(n))
	}
	if n, ok := id(behind, "eos_token_id"); ok {
		v.set(ggml+"eos_token_id", uint32(n))
		if v.file.Model.Type == "WordPiece" {
			v.set(ggml+"seperator_token_id", uint32(n)) // spelt so
		}
	}
	if n, ok := id("", "pad_token_id"); ok {
		v.set(ggml+"padding_token_id", uint32(n))
	}
	v.set(ggml+"add_bos_token", before != "")
	v.set(ggml+"add_eos_token", behind != "")
	return nil
}

// templates writes the chat templates of the folder.
func (v *vocabulary) templates(dir string) error {
	const key = "tokenizer.chat_template"
	b, err := os.ReadFile(filepath.Join(dir, "chat_template.jinja"))
	if err == nil {
		v.set(key, string(b))
		return nil
	}
	b, err = os.ReadFile(filepath.Join(dir, "tokenizer_config.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var c struct {
		Template json.RawMessage `json:"chat_template"`
	}
	if err := json.Unmarshal(b, &c); err != nil {
		return fmt.Errorf("tokenizer_config.json: %w", err)
	}
	var one string
	var several []struct{ Name, Template string }
	switch {
	case c.Template == nil:
	case json.Unmarshal(c.Template, &one) == nil:
		if one != "" {
			v.set(key, one)
		}
	case json.Unmarshal(c.Template, &several) == nil:
		for _, t := range several {
			if t.Name == "default" {
				v.set(key, t.Template)
			} else {
				v.set(key+"."+t.Name, t.Template)
			}
		}
	default:
		return errors.New("tokenizer_config.json: chat_template is neither a template nor a list of them")
	}
	return nil
}
