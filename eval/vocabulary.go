package eval

import (
	"errors"
	"fmt"

	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/tokenizer"
)

// unusedToken is the type of tokens that no text has, in tokenizer.ggml.token_type:
// converters pad vocabularies with them to a round number.
const unusedToken = 5

// sameVocabulary returns an error that names the first difference of what two models
// make of a text. Padding makes none.
func sameVocabulary(a, b *engine.Model) error {
	if a.File == b.File {
		return nil
	}
	x, errX := a.Tokenizer()
	y, errY := b.Tokenizer()
	switch {
	case errX != nil && errY != nil && a.Vocab() != b.Vocab():
		return fmt.Errorf("one has %d tokens and the other %d", a.Vocab(), b.Vocab())
	case errX != nil && errY != nil:
		return nil
	case errX != nil || errY != nil:
		return errors.New("one of them has no vocabulary")
	case x.AddBOS() != y.AddBOS():
		return errors.New("one of them begins texts with BOS, the other does not")
	}
	paddingX, paddingY := padding(a, x), padding(b, y)
	for id := range int32(max(a.Vocab(), b.Vocab())) {
		switch p, q := paddingX(id), paddingY(id); {
		case p && q:
		case p != q && p:
			return fmt.Errorf("their token %d is padding in one and %q in the other", id, y.Piece(id))
		case p != q:
			return fmt.Errorf("their token %d is %q in one and padding in the other", id, x.Piece(id))
		case x.Piece(id) != y.Piece(id):
			return fmt.Errorf("their token %d is %q in one and %q in the other", id, x.Piece(id), y.Piece(id))
		}
	}
	return nil
}

// padding returns whether an id stands for no text: it is beyond the vocabulary, or of a
// type that says so.
func padding(m *engine.Model, t *tokenizer.Tokenizer) func(id int32) bool {
	types, err := gguf.Get[[]int32](&m.File.Meta, "tokenizer.ggml.token_type")
	return func(id int32) bool {
		return int(id) >= t.Len() || err == nil && int(id) < len(types) && types[id] == unusedToken
	}
}
