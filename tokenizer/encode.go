package tokenizer

import (
	"context"
	"fmt"
	"strings"
)

// EncodeOptions says how Encode treats special tokens.
type EncodeOptions struct {
	// AddSpecial puts BOS in front and EOS behind where the model asks for
	// them. A WordPiece model gets BOS in front and SEP behind.
	AddSpecial bool
	// Continued says that the model is to continue the text: nothing is put behind it.
	Continued bool
	// ParseSpecial reads the text of a control token, such as <|eot_id|>, as
	// that token. Without it such text is plain text: leave it off for text
	// that is not trusted. User-defined tokens are read in either case.
	ParseSpecial bool
	// Literal are parts of the text that are not trusted, in ascending order.
	// With ParseSpecial, a control token that has a byte in one of them is
	// plain text all the same. So is a user-defined token there whose name
	// marks it as a control token (<|...|>).
	Literal []Range
}

// An UnknownBytesError says that the vocabulary has no token for some bytes of
// a text. The ids that come with it leave those bytes out.
type UnknownBytesError struct {
	Count  int  // of the bytes
	Offset int  // of the first one in the text
	Byte   byte // the first one
}

func (e *UnknownBytesError) Error() string {
	first := fmt.Sprintf("0x%02x", e.Byte)
	if ' ' < e.Byte && e.Byte < 0x7f {
		first = fmt.Sprintf("%q", string(rune(e.Byte)))
	}
	if e.Count == 1 {
		return fmt.Sprintf("tokenizer: the vocabulary has no token for one byte of the text, %s at offset %d", first, e.Offset)
	}
	return fmt.Sprintf("tokenizer: the vocabulary has no token for %d bytes of the text, the first of them %s at offset %d", e.Count, first, e.Offset)
}

// maxText is the longest text in bytes: with room for SentencePiece, which
// writes a space as three bytes, offsets fit an int32.
const maxText = 1 << 29

// Encode returns the ids of a text, of any bytes. It fails on texts above 512
// MiB. Where the vocabulary has no token for some bytes, and none for the
// unknown, it returns the ids of the rest together with an *UnknownBytesError:
// a caller may take it for a failure or for a warning.
func (t *Tokenizer) Encode(text string, opt EncodeOptions) ([]int32, error) {
	return t.EncodeContext(context.Background(), text, opt)
}

// EncodeContext is Encode, and returns the error of ctx soon after that is
// cancelled.
func (t *Tokenizer) EncodeContext(ctx context.Context, text string, opt EncodeOptions) ([]int32, error) {
	if len(text) > maxText {
		return nil, fmt.Errorf("tokenizer: a text of %d bytes is above the limit of %d", len(text), maxText)
	}
	if t.llamaCpp {
		text = t.asLlamaCppReads(text)
	}
	specials, err := t.specialIn(ctx, text, opt)
	if err != nil {
		return nil, err
	}
	e := &encoding{t: t, ctx: ctx, text: text, ids: make([]int32, 0, len(text)/3+2)}
	if opt.AddSpecial && t.addBOS {
		e.ids = append(e.ids, t.bos)
	}
	for _, s := range specials {
		if err := e.fragment(s.start); err != nil {
			return nil, err
		}
		e.ids = append(e.ids, s.id)
		e.at, e.inside = s.end, t.normalized[s.id]
	}
	if err := e.fragment(len(text)); err != nil {
		return nil, err
	}
	switch {
	case !opt.AddSpecial || opt.Continued:
	case t.model == "bert":
		e.ids = append(e.ids, t.sep)
	case t.addEOS:
		e.ids = append(e.ids, t.eos)
	}
	if e.unknown != nil {
		return e.ids, e.unknown
	}
	return e.ids, nil
}

// An encoding is a text on its way to ids.
type encoding struct {
	t       *Tokenizer
	ctx     context.Context
	text    string
	ids     []int32
	form    normalForm         // of the fragment
	inside  bool               // the fragment continues a normalized text
	at      int                // where in text the fragment begins that is being encoded
	word    int                // where in the normalized fragment the word begins that is being encoded
	unread  int                // bytes since ctx was asked
	odd     bool               // the word has parts that no token covers
	unk     int                // len(ids) when the unknown token was appended
	unknown *UnknownBytesError // nil: every byte had a token
}

// fragment encodes the text from e.at on, which holds no special token.
func (e *encoding) fragment(end int) error {
	if e.at == end {
		return nil
	}
	e.word = 0
	text := e.text[e.at:end]
	e.form = e.t.form
	if e.inside || e.t.prefixFirst && (e.at > 0 || strings.HasPrefix(text, " ") || strings.HasPrefix(text, spmSpace)) {
		e.form.prefix = false
	}
	return e.t.words.encode(e, e.form.of(text))
}

// next moves on by n bytes of the fragment.
func (e *encoding) next(n int) error {
	e.word += n
	return e.tick(n)
}

// tick is called for every n bytes of work, and asks now and then whether the
// encoding was cancelled.
func (e *encoding) tick(n int) error {
	const patience = 1 << 16
	if e.unread += n; e.unread < patience {
		return nil
	}
	e.unread = 0
	return e.ctx.Err()
}

// other appends what stands for a part of a word that no token covers: the
// tokens of its bytes, or else the unknown token, of which neighbours share
// one. text begins at an offset in the word.
func (e *encoding) other(at int, text string) {
	t := e.t
	e.odd = true
	n := len(e.ids)
	for i := range len(text) {
		id := t.bytes[text[i]]
		if id < 0 {
			e.ids = e.ids[:n]
			break
		}
		e.ids = append(e.ids, id)
	}
	switch {
	case len(e.ids) > n:
	case t.unk < 0:
		for i := range len(text) {
			e.drop(at+i, text[i])
		}
	case e.unk != n || n == 0:
		e.ids = append(e.ids, t.unk)
		e.unk = len(e.ids)
	}
}

// drop counts a byte at an offset in the word that no token stands for.
func (e *encoding) drop(at int, b byte) {
	e.odd = true
	if e.unknown == nil {
		e.unknown = &UnknownBytesError{Byte: b, Offset: e.at + e.form.origin(e.text[e.at:], e.word+at)}
	}
	e.unknown.Count++
}
