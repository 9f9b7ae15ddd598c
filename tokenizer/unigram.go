package tokenizer

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/normswap/normswap/gguf"
	"golang.org/x/text/unicode/norm"
)

// unigram is the wordCoder of SentencePiece's unigram language model (Kudo
// 2018): of all ways to cut a text into pieces, the one with the highest sum
// of scores.
type unigram struct {
	t       *Tokenizer
	scores  []float64 // of each token
	unknown float64   // of a character that is no piece
	pieces  *trie
	chars   *charsMap
	squeeze bool  // runs of spaces are one, and none at the ends
	byWord  bool  // no piece crosses the start of a word
	defined *trie // user-defined tokens, for llama.cpp's ids
	cache   *wordCache
	// How Hugging Face's Metaspace cuts words, where a file of this project says
	// so: "keep" leaves a space at the end, and "split" cuts at any white space.
	// Neither puts a space before a word that begins with U+2581.
	metaspace string
	nfkc      bool // the normalizers Nmt and NFKC come before the map
}

// unknownPenalty is how far below the worst piece an unknown character is.
const unknownPenalty = 10

func (w *unigram) load(m *gguf.Meta) error {
	t := w.t
	var err error
	if t.spacePrefix, err = gguf.GetOr(m, keyPrefix, false); err != nil {
		return err
	}
	if w.squeeze, err = gguf.GetOr(m, keySqueeze, false); err != nil {
		return err
	}
	if w.chars, err = loadCharsMap(m); err != nil {
		return err
	}
	if w.metaspace, err = gguf.GetOr(m, keyMetaspace, ""); err != nil {
		return err
	}
	if w.metaspace != "" && w.metaspace != "keep" && w.metaspace != "split" {
		return fmt.Errorf("%s is %.40q, want keep or split", keyMetaspace, w.metaspace)
	}
	if w.nfkc, err = gguf.GetOr(m, keyNFKC, false); err != nil {
		return err
	}
	scores, err := t.scores(m)
	if err != nil {
		return err
	}
	w.cache = newWordCache()
	w.scores = make([]float64, t.Len())
	worst := math.MaxFloat32
	_, w.byWord = t.ids[spmSpace]
	for i, token := range t.tokens {
		switch t.types[i] {
		case typeUserDefined: // before any other piece
			w.scores[i] = 0
		case typeNormal:
			worst = min(worst, float64(scores[i]))
			fallthrough
		default:
			w.scores[i] = float64(scores[i])
		}
		if crossesWords(token) {
			w.byWord = false
		}
	}
	w.unknown = float64(float32(worst) - unknownPenalty)
	w.pieces = t.pieces(func(k tokenType) bool { return k == typeNormal || k == typeUserDefined || k == typeUnused })
	w.defined = t.pieces(func(k tokenType) bool { return t.llamaCpp && k == typeUserDefined })
	return nil
}

func (w *unigram) encode(e *encoding, text string) error {
	if w.metaspace != "" && !w.t.llamaCpp {
		text = w.asMetaspace(text)
	} else {
		text = w.normalize(text)
	}
	if !w.byWord {
		return w.encodeWord(e, text)
	}
	for text != "" {
		n := wordEnd(text)
		if err := w.cache.encode(e, text[:n], w.encodeWord); err != nil {
			return err
		}
		text = text[n:]
	}
	return nil
}

// normalize maps the characters and writes the spaces as pieces have them.
func (w *unigram) normalize(text string) string {
	var b strings.Builder
	b.Grow(len(text) + len(text)/2)
	inWord, first := false, true
	for text != "" {
		mapped, n := w.mapped(text)
		text = text[n:]
		for i := range len(mapped) {
			if mapped[i] == ' ' {
				inWord = false
				if !w.squeeze {
					b.WriteString(spmSpace)
				}
				continue
			}
			if !inWord {
				// llama.cpp puts a space before the first word, too, where
				// it squeezes them.
				if first && (w.t.spacePrefix || w.t.llamaCpp && w.squeeze) || !first && w.squeeze {
					b.WriteString(spmSpace)
				}
				inWord, first = true, false
			}
			b.WriteByte(mapped[i])
		}
	}
	return b.String()
}

// asMetaspace is normalize for Hugging Face's Metaspace.
func (w *unigram) asMetaspace(text string) string {
	if w.nfkc {
		text = norm.NFKC.String(strings.Map(nmt, text))
	}
	var b strings.Builder
	for text != "" {
		mapped, n := w.mapped(text)
		b.WriteString(mapped)
		text = text[n:]
	}
	text = b.String()
	if w.metaspace == "keep" {
		for strings.Contains(text, "  ") {
			text = strings.ReplaceAll(text, "  ", " ")
		}
		text = strings.ReplaceAll(text, " ", spmSpace)
		if text != "" && !strings.HasPrefix(text, spmSpace) {
			text = spmSpace + text
		}
		return text
	}
	words := strings.Fields(text)
	for i, word := range words {
		if !strings.HasPrefix(word, spmSpace) {
			words[i] = spmSpace + word
		}
	}
	return strings.Join(words, "")
}

// nmt is the normalizer Nmt: control characters go, and what is blank is a
// space.
func nmt(r rune) rune {
	switch {
	case 1 <= r && r <= 8, r == 0x0b, 0x0e <= r && r <= 0x1f, r == 0x7f, r == 0x8f, r == 0x9f:
		return -1
	case r == '\t', r == '\n', r == 0x0c, r == '\r', r == 0x1680, 0x200b <= r && r <= 0x200f, r == 0x2028, r == 0x2029, r == 0x2581, r == 0xfeff, r == 0xfffd:
		return ' '
	}
	return r
}

// mapped is what a text begins with, as the map of characters has it, and how
// many bytes it stands for.
func (w *unigram) mapped(text string) (to string, n int) {
	if w.t.llamaCpp {
		// It leaves alone what a user-defined token might begin with.
		node := int32(0)
		for n < len(text) {
			if node = w.defined.child(node, text[n]); node == 0 {
				break
			}
			n++
		}
		if n > 0 {
			return text[:n], n
		}
	}
	if to, n = w.chars.longest(text); n > 0 {
		return to, n
	}
	r, n := utf8.DecodeRuneInString(text)
	if w.t.llamaCpp {
		r, n = llamaCppRune(text)
	}
	if r == utf8.RuneError {
		return string(utf8.RuneError), n
	}
	return text[:n], n
}

// A path is the best way to cut a word up to some byte.
type path struct {
	score float64
	from  int32 // where its last piece begins
	id    int32 // that piece, or -1: an unknown character
}

var paths = sync.Pool{New: func() any { return new([]path) }}

func (w *unigram) encodeWord(e *encoding, word string) error {
	best := paths.Get().(*[]path)
	defer func() {
		if cap(*best) <= 1<<16 {
			paths.Put(best)
		}
	}()
	p := (*best)[:0]
	for range len(word) + 1 {
		p = append(p, path{score: -math.MaxFloat64})
	}
	*best = p
	p[0].score = 0
	for i := 0; i < len(word); {
		_, size := utf8.DecodeRuneInString(word[i:])
		if w.t.llamaCpp {
			size = llamaCppLen(word[i:])
		}
		known := false
		node := int32(0)
		for end := i; end < len(word); {
			if node = w.pieces.child(node, word[end]); node == 0 {
				break
			}
			end++
			id := w.pieces.token[node]
			if id < 0 {
				continue
			}
			known = known || end == i+size
			if score := p[i].score + w.scores[id]; score > p[end].score {
				p[end] = path{score, int32(i), id}
			}
		}
		if score := p[i].score + w.unknown; !known && score > p[i+size].score {
			p[i+size] = path{score, int32(i), -1}
		}
		i += size
		if err := e.tick(size); err != nil {
			return err
		}
	}
	var ends []int32 // of the pieces, from the last on
	for at := int32(len(word)); at > 0; at = p[at].from {
		ends = append(ends, at)
	}
	for _, end := range slices.Backward(ends) {
		switch piece := p[end]; {
		case piece.id >= 0:
			e.ids = append(e.ids, piece.id)
		case !w.t.llamaCpp:
			e.other(int(piece.from), word[piece.from:end])
		case piece.from == 0 || p[piece.from].id >= 0: // neighbours share one
			e.ids = append(e.ids, w.t.unk)
		}
	}
	return nil
}
