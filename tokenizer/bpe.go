package tokenizer

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/normswap/normswap/gguf"
)

// Byte-level BPE (Radford et al. 2019, GPT-2) spells each of the 256 bytes as
// one printable character, so that pieces and merges are readable text: the
// printable bytes of Latin-1 stand for themselves, the others for U+0100 and
// up in turn.
var byteToRune, runeToByte = byteAlphabet()

func byteAlphabet() (to [256]rune, from [0x144]int16) {
	for i := range from {
		from[i] = -1
	}
	next := rune(0x100)
	for b := range to {
		r := rune(b)
		if r < '!' || '~' < r && r < '¡' || r == '\u00ad' {
			r = next
			next++
		}
		to[b], from[r] = r, int16(b)
	}
	return to, from
}

// spell writes bytes in the alphabet of byte-level BPE.
func spell(dst []byte, text string) []byte {
	for i := range len(text) {
		dst = utf8.AppendRune(dst, byteToRune[text[i]])
	}
	return dst
}

// unspell undoes spell. Characters outside the alphabet stand for themselves.
func unspell(dst []byte, piece string) []byte {
	for i, r := range piece {
		switch {
		case int(r) < len(runeToByte) && runeToByte[r] >= 0:
			dst = append(dst, byte(runeToByte[r]))
		case r == utf8.RuneError:
			_, n := utf8.DecodeRuneInString(piece[i:])
			dst = append(dst, piece[i:i+n]...)
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return dst
}

// bpe is the wordCoder of byte-level BPE.
type bpe struct {
	t            *Tokenizer
	words        splitter
	symbols      [256]int32          // the piece of each byte
	merges       map[uint64]mergedTo // pieces from len(tokens) up are no tokens
	ignoreMerges bool                // a word that is a token is not merged
	cache        *wordCache
}

type mergedTo struct{ rank, id int32 }

func pairOf(left, right int32) uint64 { return uint64(uint32(left))<<32 | uint64(uint32(right)) }

// chooseRule picks the pre-tokenizer.
func (t *Tokenizer) chooseRule(m *gguf.Meta) (preTokenizer, error) {
	pre, err := gguf.GetOr(m, keyPre, "")
	if err != nil {
		return preTokenizer{}, err
	}
	rule, ok := preTokenizers[pre]
	if !ok {
		what := fmt.Sprintf("is %.40q, which is unknown", pre)
		if pre == "" {
			what = "is absent"
		}
		t.warn("%s %s; the default pre-tokenizer is used, which may cut words otherwise than in training", keyPre, what)
		pre, rule = "default", preTokenizers["default"]
	}
	t.pre, t.addBOS = pre, rule.addBOS
	return rule, nil
}

func (t *Tokenizer) loadBPE(m *gguf.Meta, rule preTokenizer) error {
	w := &bpe{t: t, words: newSplitter(rule.stages), ignoreMerges: rule.ignoreMerges, cache: newWordCache()}
	t.words = w
	return w.loadMerges(m)
}

// loadMerges reads the merges. They may name pieces that are no tokens, as
// steps towards longer ones: those get ids behind the tokens.
func (w *bpe) loadMerges(m *gguf.Meta) error {
	merges, err := gguf.Get[[]string](m, keyMerges)
	if err != nil {
		return err
	}
	t, steps := w.t, make(map[string]int32)
	step := func(piece string) int32 {
		id, ok := steps[piece]
		if !ok {
			id = int32(t.Len() + len(steps))
			steps[piece] = id
		}
		return id
	}
	find := func(piece string) int32 {
		if id, ok := t.ids[piece]; ok {
			return id
		}
		return step(piece)
	}
	for b := range w.symbols {
		id := find(string(byteToRune[b]))
		if w.symbols[b] = id; int(id) < t.Len() {
			t.bytes[b] = id
		}
	}
	w.merges = make(map[uint64]mergedTo, len(merges))
	var whole []byte
	for i, merge := range merges {
		// The first character may be a space itself.
		at := -1
		if merge != "" {
			at = strings.IndexByte(merge[1:], ' ')
		}
		if at < 0 || at+2 == len(merge) {
			return fmt.Errorf("%s[%d]: %.40q is not two pieces with a space between", keyMerges, i, merge)
		}
		left, right := merge[:at+1], merge[at+2:]
		whole = append(append(whole[:0], left...), right...)
		id, ok := t.ids[string(whole)] // does not allocate
		if !ok {
			id = step(string(whole))
		}
		pair := pairOf(find(left), find(right))
		if _, twice := w.merges[pair]; !twice {
			w.merges[pair] = mergedTo{int32(i), id}
		}
	}
	return nil
}

func (w *bpe) encode(dst []int32, text string) ([]int32, error) {
	var err error
	w.words.split(text, func(word string) bool {
		if len(word) == 1 {
			if id := w.t.bytes[word[0]]; id >= 0 {
				dst = append(dst, id)
				return true
			}
		}
		dst, err = w.cache.append(dst, word, w.encodeWord)
		return err == nil
	})
	return dst, err
}

func (w *bpe) encodeWord(dst []int32, word string) ([]int32, error) {
	if w.ignoreMerges {
		var buf [2 * maxCached]byte
		if id, ok := w.t.ids[string(spell(buf[:0], word))]; ok && w.t.types[id] != typeControl {
			return append(dst, id), nil
		}
	}
	m := mergers.Get().(*merger)
	defer m.release()
	m.reset(len(word))
	for i := range len(word) {
		m.add(i, w.symbols[word[i]])
	}
	m.merge(len(word), func(left, right *symbol, _ int32) (rank, id int32) {
		if to, ok := w.merges[pairOf(left.id, right.id)]; ok {
			return to.rank, to.id
		}
		return -1, -1
	})
	for i := int32(0); i >= 0; {
		s := m.symbols[i]
		if int(s.id) < w.t.Len() {
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
