// Package tokenizer turns text into token ids and back, exactly as the model
// in a GGUF file was trained: byte-level BPE (tokenizer.ggml.model "gpt2") and
// SentencePiece BPE with byte fallback ("llama"). It also recognises the
// common chat templates. [New] takes a file's metadata; [Tokenizer.Encode] and
// [Tokenizer.NewDecoder] do the rest.
//
// Decode undoes Encode on any bytes, valid UTF-8 or not, with the limits that a
// vocabulary brings along: SentencePiece writes a space as U+2581 ("▁"), so a
// text that holds U+2581 itself comes back with a space there; a vocabulary
// with right-stripping special tokens (Phi-3) drops the white space behind
// them; and control tokens that Encode was told to read give no text.
//
// The ids are those of llama.cpp, with these exceptions. Bytes that are no
// UTF-8 are kept, where llama.cpp's BPE reads U+FFFD. Where llama.cpp
// approximates a pattern of a model's tokenizer.json (tekken, gpt-4o,
// deepseek), the model's own is used. A byte without a token is the unknown
// token or an error, and is never dropped. Text that spells a control token is
// never merged into it. Character categories are those of Go's package unicode.
package tokenizer

import (
	"fmt"
	"slices"

	"github.com/normswap/normswap/gguf"
)

// A Tokenizer belongs to one vocabulary. It does not change after New and is
// safe for concurrent use.
type Tokenizer struct {
	model string // "gpt2" or "llama"
	pre   string // the pre-tokenizer in use; empty for "llama"

	vocab
	bos, eos, unk  int32 // -1: the model has none
	addBOS, addEOS bool
	eog            map[int32]bool
	spacePrefix    bool // a space goes before text that starts a fragment
	template       string
	special        *matcher // every special token that can stand in a text
	userDefined    *matcher // those of them that are read from any text
	words          wordCoder
	warnings       []string
}

// A wordCoder turns a piece of text that holds no special token into ids.
type wordCoder interface {
	encode(dst []int32, text string) ([]int32, error)
}

// New reads the vocabulary from a file's metadata. A file of another tokenizer
// model, or of none (an error that matches gguf.ErrMissing), gives an error;
// so does a vocabulary that contradicts itself, naming the key and the index.
// What can be repaired is reported by Warnings instead.
func New(m *gguf.Meta) (*Tokenizer, error) {
	t := new(Tokenizer)
	if err := t.load(m); err != nil {
		return nil, fmt.Errorf("tokenizer: %w", err)
	}
	return t, nil
}

func (t *Tokenizer) load(m *gguf.Meta) error {
	var err error
	if t.model, err = gguf.Get[string](m, keyModel); err != nil {
		return err
	}
	if t.model != "gpt2" && t.model != "llama" {
		return fmt.Errorf("%s is %.40q; only gpt2 (byte-level BPE) and llama (SentencePiece) are known", keyModel, t.model)
	}
	if err := t.loadTokens(m); err != nil {
		return err
	}
	if t.template, err = gguf.GetOr(m, keyTemplate, ""); err != nil {
		return err
	}
	t.addBOS = true
	var rule preTokenizer
	if t.model == "gpt2" {
		if rule, err = t.chooseRule(m); err != nil {
			return err
		}
	}
	if err := t.loadSpecial(m); err != nil {
		return err
	}
	if t.model == "gpt2" {
		err = t.loadBPE(m, rule)
	} else {
		err = t.loadSPM(m)
	}
	if err != nil {
		return err
	}
	t.decodeAll()
	return nil
}

func (t *Tokenizer) warn(format string, args ...any) {
	t.warnings = append(t.warnings, fmt.Sprintf(format, args...))
}

// EncodeOptions says how Encode treats special tokens.
type EncodeOptions struct {
	// AddSpecial puts BOS in front and EOS behind where the model asks for
	// them.
	AddSpecial bool
	// ParseSpecial reads the text of a control token, such as <|eot_id|>, as
	// that token. Without it such text is plain text: leave it off for text
	// that is not trusted. User-defined tokens are read in either case.
	ParseSpecial bool
}

// maxText is the longest text in bytes: with room for SentencePiece, which
// writes a space as three bytes, offsets fit an int32.
const maxText = 1 << 29

// Encode returns the ids of a text, of any bytes. It fails on a byte that the
// vocabulary has no token for (only vocabularies made for a few letters lack
// any), and on texts above 512 MiB.
func (t *Tokenizer) Encode(text string, opt EncodeOptions) ([]int32, error) {
	if len(text) > maxText {
		return nil, fmt.Errorf("tokenizer: a text of %d bytes is above the limit of %d", len(text), maxText)
	}
	ids := make([]int32, 0, len(text)/3+2)
	if opt.AddSpecial && t.addBOS {
		ids = append(ids, t.bos)
	}
	specials := t.userDefined
	if opt.ParseSpecial {
		specials = t.special
	}
	for rest := text; rest != ""; {
		start, end, id := specials.find(rest)
		if start > 0 {
			var err error
			fragment := rest[:start]
			if ids, err = t.words.encode(ids, fragment); err != nil {
				return nil, fmt.Errorf("tokenizer: %w", err)
			}
		}
		if id >= 0 {
			ids = append(ids, id)
			if t.rstrip[id] {
				for end < len(rest) && isASCIISpace(rest[end]) {
					end++
				}
			}
		}
		rest = rest[end:]
	}
	if opt.AddSpecial && t.addEOS {
		ids = append(ids, t.eos)
	}
	return ids, nil
}

func isASCIISpace(b byte) bool { return b == ' ' || '\t' <= b && b <= '\r' }

// BOS returns the token that begins a text, if the model has one.
func (t *Tokenizer) BOS() (id int32, ok bool) { return t.bos, t.bos >= 0 }

// EOS returns the token that ends a text, if the model has one.
func (t *Tokenizer) EOS() (id int32, ok bool) { return t.eos, t.eos >= 0 }

// IsEOG reports whether a model that emits the token has finished: EOS, the
// end of a turn or a message, and the names that models are known to use for
// them.
func (t *Tokenizer) IsEOG(id int32) bool { return t.eog[id] }

// AddBOS reports whether the model asks for BOS at the start of a text.
func (t *Tokenizer) AddBOS() bool { return t.addBOS }

// AddEOS reports whether the model asks for EOS at the end of a text.
func (t *Tokenizer) AddEOS() bool { return t.addEOS }

// Len is the number of tokens.
func (t *Tokenizer) Len() int { return len(t.tokens) }

// Model is the kind of tokenizer as the file names it: "gpt2" or "llama".
func (t *Tokenizer) Model() string { return t.model }

// Pre is the name of the pre-tokenizer in use, empty for model "llama".
func (t *Tokenizer) Pre() string { return t.pre }

// Warnings returns what was repaired or guessed in the vocabulary, such as an
// unknown pre-tokenizer that fell back to the default.
func (t *Tokenizer) Warnings() []string { return slices.Clone(t.warnings) }
