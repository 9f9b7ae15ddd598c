package tokenizer

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// withNormalized adds to the tokens found in a text those that Hugging Face's
// tokenizers look for in what is left, when that is normalized.
func (t *Tokenizer) withNormalized(text string, found []match) []match {
	found = t.stripped(text, found)
	var all []match
	from := 0
	for i := 0; i <= len(found); i++ {
		to := len(text)
		if i < len(found) {
			to = found[i].start
		}
		all = append(all, t.normalizedIn(text[from:to], from)...)
		if i < len(found) {
			all = append(all, found[i])
			from = found[i].end
		}
	}
	return all
}

// normalizedIn finds the tokens in a stretch of text that begins at a byte.
func (t *Tokenizer) normalizedIn(text string, at int) []match {
	if text == "" {
		return nil
	}
	normal, source := t.normalizedForm(text)
	var all []match
	for from := 0; from < len(normal); {
		best := match{id: -1}
		for id := range t.normalized { // a few
			token, _ := t.normalizedForm(t.tokens[id])
			start := strings.Index(normal[from:], token)
			if start < 0 {
				continue
			}
			if start += from; best.id < 0 || start < best.start || start == best.start && start+len(token) > best.end {
				best = match{start, start + len(token), id}
			}
		}
		if best.id < 0 {
			break
		}
		before, _ := utf8.DecodeLastRuneInString(normal[from:best.start])
		behind, _ := utf8.DecodeRuneInString(normal[best.end:])
		if !t.singleWord[best.id] || !inWord(before) && !inWord(behind) {
			f := t.strip(text, match{source[best.start], source[best.end], best.id}, source[from], len(text), unicode.IsSpace)
			f.start, f.end = f.start+at, f.end+at
			all = append(all, f)
			from = best.end
		} else {
			_, n := utf8.DecodeRuneInString(normal[best.start:])
			from = best.start + n
		}
	}
	return all
}

// normalizedForm is a text as the model's normalizer makes it, and where in the
// text each of its bytes comes from.
func (t *Tokenizer) normalizedForm(text string) (normal string, source []int) {
	var b strings.Builder
	put := func(s string, at int) {
		b.WriteString(s)
		for range len(s) {
			source = append(source, at)
		}
	}
	words, isWordPiece := t.words.(*wordPiece)
	if t.form.prefix {
		put(spmSpace, 0)
	}
	for i, r := range text {
		switch {
		case t.form.escape && r == ' ':
			put(spmSpace, i)
		case isWordPiece:
			for _, d := range norm.NFD.String(string(r)) {
				if words.strip && words.isAccent(d) {
					continue
				}
				if words.lower {
					d = unicode.ToLower(d)
				}
				put(string(d), i)
			}
		default:
			put(string(r), i)
		}
	}
	return b.String(), append(source, len(text))
}
