package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// decodeAll works out the bytes that each token stands for. Those that differ
// from the token as stored share one allocation.
func (t *Tokenizer) decodeAll() {
	var all, buf []byte
	ends := make([]int, t.Len())
	w, _ := t.words.(*bpe)
	byteLevel := w != nil && !w.rule.plain
	t.text = make([]string, t.Len())
	for i, token := range t.tokens {
		t.text[i] = token
		switch k := t.types[i]; {
		case k.special():
		case k == typeByte:
			b, _ := parseByteToken(token)
			all, t.text[i] = append(all, b), ""
		case byteLevel:
			if buf = unspell(buf[:0], token); string(buf) != token {
				all, t.text[i] = append(all, buf...), ""
			}
		case strings.Contains(token, spmSpace):
			all, t.text[i] = append(all, strings.ReplaceAll(token, spmSpace, " ")...), ""
		}
		ends[i] = len(all)
	}
	text, start := string(all), 0
	for i, end := range ends {
		if start < end {
			t.text[i] = text[start:end]
		}
		start = end
	}
}

// Piece returns the bytes that a token stands for: its name if it is a special
// token, possibly a part of a UTF-8 sequence, and nothing for an id outside
// the vocabulary.
func (t *Tokenizer) Piece(id int32) string {
	if id < 0 || int(id) >= len(t.text) {
		return ""
	}
	return t.text[id]
}

// IsSpecial reports whether a token is a control token or the unknown token,
// which are no part of the text.
func (t *Tokenizer) IsSpecial(id int32) bool {
	return id >= 0 && int(id) < len(t.types) && (t.types[id] == typeControl || t.types[id] == typeUnknown)
}

// IsUnused reports whether an id stands for no text: it is beyond the vocabulary, or of the
// type that converters pad vocabularies with.
func (t *Tokenizer) IsUnused(id int32) bool {
	return int(id) >= len(t.types) || id >= 0 && t.types[id] == typeUnused
}

// Decode returns the text of ids that begin a text: it undoes Encode, byte by
// byte, whether or not the bytes are valid UTF-8. Control tokens and the
// unknown token give nothing. For ids that continue a text use a Decoder.
func (t *Tokenizer) Decode(ids []int32) string {
	var b strings.Builder
	begins := t.spacePrefix // Encode put a space in front
	for _, id := range ids {
		piece := t.Piece(id)
		if t.IsSpecial(id) {
			piece = ""
		}
		if begins {
			piece = strings.TrimPrefix(piece, " ")
		}
		b.WriteString(piece)
		begins = t.spacePrefix && id >= 0 && int(id) < t.Len() && t.types[id].special()
	}
	return b.String()
}

// A Decoder turns ids into text one at a time, as a model generates them. What
// it returns is always valid UTF-8: a rune is held back until its last byte is
// there, and each byte that is no part of a rune becomes U+FFFD. It belongs to
// one goroutine.
type Decoder struct {
	// Special makes the Decoder return the names of control tokens too.
	Special bool

	t       *Tokenizer
	pending [utf8.UTFMax]byte // the beginning of a rune
	n       int
}

// NewDecoder returns a Decoder for ids that continue a text.
func (t *Tokenizer) NewDecoder() *Decoder { return &Decoder{t: t} }

// Push returns the text that is complete with this token. It does not allocate
// but for tokens that hold parts of runes.
func (d *Decoder) Push(id int32) string {
	if !d.Special && d.t.IsSpecial(id) {
		return ""
	}
	piece := d.t.Piece(id)
	if d.n == 0 && utf8.ValidString(piece) {
		return piece
	}
	text := string(d.pending[:d.n]) + piece
	cut := completeRunes(text)
	d.n = copy(d.pending[:], text[cut:])
	return toValid(text[:cut])
}

// Flush returns what is held back, as U+FFFD for each byte, and empties the
// Decoder.
func (d *Decoder) Flush() string {
	text := toValid(string(d.pending[:d.n]))
	d.n = 0
	return text
}

// completeRunes is where the unfinished rune at the end of text begins.
func completeRunes(text string) int {
	for i := len(text) - 1; i >= 0 && i > len(text)-utf8.UTFMax; i-- {
		if utf8.RuneStart(text[i]) {
			if utf8.FullRuneInString(text[i:]) {
				break
			}
			return i
		}
	}
	return len(text)
}

// toValid replaces each byte that is no part of a rune. Byte by byte, so that
// the result does not depend on where a text is cut.
func toValid(text string) string {
	if utf8.ValidString(text) {
		return text
	}
	return string([]rune(text))
}
