package tokenizer

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// A normalForm is what a tokenizer does to a text before it is cut into words.
// The zero value leaves it as it is.
type normalForm struct {
	nfc    bool // Unicode's composed form
	prefix bool // a space goes in front
	escape bool // a space is written as U+2581
}

// of returns the text in the normal form. Bytes that are no UTF-8 stay.
func (f normalForm) of(text string) string {
	if f.nfc {
		text = composed(text)
	}
	if f.prefix {
		text = " " + text
	}
	if f.escape {
		text = strings.ReplaceAll(text, " ", spmSpace)
	}
	return text
}

// graphemeJoiner is what package norm puts between marks of which there are
// more than 30 in a row (Unicode's stream-safe format).
const graphemeJoiner = "\u034f"

// composed is the text in NFC. Bytes that are no UTF-8 stay.
func composed(text string) string {
	c := norm.NFC.String(text)
	if strings.Count(c, graphemeJoiner) == strings.Count(text, graphemeJoiner) {
		return c
	}
	return composedLong(text)
}

// composedLong is composed, by the definition (Unicode 3.11), without the joiner.
func composedLong(text string) string {
	type char struct {
		text  string
		class uint8 // canonical combining class
	}
	var chars []char
	for i := 0; i < len(text); {
		_, n := utf8.DecodeRuneInString(text[i:])
		for d := norm.NFD.String(text[i : i+n]); d != ""; {
			_, n := utf8.DecodeRuneInString(d)
			chars = append(chars, char{d[:n], norm.NFD.PropertiesString(d).CCC()})
			d = d[n:]
		}
		i += n
	}
	for from := 0; from < len(chars); {
		to := from + 1
		for to < len(chars) && chars[to].class != 0 {
			to++
		}
		marks := chars[from:to]
		if marks[0].class == 0 {
			marks = marks[1:]
		}
		slices.SortStableFunc(marks, func(a, b char) int { return cmp.Compare(a.class, b.class) })
		from = to
	}
	out, starter := chars[:0], -1
	for _, c := range chars {
		last := len(out) - 1
		if starter >= 0 && (starter == last || 0 < out[last].class && out[last].class < c.class) {
			pair := norm.NFC.String(out[starter].text + c.text)
			if utf8.RuneCountInString(pair) == 1 {
				out[starter].text = pair
				continue
			}
		}
		if c.class == 0 {
			starter = len(out)
		}
		out = append(out, c)
	}
	var b strings.Builder
	for _, c := range out {
		b.WriteString(c.text)
	}
	return b.String()
}

// origin is the place in a text that corresponds to byte number at of its
// normal form: the beginning of what was normalized together.
func (f normalForm) origin(text string, at int) int {
	prefix := len(normalForm{prefix: f.prefix, escape: f.escape}.of(""))
	if at -= prefix; at < 0 {
		return 0
	}
	from := 0
	for from < len(text) {
		_, n := utf8.DecodeRuneInString(text[from:])
		if f.nfc {
			n = norm.NFC.NextBoundaryInString(text[from:], true)
		}
		if at -= len(f.of(text[from:from+n])) - prefix; at < 0 {
			break
		}
		from += n
	}
	return from
}

// asLlamaCppReads is a text as llama.cpp's BPE and WordPiece read it: a byte
// that begins no character is U+FFFD, and overlong forms are read.
func (t *Tokenizer) asLlamaCppReads(text string) string {
	if t.model == "llama" || t.model == "t5" || utf8.ValidString(text) {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); {
		r, n := llamaCppRune(text[i:])
		if 0xd800 <= r && r <= 0xdfff { // half of a pair stays as it is
			b.WriteString(text[i : i+n])
		} else {
			b.WriteRune(r)
		}
		i += n
	}
	return b.String()
}

// llamaCppRune decodes the first character of a text, which is not empty, as
// unicode_cpt_from_utf8 does (llama.cpp, src/unicode.cpp).
func llamaCppRune(s string) (r rune, n int) {
	switch b := s[0]; {
	case b < 0x80:
		return rune(b), 1
	case b < 0xc0, b >= 0xf8:
		return utf8.RuneError, 1
	case b < 0xe0:
		r, n = rune(b&0x1f), 2
	case b < 0xf0:
		r, n = rune(b&0x0f), 3
	default:
		r, n = rune(b&0x07), 4
	}
	if len(s) < n {
		return utf8.RuneError, 1
	}
	for _, b := range []byte(s[1:n]) {
		if b&0xc0 != 0x80 {
			return utf8.RuneError, 1
		}
		r = r<<6 | rune(b&0x3f)
	}
	return r, n
}

// llamaCppLen is the length of the first character of a text, which is not
// empty, as llama.cpp's SentencePiece tokenizers see it: by its first byte.
func llamaCppLen(s string) int {
	lengths := [16]int{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 3, 4}
	return min(lengths[s[0]>>4], len(s))
}
