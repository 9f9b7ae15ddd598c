package tokenizer

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/normswap/normswap/gguf"
)

// spmSpace is how SentencePiece writes a space (Kudo & Richardson 2018).
const spmSpace = "▁"

// spm is the wordCoder of SentencePiece's BPE: neighbours are merged where
// together they are a piece, the piece of the highest score first.
type spm struct {
	t       *Tokenizer
	ranks   []int32 // of each token; 0 is the highest score; -1: never made by merging
	longest int     // bytes of the longest such token
	byWord  bool    // no piece crosses the start of a word
	cache   *wordCache
}

func (t *Tokenizer) loadSPM(m *gguf.Meta) error {
	var err error
	if t.spacePrefix, err = gguf.GetOr(m, keyPrefix, true); err != nil {
		return err
	}
	w := &spm{t: t, byWord: true, cache: newWordCache()}
	t.words = w
	for b := range t.bytes {
		// Old files spell a byte that way.
		if id, ok := t.ids[string([]byte{byte(b)})]; ok && t.bytes[b] < 0 {
			t.bytes[b] = id
		}
	}
	return w.loadScores(m)
}

// loadScores ranks the tokens by score. Control, unknown and byte tokens are
// not pieces: text that looks like one stays text.
func (w *spm) loadScores(m *gguf.Meta) error {
	t := w.t
	scores, err := gguf.GetOr[[]float32](m, keyScores, nil)
	if err != nil {
		return err
	}
	if scores == nil {
		t.warn("%s is absent; every piece counts the same", keyScores)
		scores = make([]float32, t.Len())
	}
	if len(scores) != t.Len() {
		return fmt.Errorf("%s has %d entries for %d tokens", keyScores, len(scores), t.Len())
	}
	for i, s := range scores {
		if s != s {
			return fmt.Errorf("%s[%d] is NaN", keyScores, i)
		}
	}
	distinct := slices.Clone(scores)
	slices.Sort(distinct)
	distinct = slices.Compact(distinct)
	w.ranks = make([]int32, t.Len())
	for i, token := range t.tokens {
		k := t.types[i]
		if k == typeControl || k == typeUnknown || k == typeByte || t.ids[token] != int32(i) || token == "" {
			w.ranks[i] = -1
			continue
		}
		at, _ := slices.BinarySearch(distinct, scores[i])
		w.ranks[i] = int32(len(distinct) - 1 - at)
		w.longest = max(w.longest, len(token))
		if at := strings.LastIndex(token, spmSpace); at > 0 && strings.Trim(token[:at], spmSpace) != "" {
			w.byWord = false
		}
	}
	return nil
}

func (w *spm) encode(dst []int32, text string) ([]int32, error) {
	text = strings.ReplaceAll(text, " ", spmSpace)
	if w.t.spacePrefix {
		text = spmSpace + text
	}
	if !w.byWord {
		return w.encodeWord(dst, text)
	}
	var err error
	for text != "" && err == nil {
		n := wordEnd(text)
		dst, err = w.cache.append(dst, text[:n], w.encodeWord)
		text = text[n:]
	}
	return dst, err
}

// wordEnd is where the spaces and the word that text begins with end.
func wordEnd(text string) int {
	n := 0
	for strings.HasPrefix(text[n:], spmSpace) {
		n += len(spmSpace)
	}
	if next := strings.Index(text[n:], spmSpace); next >= 0 {
		return n + next
	}
	return len(text)
}

// piece is the token with this text, if merging may make it.
func (w *spm) piece(text string) (id int32, ok bool) {
	if len(text) > w.longest {
		return -1, false
	}
	id, ok = w.t.ids[text]
	return id, ok && w.ranks[id] >= 0
}

func (w *spm) encodeWord(dst []int32, word string) ([]int32, error) {
	m := mergers.Get().(*merger)
	defer m.release()
	m.reset(len(word))
	for i := 0; i < len(word); {
		// Each byte of invalid UTF-8 is a symbol of its own.
		_, n := utf8.DecodeRuneInString(word[i:])
		id, ok := w.piece(word[i : i+n])
		if !ok {
			id = -1
		}
		m.add(i, id)
		i += n
	}
	m.merge(len(word), func(left, _ *symbol, end int32) (rank, id int32) {
		if id, ok := w.piece(word[left.start:end]); ok {
			return w.ranks[id], id
		}
		return -1, -1
	})
	for i := int32(0); i >= 0; {
		s := m.symbols[i]
		if s.id >= 0 {
			dst = append(dst, s.id)
		} else {
			end := int32(len(word))
			if s.next >= 0 {
				end = m.symbols[s.next].start
			}
			var err error
			if dst, err = w.t.appendBytes(dst, word[s.start:end]); err != nil {
				return dst, err
			}
		}
		i = s.next
	}
	return dst, nil
}
