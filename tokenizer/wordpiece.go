package tokenizer

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/normswap/normswap/gguf"
	"golang.org/x/text/unicode/norm"
)

// wordPiece is the wordCoder of BERT (Devlin et al. 2018): each word is cut
// from its beginning on into the longest pieces there are. A GGUF file stores
// a piece that begins a word with U+2581 in front, and others as they are.
type wordPiece struct {
	t      *Tokenizer
	pieces *trie
	lower  bool // the text is read in lower case
	strip  bool // and without accents
	cache  *wordCache
}

// maxWord is how many characters a word may have; a longer one is unknown.
const maxWord = 100

func (w *wordPiece) load(m *gguf.Meta) error {
	t := w.t
	t.spacePrefix = true
	var err error
	if w.lower, err = gguf.GetOr(m, keyLowercase, true); err != nil {
		return err
	}
	if w.strip, err = gguf.GetOr(m, keyStrip, w.lower); err != nil {
		return err
	}
	w.cache = newWordCache()
	w.pieces = t.pieces(func(k tokenType) bool {
		return t.llamaCpp || k != typeControl && k != typeUnknown && k != typeUserDefined
	})
	return nil
}

// pieces makes the trie of the tokens of some types.
func (t *Tokenizer) pieces(want func(tokenType) bool) *trie {
	var keys []string
	var ids []int32
	for i, token := range t.tokens {
		if id := int32(i); token != "" && want(t.types[i]) && t.ids[token] == id {
			if len(token) > maxPiece {
				t.warn("%s[%d] is a token of %d bytes; above %d it is not looked for in a text", keyTokens, i, len(token), maxPiece)
				continue
			}
			keys, ids = append(keys, token), append(ids, id)
		}
	}
	return newTrie(keys, ids)
}

// maxPiece bounds the work at each character of a text.
const maxPiece = 1024

// encode cuts at the white space that everyone agrees on; encodeChunk does the
// rest.
func (w *wordPiece) encode(e *encoding, text string) error {
	const spaces = " \t\n\r"
	for text != "" {
		n := len(text) - len(strings.TrimLeft(text, spaces))
		text = text[n:]
		if err := e.next(n); err != nil {
			return err
		}
		if n = strings.IndexAny(text, spaces); n < 0 {
			n = len(text)
		}
		if n == 0 {
			break
		}
		if err := w.cache.encode(e, text[:n], w.encodeChunk); err != nil {
			return err
		}
		text = text[n:]
	}
	return nil
}

// encodeChunk normalizes a stretch of text and encodes its words.
func (w *wordPiece) encodeChunk(e *encoding, chunk string) error {
	if w.strip && !w.t.llamaCpp {
		chunk = norm.NFD.String(chunk)
	}
	word := make([]byte, len(spmSpace), 64)
	copy(word, spmSpace)
	end := func() error {
		if len(word) == len(spmSpace) {
			return nil
		}
		w.encodeWord(e, string(word))
		n := len(word)
		word = word[:len(spmSpace)]
		return e.tick(n)
	}
	for _, r := range chunk {
		if w.strip && w.t.llamaCpp {
			r = firstOfNFD(r)
		}
		switch {
		case w.isSpace(r):
			if err := end(); err != nil {
				return err
			}
			continue
		case r == 0, r == utf8.RuneError, unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co), w.strip && w.isAccent(r):
			continue
		}
		alone := isPunctuation(r) || isIdeograph(r)
		if alone {
			if err := end(); err != nil {
				return err
			}
		}
		switch {
		case !w.lower:
			word = utf8.AppendRune(word, r)
		case r == 'İ' && !w.t.llamaCpp: // the one character that becomes two
			word = append(word, "i\u0307"...)
		default:
			word = utf8.AppendRune(word, unicode.ToLower(r))
		}
		if alone {
			if err := end(); err != nil {
				return err
			}
		}
	}
	return end()
}

// isSpace reports whether a character separates words. Control characters
// that are white space do to llama.cpp only; they are dropped.
func (w *wordPiece) isSpace(r rune) bool {
	if !w.t.llamaCpp && unicode.Is(unicode.Cc, r) {
		return r == '\t' || r == '\n' || r == '\r'
	}
	return unicode.IsSpace(r)
}

// isAccent reports whether a character goes with the accents: the marks that
// take no room of their own, and to llama.cpp the others too.
func (w *wordPiece) isAccent(r rune) bool {
	if w.t.llamaCpp {
		return unicode.IsMark(r)
	}
	return unicode.Is(unicode.Mn, r)
}

// firstOfNFD is what llama.cpp knows of a character's decomposition.
func firstOfNFD(r rune) rune {
	if r < utf8.RuneSelf {
		return r
	}
	first, _ := utf8.DecodeRuneInString(norm.NFD.String(string(r)))
	return first
}

// isPunctuation reports whether a character is a word of its own.
func isPunctuation(r rune) bool {
	if r < utf8.RuneSelf {
		return '!' <= r && r <= '/' || ':' <= r && r <= '@' || '[' <= r && r <= '`' || '{' <= r && r <= '~'
	}
	return unicode.IsPunct(r)
}

// ideographs are those that BERT reads each on its own. The third last range
// begins 0x100 too late, as in Hugging Face's tokenizers and llama.cpp.
var ideographs = [][2]rune{{0x4e00, 0x9fff}, {0x3400, 0x4dbf}, {0x20000, 0x2a6df}, {0x2a700, 0x2b73f}, {0x2b740, 0x2b81f},
	{0x2b920, 0x2ceaf}, {0xf900, 0xfaff}, {0x2f800, 0x2fa1f}}

func isIdeograph(r rune) bool {
	if r < 0x3400 {
		return false
	}
	for _, block := range ideographs {
		if block[0] <= r && r <= block[1] {
			return true
		}
	}
	return false
}

// encodeWord cuts a word, which has U+2581 in front. A word with a part that
// no piece covers is one unknown token.
func (w *wordPiece) encodeWord(e *encoding, word string) {
	n := len(e.ids)
	if !w.t.llamaCpp && utf8.RuneCountInString(word) > maxWord+1 {
		e.ids = append(e.ids, w.t.unk)
		return
	}
	for i := 0; i < len(word); {
		length, id := w.pieces.longest(word[i:])
		// A piece that begins a word stands at its beginning only, and has
		// more than the mark.
		if !w.t.llamaCpp && (i == 0 && length <= len(spmSpace) || i > 0 && strings.HasPrefix(word[i:], spmSpace)) {
			length = 0
		}
		if length == 0 {
			e.ids = append(e.ids[:n], w.t.unk)
			return
		}
		e.ids = append(e.ids, id)
		i += length
	}
}
