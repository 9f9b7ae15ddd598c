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

func (w *spm) load(m *gguf.Meta) error {
	t := w.t
	var err error
	if t.spacePrefix, err = gguf.GetOr(m, keyPrefix, true); err != nil {
		return err
	}
	if t.prefixFirst, err = gguf.GetOr(m, keyFirst, false); err != nil {
		return err
	}
	t.form = normalForm{prefix: t.spacePrefix, escape: true}
	w.byWord, w.cache = true, newWordCache()
	for b := range t.bytes {
		// Old files spell a byte that way.
		if id, ok := t.ids[string([]byte{byte(b)})]; ok && t.bytes[b] < 0 {
			t.bytes[b] = id
		}
	}
	return w.loadScores(m)
}

// scores reads the score of every token.
func (t *Tokenizer) scores(m *gguf.Meta) ([]float32, error) {
	scores, err := gguf.GetOr[[]float32](m, keyScores, nil)
	if err != nil {
		return nil, err
	}
	if scores == nil {
		t.warn("%s is absent; every piece counts the same", keyScores)
		scores = make([]float32, t.Len())
	}
	if len(scores) != t.Len() {
		return nil, fmt.Errorf("%s has %d entries for %d tokens", keyScores, len(scores), t.Len())
	}
	for i, s := range scores {
		if s != s {
			return nil, fmt.Errorf("%s[%d] is NaN", keyScores, i)
		}
	}
	return scores, nil
}

// loadScores ranks the tokens by score. Control, unknown and byte tokens are
// not pieces: text that looks like one stays text. To llama.cpp they are.
func (w *spm) loadScores(m *gguf.Meta) error {
	t := w.t
	scores, err := t.scores(m)
	if err != nil {
		return err
	}
	distinct := slices.Clone(scores)
	slices.Sort(distinct)
	distinct = slices.Compact(distinct)
	w.ranks = make([]int32, t.Len())
	for i, token := range t.tokens {
		k := t.types[i]
		if (k == typeControl || k == typeUnknown || k == typeByte) && !t.llamaCpp || t.ids[token] != int32(i) || token == "" {
			w.ranks[i] = -1
			continue
		}
		at, _ := slices.BinarySearch(distinct, scores[i])
		w.ranks[i] = int32(len(distinct) - 1 - at)
		w.longest = max(w.longest, len(token))
		if crossesWords(token) {
			w.byWord = false
		}
	}
	return nil
}

func (w *spm) encode(e *encoding, text string) error {
	if !w.byWord || w.t.llamaCpp && !utf8.ValidString(text) { // its characters may swallow spaces
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

// crossesWords reports whether a piece goes on behind the start of a word.
func crossesWords(token string) bool {
	at := strings.LastIndex(token, spmSpace)
	return at > 0 && strings.Trim(token[:at], spmSpace) != ""
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

func (w *spm) encodeWord(e *encoding, word string) error {
	m := mergers.Get().(*merger)
	defer m.release()
	m.reset(len(word))
	for i := 0; i < len(word); {
		n := w.charLen(word[i:])
		id, ok := w.piece(word[i : i+n])
		if !ok {
			id = -1
		}
		m.add(i, id)
		i += n
	}
	err := m.merge(e.ctx, len(word), func(left, _ *symbol, end int32) (rank, id int32) {
		if id, ok := w.piece(word[left.start:end]); ok {
			return w.ranks[id], id
		}
		return -1, -1
	})
	if err != nil {
		return err
	}
	m.pieces(word, func(at int, piece string, id int32) {
		if id >= 0 {
			e.ids = append(e.ids, id)
		} else {
			e.other(at, piece)
		}
	})
	return nil
}

// charLen is the length of the first character of a text. Each byte that is no
// UTF-8 is a character of its own; llama.cpp goes by the first byte alone.
func (w *spm) charLen(text string) int {
	if w.t.llamaCpp {
		return llamaCppLen(text)
	}
	_, n := utf8.DecodeRuneInString(text)
	return n
}
