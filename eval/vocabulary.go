package eval

import (
	"errors"
	"fmt"

	"github.com/normswap/normswap/engine"
)

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
	for id := range int32(max(a.Vocab(), b.Vocab())) {
		switch p, q := x.IsUnused(id), y.IsUnused(id); {
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
