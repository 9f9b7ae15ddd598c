package tokenizer

import (
	"fmt"
	"strings"
	"unicode"
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

// bpe is the wordCoder of BPE by merges: byte-level BPE, and that of a few
// vocabularies whose pieces are plain text.
type bpe struct {
	t      *Tokenizer
	rule   preTokenizer
	words  splitter
	merges map[uint64]mergedTo // pieces from len(tokens) up are no tokens

	lower bool // the text is read in lower case (model "whitespace")

	// The piece of each byte, or -1. Where pieces are plain text, that is of
	// ASCII characters, and chars has the others.
	symbols [256]int32
	chars   map[rune]int32

	cache *wordCache
}

type mergedTo struct{ rank, id int32 }

func pairOf(left, right int32) uint64 { return uint64(uint32(left))<<32 | uint64(uint32(right)) }

// choosePreTokenizer finds the rule by which the words are cut.
func (w *bpe) choosePreTokenizer(m *gguf.Meta) error {
	t := w.t
	pre, err := gguf.GetOr(m, keyPre, "")
	if err != nil {
		return err
	}
	if t.model == "gemma4" {
		pre = "gemma4"
	}
	if pre == "" && t.isGPTNeoX() && !t.llamaCpp {
		pre = "gpt-neox"
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
	t.pre, t.addBOS, t.addSEP = pre, rule.addBOS, rule.addSEP
	w.rule = rule
	t.form.escape = rule.escape
	stages := rule.stages
	if t.llamaCpp && rule.llamaCpp != nil {
		stages = rule.llamaCpp
	}
	w.words = newSplitter(stages)
	if t.model == "whitespace" {
		if w.lower, err = gguf.GetOr(m, keyLowercase, false); err != nil {
			return err
		}
	}
	t.form.nfc = !t.llamaCpp && (rule.nfc || t.isGPTNeoX())
	return nil
}

// isGPTNeoX recognises the vocabulary of GPT-NeoX-20B by how it begins. Pythia,
// OLMo, StableLM-3B and others share it under several names, and all of them
// read text in NFC.
func (t *Tokenizer) isGPTNeoX() bool {
	return t.Len() > 50000 && t.tokens[1] == "<|padding|>" && t.tokens[2] == "!"
}

// load reads the merges. They may name pieces that are no tokens, as steps
// towards longer ones: those get ids behind the tokens.
func (w *bpe) load(m *gguf.Meta) error {
	merges, err := gguf.Get[[]string](m, keyMerges)
	if err != nil {
		return err
	}
	t, steps := w.t, make(map[string]int32)
	w.cache = newWordCache()
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
	w.merges = make(map[uint64]mergedTo, len(merges))
	var whole []byte
	broken, first := 0, 0
	for i, merge := range merges {
		// The first character may be a space itself.
		at := -1
		if merge != "" {
			at = strings.IndexByte(merge[1:], ' ')
		}
		if at < 0 || at+2 == len(merge) {
			if broken++; broken == 1 {
				first = i
			}
			continue
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
	if broken > 0 {
		t.warn("%s[%d]: %.40q is not two pieces with a space between; %s", keyMerges, first, merges[first], leftOut(broken))
	}
	symbol := func(piece string) int32 {
		if id, ok := t.ids[piece]; ok {
			return id
		}
		if id, ok := steps[piece]; ok {
			return id
		}
		return -1
	}
	if w.rule.plain {
		w.chars = make(map[rune]int32)
		for _, pieces := range []map[string]int32{t.ids, steps} {
			for piece := range pieces {
				if r, n := utf8.DecodeRuneInString(piece); n == len(piece) && (r != utf8.RuneError || n > 1) {
					w.chars[r] = symbol(piece)
				}
			}
		}
		for b := range w.symbols {
			w.symbols[b] = symbol(string([]byte{byte(b)}))
		}
		return nil
	}
	for b := range w.symbols {
		w.symbols[b] = symbol(string(byteToRune[b]))
		t.bytes[b] = -1
		if id := w.symbols[b]; int(id) < t.Len() {
			t.bytes[b] = id
		}
	}
	return nil
}

// leftOut says how many entries are.
func leftOut(n int) string {
	if n == 1 {
		return "the entry is left out"
	}
	return fmt.Sprintf("%d such entries are left out", n)
}

func (w *bpe) encode(e *encoding, text string) error {
	if w.t.model == "whitespace" {
		return w.encodeBetweenSpaces(e, text)
	}
	return w.encodeWords(e, text)
}

func (w *bpe) encodeWords(e *encoding, text string) error {
	var err error
	w.words.split(text, func(word string) bool {
		if len(word) == 1 && !w.rule.plain {
			if id := w.t.bytes[word[0]]; id >= 0 {
				e.ids = append(e.ids, id)
				err = e.next(1)
				return err == nil
			}
		}
		err = w.cache.encode(e, word, w.encodeWord)
		return err == nil
	})
	return err
}

// encodeBetweenSpaces encodes a text without its white space.
func (w *bpe) encodeBetweenSpaces(e *encoding, text string) error {
	for text != "" {
		n := len(text) - len(strings.TrimLeftFunc(text, unicode.IsSpace))
		e.word += n
		text = text[n:]
		if n = strings.IndexFunc(text, unicode.IsSpace); n < 0 {
			n = len(text)
		}
		word := text[:n]
		if w.lower {
			word = strings.Map(unicode.ToLower, word)
		}
		if err := w.encodeWords(e, word); err != nil {
			return err
		}
		text = text[n:]
	}
	return nil
}

// whole returns the token that a word is without merging, if there is one.
func (w *bpe) whole(word string) (id int32, ok bool) {
	switch {
	case w.rule.ignoreMerges:
		var buf [2 * maxCached]byte
		id, ok = w.t.ids[string(spell(buf[:0], word))]
	case w.rule.lineFeeds && strings.Trim(word, "\n") == "":
		id, ok = w.t.ids[word]
	}
	return id, ok && (w.t.llamaCpp || w.t.types[id] != typeControl)
}

func (w *bpe) encodeWord(e *encoding, word string) error {
	if id, ok := w.whole(word); ok {
		e.ids = append(e.ids, id)
		return nil
	}
	m := mergers.Get().(*merger)
	defer m.release()
	m.reset(len(word))
	for i := 0; i < len(word); {
		id, n := w.symbol(word[i:])
		// To llama.cpp a byte without a piece stands between its neighbours.
		// To Hugging Face's tokenizers it was never there.
		if id < 0 && !w.rule.plain && !w.t.llamaCpp {
			e.drop(i, word[i])
		} else {
			m.add(i, id)
		}
		i += n
	}
	if len(m.symbols) == 0 {
		return nil
	}
	err := m.merge(e.ctx, len(word), func(left, right *symbol, _ int32) (rank, id int32) {
		if to, ok := w.merges[pairOf(left.id, right.id)]; ok {
			return to.rank, to.id
		}
		return -1, -1
	})
	if err != nil {
		return err
	}
	m.pieces(word, func(at int, piece string, id int32) {
		switch {
		case 0 <= id && int(id) < w.t.Len():
			e.ids = append(e.ids, id)
		case w.rule.plain:
			e.other(at, piece)
		default:
			for i := range len(piece) {
				if id := w.t.bytes[piece[i]]; id >= 0 {
					e.ids = append(e.ids, id)
				} else if w.symbols[piece[i]] >= 0 || w.t.llamaCpp { // else it is dropped already
					e.drop(at+i, piece[i])
				}
			}
		}
	})
	return nil
}

// symbol is the piece that a text begins with before any merge, or -1, and its
// length.
func (w *bpe) symbol(text string) (id int32, n int) {
	if b := text[0]; !w.rule.plain || b < utf8.RuneSelf {
		return w.symbols[b], 1
	}
	r, n := utf8.DecodeRuneInString(text)
	if id, ok := w.chars[r]; ok && (r != utf8.RuneError || n > 1) {
		return id, n
	}
	return -1, n
}
