// Package tokenizer turns text into token ids and back, as the model in a GGUF
// file was trained to: byte-level BPE (tokenizer.ggml.model "gpt2"),
// SentencePiece BPE with byte fallback ("llama"), WordPiece ("bert") and
// SentencePiece unigram ("t5"). [New] takes a file's metadata;
// [Tokenizer.Encode] and [Tokenizer.NewDecoder] do the rest.
//
// The ids are those of the tokenizer that the model was trained with, as far as
// a GGUF file tells. Where llama.cpp's differ, [Options] can choose them;
// docs/DIFFERENCES.md has the list.
//
// With BPE, Decode undoes Encode on any bytes, valid UTF-8 or not, with the
// limits that a vocabulary brings along: a vocabulary trained on normalized
// text gives that; SentencePiece writes a space as U+2581 ("▁"), so a text that
// holds U+2581 itself comes back with a space there; special tokens that take
// away white space beside them do not give it back; and control tokens that
// Encode was told to read give no text. WordPiece and unigram keep no more of
// a text than a model reads.
package tokenizer

import (
	"fmt"
	"slices"

	"github.com/normswap/normswap/gguf"
)

// A Tokenizer belongs to one vocabulary. It does not change after New and is
// safe for concurrent use.
type Tokenizer struct {
	model    string // a tokenizer.ggml.model
	pre      string // the pre-tokenizer in use; empty where the model has none
	llamaCpp bool

	vocab
	bos, eos, sep, unk     int32 // -1: the model has none
	addBOS, addEOS, addSEP bool
	eog                    map[int32]bool
	form                   normalForm
	spacePrefix            bool              // a space goes before text that starts a fragment
	prefixFirst            bool              // it does so at the start of the text alone
	templates              map[string]string // by the name behind KeyChatTemplate
	special                *matcher          // every special token that can stand in a text
	userDefined            *matcher          // those of them that are read from any text
	words                  wordCoder
	warnings               []string
}

// A wordCoder turns a piece of text that holds no special token into ids.
type wordCoder interface {
	// load reads what the tokenizer model needs beside the tokens.
	load(m *gguf.Meta) error
	// encode appends to e's ids. It returns an error only when e is cancelled.
	encode(e *encoding, text string) error
}

// Options say how a vocabulary is read.
type Options struct {
	// LlamaCpp gives llama.cpp's ids where they are not those of the model's
	// own tokenizer.
	LlamaCpp bool
}

// New reads the vocabulary from a file's metadata, with the zero Options.
func New(m *gguf.Meta) (*Tokenizer, error) { return Options{}.New(m) }

// New reads the vocabulary from a file's metadata. A file of another tokenizer
// model, or of none (an error that matches gguf.ErrMissing), gives an error;
// so does a vocabulary that contradicts itself, naming the key and the index.
// What can be repaired is reported by Warnings instead.
func (o Options) New(m *gguf.Meta) (*Tokenizer, error) {
	t := &Tokenizer{llamaCpp: o.LlamaCpp}
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
	if t.words, err = t.coder(); err != nil {
		return err
	}
	if err := t.loadTokens(m); err != nil {
		return err
	}
	if err := t.loadTemplates(m); err != nil {
		return err
	}
	if w, ok := t.words.(*bpe); ok {
		if err := w.choosePreTokenizer(m); err != nil {
			return err
		}
	}
	if err := t.loadSpecial(m); err != nil {
		return err
	}
	if err := t.words.load(m); err != nil {
		return err
	}
	t.decodeAll()
	return nil
}

// coder makes the algorithm of the tokenizer model.
func (t *Tokenizer) coder() (wordCoder, error) {
	switch t.model {
	case "gpt2", "gemma4", "whitespace":
		return &bpe{t: t}, nil
	case "llama":
		return &spm{t: t}, nil
	case "bert":
		return &wordPiece{t: t}, nil
	case "t5":
		return &unigram{t: t}, nil
	case "none", "no_vocab":
		return nil, fmt.Errorf("%s is %q: the model has no vocabulary, and takes token ids only", keyModel, t.model)
	case "rwkv", "plamo2", "hybriddna":
		return nil, fmt.Errorf("%s is %q: this tokenizer is not implemented", keyModel, t.model)
	}
	return nil, fmt.Errorf("%s is %.40q, which is unknown", keyModel, t.model)
}

func (t *Tokenizer) warn(format string, args ...any) {
	t.warnings = append(t.warnings, fmt.Sprintf(format, args...))
}

// BOS returns the token that begins a text, if the model has one.
func (t *Tokenizer) BOS() (id int32, ok bool) { return t.bos, t.bos >= 0 }

// EOS returns the token that ends a text, if the model has one.
func (t *Tokenizer) EOS() (id int32, ok bool) { return t.eos, t.eos >= 0 }

// SEP returns the token that separates two texts, if the model has one.
func (t *Tokenizer) SEP() (id int32, ok bool) { return t.sep, t.sep >= 0 }

// IsEOG reports whether a model that emits the token has finished: EOS, the
// end of a turn or a message, and the names that models are known to use for
// them.
func (t *Tokenizer) IsEOG(id int32) bool { return t.eog[id] }

// AddBOS reports whether the model asks for BOS at the start of a text.
func (t *Tokenizer) AddBOS() bool { return t.addBOS }

// AddEOS reports whether the model asks for EOS at the end of a text.
func (t *Tokenizer) AddEOS() bool { return t.addEOS }

// AddSEP reports whether the model asks for SEP between two texts.
func (t *Tokenizer) AddSEP() bool { return t.addSEP }

// DoubledBOS reports whether ids, which Encode returned with AddSpecial, begin
// with BOS twice: the text began with it already.
func (t *Tokenizer) DoubledBOS(ids []int32) bool {
	return t.addBOS && len(ids) >= 2 && ids[0] == t.bos && ids[1] == t.bos
}

// Len is the number of tokens.
func (t *Tokenizer) Len() int { return len(t.tokens) }

// Model is the tokenizer model as the file names it, such as "gpt2".
func (t *Tokenizer) Model() string { return t.model }

// Pre is the name of the pre-tokenizer in use, empty where the model has none.
func (t *Tokenizer) Pre() string { return t.pre }

// Warnings returns what was repaired or guessed in the vocabulary, such as an
// unknown pre-tokenizer that fell back to the default.
func (t *Tokenizer) Warnings() []string { return slices.Clone(t.warnings) }
