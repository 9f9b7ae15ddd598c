package jinja

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// A Str is a string of Python: a sequence of code points. Each carries in a
// bit of its own whether it comes from content, so that every operation on
// strings keeps track of it by copying characters. A byte that is no UTF-8 is
// the code point U+DC00 + byte, as with Python's surrogateescape.
type Str struct {
	c      []rune
	markup bool // Python's class Markup, which the filter safe makes
	room   *room
}

// A room is memory in which a sum of strings can grow: programs collect long
// texts by text = text + more, which would copy all of it each time. The
// characters in c never change; those behind them are free for one string.
type room struct{ c []rune }

// extend returns a with b behind it.
func (in *interp) extend(a Str, b []rune) Str {
	n := len(a.c)
	in.checkText(n + len(b))
	r := a.room
	if r == nil || n == 0 || len(r.c) < n || &r.c[len(r.c)-1] != &a.c[n-1] {
		in.alloc(n)
		r = &room{append(make([]rune, 0, n+len(b)), a.c...)}
	} else if len(r.c)+len(b) > cap(r.c) {
		in.alloc(len(r.c))
	}
	in.alloc(len(b))
	r.c = append(r.c, b...)
	return Str{c: r.c[len(r.c)-n-len(b):], room: r}
}

// fromContent marks a character of content.
const fromContent rune = 1 << 30

func plain(c rune) rune { return c &^ fromContent }

// Literal is a string of the program.
func Literal(s string) Str { return Str{c: decode(s, 0)} }

// Content is a string from content.
func Content(s string) Str { return Str{c: decode(s, fromContent)} }

func decode(s string, mark rune) []rune {
	c := make([]rune, 0, len(s))
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			r = 0xDC00 + rune(s[i])
		}
		c = append(c, r|mark)
		i += n
	}
	return c
}

// String is the text in UTF-8.
func (s Str) String() string {
	b := make([]byte, 0, len(s.c))
	for _, r := range s.c {
		if r = plain(r); 0xDC80 <= r && r <= 0xDCFF {
			b = append(b, byte(r-0xDC00))
		} else {
			b = utf8.AppendRune(b, r)
		}
	}
	return string(b)
}

func (s Str) slice(from, to int) Str { return Str{c: s.c[from:to], markup: s.markup} }

func sameChars(a, b []rune) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if (a[i]^b[i])&^fromContent != 0 {
			return false
		}
	}
	return true
}

func compareChars(a, b []rune) int {
	for i := range min(len(a), len(b)) {
		if d := plain(a[i]) - plain(b[i]); d != 0 {
			return int(d)
		}
	}
	return len(a) - len(b)
}

// index is where needle begins in c, at from or later, or -1.
func (in *interp) index(c, needle []rune, from int) int {
	for i := from; i+len(needle) <= len(c); i++ {
		n := 0
		for n < len(needle) && plain(c[i+n]) == plain(needle[n]) {
			n++
		}
		if n == len(needle) {
			in.work(i - from + n)
			return i
		}
		if n > 8 {
			in.work(n)
		}
	}
	in.work(max(0, len(c)-from))
	return -1
}

// lastIndex is where the last needle begins in c, or -1.
func (in *interp) lastIndex(c, needle []rune) int {
	for i := len(c) - len(needle); i >= 0; i-- {
		in.work(1 + len(needle)/8)
		if sameChars(c[i:i+len(needle)], needle) {
			return i
		}
	}
	return -1
}

// isSpace is Python's str.isspace of a character.
func isSpace(r rune) bool {
	r = plain(r)
	return unicode.IsSpace(r) || 0x1c <= r && r <= 0x1f
}

// strip removes the characters of chars (nil: white space) at the ends.
func strip(s Str, chars []rune, left, right bool) Str {
	in := isSpace
	if chars != nil {
		in = func(r rune) bool {
			for _, c := range chars {
				if plain(c) == plain(r) {
					return true
				}
			}
			return false
		}
	}
	from, to := 0, len(s.c)
	for left && from < to && in(s.c[from]) {
		from++
	}
	for right && to > from && in(s.c[to-1]) {
		to--
	}
	return s.slice(from, to)
}

// splitSpace is str.split without a separator.
func splitSpace(s Str, most int) (parts []Str) {
	c := s.c
	for i := 0; ; {
		for i < len(c) && isSpace(c[i]) {
			i++
		}
		if i == len(c) {
			return parts
		}
		if most >= 0 && len(parts) == most {
			return append(parts, strip(s.slice(i, len(c)), nil, false, true))
		}
		start := i
		for i < len(c) && !isSpace(c[i]) {
			i++
		}
		parts = append(parts, s.slice(start, i))
	}
}

// rsplitSpace is str.rsplit without a separator.
func rsplitSpace(s Str, most int) []Str {
	back := Str{c: backwards(s.c), markup: s.markup}
	parts := splitSpace(back, most)
	for i, p := range parts {
		parts[i] = Str{c: backwards(p.c), markup: s.markup}
	}
	return reversed(parts)
}

func backwards(c []rune) []rune { return reversed(append([]rune(nil), c...)) }

func reversed[T any](s []T) []T {
	for i, j := 0, len(s)-1; i < j; i, j = i+1, j-1 {
		s[i], s[j] = s[j], s[i]
	}
	return s
}

// split is str.split at a separator, which is not empty.
func (in *interp) split(s Str, sep []rune, most int) (parts []Str) {
	from := 0
	for most < 0 || len(parts) < most {
		at := in.index(s.c, sep, from)
		if at < 0 {
			break
		}
		in.items(1)
		parts = append(parts, s.slice(from, at))
		from = at + len(sep)
	}
	return append(parts, s.slice(from, len(s.c)))
}

// rsplit is str.rsplit at a separator, which is not empty.
func (in *interp) rsplit(s Str, sep []rune, most int) (parts []Str) {
	to := len(s.c)
	for most < 0 || len(parts) < most {
		at := in.lastIndex(s.c[:to], sep)
		if at < 0 {
			break
		}
		in.items(1)
		parts = append(parts, s.slice(at+len(sep), to))
		to = at
	}
	return reversed(append(parts, s.slice(0, to)))
}

// splitLines is str.splitlines.
func (in *interp) splitLines(s Str, keepEnds bool) (lines []Str) {
	start := 0
	in.work(len(s.c))
	for i := 0; i < len(s.c); i++ {
		switch r := plain(s.c[i]); r {
		case '\n', '\r', '\v', '\f', 0x1c, 0x1d, 0x1e, 0x85, 0x2028, 0x2029:
			end := i
			if r == '\r' && i+1 < len(s.c) && plain(s.c[i+1]) == '\n' {
				i++
			}
			if keepEnds {
				end = i + 1
			}
			in.items(1)
			lines = append(lines, s.slice(start, end))
			start = i + 1
		}
	}
	if start < len(s.c) {
		lines = append(lines, s.slice(start, len(s.c)))
	}
	return lines
}

// replace is str.replace.
func (in *interp) replace(s Str, old, with []rune, most int) Str {
	var out []rune
	from, n := 0, 0
	for most < 0 || n < most {
		at := in.index(s.c, old, from)
		if len(old) == 0 { // between all characters
			if at = from; n > 0 {
				at = from + 1
			}
			if at > len(s.c) {
				break
			}
		}
		if at < 0 {
			break
		}
		in.alloc(at - from + len(with))
		in.checkText(len(out) + at - from + len(with))
		out = append(append(out, s.c[from:at]...), with...)
		from, n = at+len(old), n+1
	}
	if n == 0 {
		return s
	}
	in.alloc(len(s.c) - from)
	out = append(out, s.c[from:]...)
	in.checkText(len(out))
	return Str{c: out, markup: s.markup}
}

// mapCase changes the case of every character, which may become several.
func (in *interp) mapCase(s Str, to func(i int) string) Str {
	out := make([]rune, 0, len(s.c))
	in.alloc(len(s.c))
	in.step(len(s.c) / 4)
	for i, c := range s.c {
		for _, r := range to(i) {
			out = append(out, r|c&fromContent)
		}
	}
	return Str{c: out, markup: s.markup}
}

// longCases are the characters whose capital is more than one character
// (Unicode's SpecialCasing.txt, unconditional mappings): the character, its
// capital form at the beginning of a word, and elsewhere.
var longCases = func() map[rune][2]string {
	m := map[rune][2]string{}
	for entry := range strings.FieldsSeq(longCaseList) {
		c := strings.Split(entry, ",")
		r, _ := utf8.DecodeRuneInString(c[0])
		m[r] = [2]string{c[1], c[2]}
	}
	return m
}()

func upperOf(r rune) string {
	if long, ok := longCases[r]; ok {
		return long[1]
	}
	return string(unicode.ToUpper(r))
}

func titleOf(r rune) string {
	if long, ok := longCases[r]; ok {
		return long[0]
	}
	return string(unicode.ToTitle(r))
}

// lowerAt is the small form of the character at i: that of a capital sigma
// depends on whether it ends a word.
func lowerAt(c []rune, i int) string {
	r := plain(c[i])
	switch r {
	case 'İ':
		return "i̇"
	case 'Σ':
		if near(c[:i], true) && !near(c[i+1:], false) {
			return "ς"
		}
	}
	return string(unicode.ToLower(r))
}

// near reports whether the nearest character that is not ignorable for case
// has a case: the last of c or the first.
func near(c []rune, last bool) bool {
	for n := range c {
		r := c[n]
		if last {
			r = c[len(c)-1-n]
		}
		if r = plain(r); unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk) || strings.ContainsRune("'.:·’", r) {
			continue
		}
		return cased(r)
	}
	return false
}

func cased(r rune) bool { return unicode.In(r, unicode.Lu, unicode.Ll, unicode.Lt) }

func (in *interp) upper(s Str) Str {
	return in.mapCase(s, func(i int) string { return upperOf(plain(s.c[i])) })
}

func (in *interp) lower(s Str) Str {
	return in.mapCase(s, func(i int) string { return lowerAt(s.c, i) })
}

func (in *interp) capitalize(s Str) Str {
	return in.mapCase(s, func(i int) string {
		if i == 0 {
			return titleOf(plain(s.c[0]))
		}
		return lowerAt(s.c, i)
	})
}

func (in *interp) title(s Str) Str {
	return in.mapCase(s, func(i int) string {
		if i > 0 && cased(plain(s.c[i-1])) {
			return lowerAt(s.c, i)
		}
		return titleOf(plain(s.c[i]))
	})
}

func (in *interp) swapCase(s Str) Str {
	return in.mapCase(s, func(i int) string {
		if unicode.IsUpper(plain(s.c[i])) {
			return lowerAt(s.c, i)
		}
		return upperOf(plain(s.c[i]))
	})
}
