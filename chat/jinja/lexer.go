package jinja

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A token of a program. The kind of an operator is the operator itself.
type token struct {
	kind string // data, {{ }} {% %}, name, string, integer, float, an operator, or end
	text string // of data, names and strings
	num  Value
	line int
}

const end = "end of template"

// lexer cuts a source as jinja2.lexer does with trim_blocks and lstrip_blocks.
type lexer struct {
	src    string
	at     int
	line   int
	tokens []token
}

func lex(source string) []token {
	source = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(source)
	source = strings.TrimSuffix(source, "\n")
	l := &lexer{src: source, line: 1}
	for l.at < len(l.src) {
		l.data()
	}
	l.emit(end, "")
	return l.tokens
}

func (l *lexer) emit(kind, text string) {
	l.tokens = append(l.tokens, token{kind: kind, text: text, line: l.line})
}

func (l *lexer) fail(format string, args ...any) { failAt(l.line, kindSyntax, format, args...) }

// advance skips n bytes and counts lines.
func (l *lexer) advance(n int) {
	l.line += strings.Count(l.src[l.at:l.at+n], "\n")
	l.at += n
}

// data reads text up to and including the tag behind it.
func (l *lexer) data() {
	from := l.at
	lineStart := from == 0 || l.src[from-1] == '\n'
	at := from
	for ; ; at++ {
		n := strings.IndexByte(l.src[at:], '{')
		if n < 0 || at+n+1 >= len(l.src) {
			l.emit("data", l.src[from:])
			l.advance(len(l.src) - from)
			return
		}
		if at += n; strings.IndexByte("{%#", l.src[at+1]) >= 0 {
			break
		}
	}
	text, tag, rest := l.src[from:at], l.src[at:at+2], l.src[at+2:]
	sign := byte(0)
	if rest != "" && (rest[0] == '-' || rest[0] == '+') {
		sign = rest[0]
	}
	text = trimBefore(text, sign, tag != "{{", lineStart)
	if text != "" {
		l.emit("data", text)
	}
	l.advance(at + 2 - from)
	if sign != 0 {
		l.at++
	}
	switch {
	case tag == "{#":
		n := strings.Index(l.src[l.at:], "#}")
		if n < 0 {
			l.fail("Missing end of comment tag")
		}
		sign := byte(0)
		if n > 0 {
			sign = l.src[l.at+n-1]
		}
		l.advance(n + 2)
		l.afterTag(sign, true)
	case tag == "{%" && l.raw():
	default:
		l.emit(tag, "")
		l.code(map[string]string{"{{": "}}", "{%": "%}"}[tag])
	}
}

// trimBefore removes what a tag removes of the text in front of it.
func trimBefore(text string, sign byte, lstrip, lineStart bool) string {
	switch {
	case sign == '-':
		return strings.TrimRightFunc(text, isSpace)
	case sign == '+' || !lstrip:
		return text
	}
	line := strings.LastIndexByte(text, '\n') + 1
	if (line > 0 || lineStart) && strings.TrimLeftFunc(text[line:], isSpace) == "" {
		return text[:line]
	}
	return text
}

// afterTag skips what the end of a tag removes of the text behind it.
func (l *lexer) afterTag(sign byte, trimBlock bool) {
	rest := l.src[l.at:]
	switch {
	case sign == '-':
		l.advance(len(rest) - len(strings.TrimLeftFunc(rest, isSpace)))
	case sign != '+' && trimBlock && strings.HasPrefix(rest, "\n"):
		l.advance(1)
	}
}

func (l *lexer) skipSpace(i int) int {
	return len(l.src) - len(strings.TrimLeftFunc(l.src[i:], isSpace))
}

// raw reads {% raw %}...{% endraw %}, whose beginning was read up to the sign.
func (l *lexer) raw() bool {
	tagEnd := func(i int, word string) (after int, sign byte) {
		if i = l.skipSpace(i); !strings.HasPrefix(l.src[i:], word) {
			return -1, 0
		}
		i = l.skipSpace(i + len(word))
		if i < len(l.src) && (l.src[i] == '-' || l.src[i] == '+' && word == "endraw") {
			sign = l.src[i]
			i++
		}
		if !strings.HasPrefix(l.src[i:], "%}") {
			return -1, 0
		}
		return i + 2, sign
	}
	after, sign := tagEnd(l.at, "raw")
	if after < 0 {
		return false
	}
	l.advance(after - l.at)
	l.afterTag(sign, false)
	for i := l.at; ; i += 2 {
		n := strings.Index(l.src[i:], "{%")
		if n < 0 {
			l.fail("Missing end of raw directive")
		}
		i += n
		begin, before := i+2, byte(0)
		if begin < len(l.src) && (l.src[begin] == '-' || l.src[begin] == '+') {
			before = l.src[begin]
			begin++
		}
		after, sign := tagEnd(begin, "endraw")
		if after < 0 {
			continue
		}
		lineStart := l.at > 0 && l.src[l.at-1] == '\n'
		l.emit("data", trimBefore(l.src[l.at:i], before, true, lineStart))
		l.advance(after - l.at)
		l.afterTag(sign, true)
		return true
	}
}

// operators, longer ones first.
var operators = []string{"//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".", ":", "|", ",", ";"}

// code reads the tokens of a tag up to its end.
func (l *lexer) code(close string) {
	var open []byte // brackets that are not closed
	for {
		l.advance(l.skipSpace(l.at) - l.at)
		rest := l.src[l.at:]
		if rest == "" {
			l.fail("unexpected end of template, expected '%s'", close)
		}
		if len(open) == 0 {
			if sign := rest[0]; strings.HasPrefix(rest, close) || (sign == '-' || sign == '+' && close == "%}") && strings.HasPrefix(rest[1:], close) {
				n := len(close)
				if !strings.HasPrefix(rest, close) {
					n++
				} else {
					sign = 0
				}
				l.emit(close, "")
				l.advance(n)
				l.afterTag(sign, close == "%}")
				return
			}
		}
		r, _ := utf8.DecodeRuneInString(rest)
		switch {
		case '0' <= r && r <= '9':
			l.number(rest)
		case r == '"' || r == '\'':
			l.str(rest)
		case r == '_' || unicode.IsLetter(r):
			n := strings.IndexFunc(rest, func(r rune) bool {
				return r != '_' && !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.Is(unicode.Mn, r)
			})
			if n < 0 {
				n = len(rest)
			}
			l.emit("name", rest[:n])
			l.advance(n)
		default:
			open = l.operator(rest, open)
		}
	}
}

func (l *lexer) operator(rest string, open []byte) []byte {
	for _, op := range operators {
		if !strings.HasPrefix(rest, op) {
			continue
		}
		switch op {
		case "(", "[", "{":
			if len(open) == maxNesting {
				failAt(l.line, kindLimit, "brackets are nested deeper than %d", maxNesting)
			}
			open = append(open, op[0])
		case ")", "]", "}":
			if len(open) == 0 || open[len(open)-1] != map[string]byte{")": '(', "]": '[', "}": '{'}[op] {
				l.fail("unexpected '%s'", op)
			}
			open = open[:len(open)-1]
		}
		l.emit(op, "")
		l.advance(len(op))
		return open
	}
	r, _ := utf8.DecodeRuneInString(rest)
	l.fail("unexpected char %q", r)
	return nil
}

// digits is the length of a run of digits with single underscores between.
func digits(s, set string) int {
	n := 0
	for n < len(s) && (strings.IndexByte(set, s[n]) >= 0 || s[n] == '_' && n > 0 && s[n-1] != '_' && n+1 < len(s) && strings.IndexByte(set, s[n+1]) >= 0) {
		n++
	}
	return n
}

const decimal = "0123456789"

// number reads an integer or a float.
func (l *lexer) number(rest string) {
	kind, n := "integer", 0
	prefix := strings.ToLower(rest[:min(2, len(rest))])
	if set, ok := map[string]string{"0x": decimal + "abcdefABCDEF", "0o": "01234567", "0b": "01"}[prefix]; ok && digits(strings.TrimLeft(rest[2:], "_"), set) > 0 {
		n = 2 + digits("0"+rest[2:], "0"+set) - 1
	} else {
		n = digits(rest, decimal)
		whole := n
		afterDot := len(l.tokens) > 0 && l.tokens[len(l.tokens)-1].kind == "." && l.src[l.at-1] == '.'
		if m := n + 1; !afterDot && strings.HasPrefix(rest[n:], ".") && digits(rest[m:], decimal) > 0 {
			n, kind = m+digits(rest[m:], decimal), "float"
		}
		if !afterDot && n < len(rest) && (rest[n] == 'e' || rest[n] == 'E') {
			m := n + 1
			if m < len(rest) && (rest[m] == '+' || rest[m] == '-') {
				m++
			}
			if d := digits(rest[m:], decimal); d > 0 {
				n, kind = m+d, "float"
			}
		}
		if kind == "integer" && rest[0] == '0' {
			n = digits(rest[:whole], "0") // 007 is three numbers
		}
	}
	text := strings.ReplaceAll(rest[:n], "_", "")
	t := token{kind: kind, line: l.line, text: text}
	if kind == "float" {
		f, _ := strconv.ParseFloat(text, 64) // out of range: an infinity, as in Python
		t.num = f
	} else {
		i, err := strconv.ParseInt(text, map[bool]int{true: 0, false: 10}[len(text) > 1 && text[0] == '0' && text[1] > '9'], 64)
		if err != nil {
			failAt(l.line, kindMissing, "the integer %.30s is above 64 bits", text)
		}
		t.num = int(i)
	}
	l.tokens = append(l.tokens, t)
	l.advance(n)
}

// str reads a string with its escapes.
func (l *lexer) str(rest string) {
	n := 1
	for n < len(rest) && rest[n] != rest[0] {
		if rest[n] == '\\' {
			n++
		}
		n++
	}
	if n >= len(rest) {
		l.fail("unexpected char %q", rest[0])
	}
	l.emit("string", l.unescape(rest[1:n]))
	l.advance(n + 1)
}

// unescape is Python's codec unicode-escape.
func (l *lexer) unescape(s string) string {
	var b strings.Builder
	for s != "" {
		n := strings.IndexByte(s, '\\')
		if n < 0 || n+1 == len(s) {
			break
		}
		b.WriteString(s[:n])
		c := s[n+1]
		s = s[n+2:]
		hex := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c]
		switch i := strings.IndexByte(`\'"abfnrtv`, c); {
		case c == '\n':
		case i >= 0:
			b.WriteByte("\\'\"\a\b\f\n\r\t\v"[i])
		case hex > 0:
			if len(s) < hex {
				l.fail("truncated \\%c escape in a string", c)
			}
			v, err := strconv.ParseUint(s[:hex], 16, 32)
			if err != nil || v > unicode.MaxRune {
				l.fail("bad \\%c escape in a string", c)
			}
			if 0xD800 <= v && v < 0xE000 {
				failAt(l.line, kindMissing, "a string holds a surrogate, \\u%04x", v)
			}
			b.WriteRune(rune(v))
			s = s[hex:]
		case '0' <= c && c <= '7':
			v, m := rune(c-'0'), 0
			for m < 2 && m < len(s) && '0' <= s[m] && s[m] <= '7' {
				v = v*8 + rune(s[m]-'0')
				m++
			}
			b.WriteRune(v)
			s = s[m:]
		case c == 'N':
			failAt(l.line, kindMissing, "a string holds a character by its name, \\N{...}")
		default:
			b.WriteByte('\\')
			b.WriteByte(c)
		}
	}
	b.WriteString(s)
	return b.String()
}
