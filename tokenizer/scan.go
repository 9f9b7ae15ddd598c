package tokenizer

import (
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/dlclark/regexp2/syntax"
)

// The split patterns that most models use, written by hand: a backtracking
// regular expression is many times slower. A test holds each against the
// pattern itself.

// scanners give the length of the first piece of a text, which is not empty.
var scanners = map[string]func(string) int{
	patGPT2:     nextGPT2,
	patLlama3:   func(s string) int { return nextLlama3(s, 3) },
	patQwen2:    func(s string) int { return nextLlama3(s, 1) },
	patTrailing: nextTrailing,

	patNumber:      runs(unicode.IsNumber, 1, 1),
	patNumbers:     runs(unicode.IsNumber, 1, math.MaxInt),
	patNumber3:     runs(unicode.IsNumber, 1, 3),
	patThreeDigits: runs(func(r rune) bool { return '0' <= r && r <= '9' }, 3, 3),
	patDefault: runs(func(r rune) bool {
		return unicode.IsPunct(r) || r < utf8.RuneSelf && strings.ContainsRune("$+<=>^~|", r)
	}, 1, math.MaxInt),
	patFalcon: runs(func(r rune) bool {
		return unicode.IsPunct(r) || r < utf8.RuneSelf && strings.ContainsRune("$+<=>^~|`", r)
	}, 1, math.MaxInt),
}

// A class is what the patterns tell characters apart by.
type class uint8

const (
	other  class = iota // [^\s\p{L}\p{N}], and bytes that are no UTF-8
	letter              // \p{L}
	number              // \p{N}
	space               // \s
	none                // the end of the text
)

var asciiClass = func() (table [utf8.RuneSelf]class) {
	for r := range rune(utf8.RuneSelf) {
		table[r] = classOf(r)
	}
	return table
}()

func classOf(r rune) class {
	switch {
	case unicode.IsLetter(r):
		return letter
	case unicode.IsNumber(r):
		return number
	case unicode.IsSpace(r):
		return space
	}
	return other
}

// classAt returns the class and the length of the character at s[i:].
func classAt(s string, i int) (class, int) {
	if i >= len(s) {
		return none, 0
	}
	if b := s[i]; b < utf8.RuneSelf {
		return asciiClass[b], 1
	}
	r, n := utf8.DecodeRuneInString(s[i:])
	return classOf(r), n
}

// run is where the characters of class c that begin at i end.
func run(s string, i int, c class) int {
	for {
		at, n := classAt(s, i)
		if at != c {
			return i
		}
		i += n
	}
}

// contraction is the length of 's, 't, 're, 've, 'm, 'll or 'd at the start of
// s, or 0.
func contraction(s string, anyCase bool) int {
	if len(s) < 2 || s[0] != '\'' {
		return 0
	}
	at := func(i int) byte {
		if i >= len(s) {
			return 0
		}
		if anyCase && 'A' <= s[i] && s[i] <= 'Z' {
			return s[i] + 'a' - 'A'
		}
		return s[i]
	}
	switch b, c := at(1), at(2); {
	case b == 's' || b == 't' || b == 'm' || b == 'd':
		return 2
	case b == 'r' && c == 'e', b == 'v' && c == 'e', b == 'l' && c == 'l':
		return 3
	}
	return 0
}

// spaces is the length of what \s+(?!\S)|\s+ matches: a run of white space,
// but for its last character where a word follows. The run ends at end.
func spaces(s string, end int) int {
	_, last := utf8.DecodeLastRuneInString(s[:end])
	if end < len(s) && end > last {
		return end - last
	}
	return end
}

// nextGPT2 is the length of the first word by GPT-2's pattern.
func nextGPT2(s string) int {
	if n := contraction(s, false); n > 0 {
		return n
	}
	i := 0
	if s[0] == ' ' {
		i = 1
	}
	switch c, n := classAt(s, i); c {
	case letter, number, other:
		return run(s, i+n, c)
	}
	return spaces(s, run(s, 0, space))
}

// nextLlama3 is the length of the first word by Llama 3's pattern, with up to
// digits numbers in a word (Llama 3: 3, Qwen 2: 1).
func nextLlama3(s string, digits int) int {
	if n := contraction(s, true); n > 0 {
		return n
	}
	c, n := classAt(s, 0)
	newline := s[0] == '\r' || s[0] == '\n'
	if c == letter {
		return run(s, n, letter)
	}
	if next, m := classAt(s, n); next == letter && c != number && !newline {
		return run(s, n+m, letter)
	}
	if c == number {
		i := n
		for range digits - 1 {
			next, m := classAt(s, i)
			if next != number {
				break
			}
			i += m
		}
		return i
	}
	i := 0
	if s[0] == ' ' {
		i = 1
	}
	if c, m := classAt(s, i); c == other {
		i = run(s, i+m, other)
		for i < len(s) && (s[i] == '\r' || s[i] == '\n') {
			i++
		}
		return i
	}
	end := run(s, 0, space)
	for i := end; i > 0; i-- { // up to the last line end of the run
		if s[i-1] == '\r' || s[i-1] == '\n' {
			return i
		}
	}
	return spaces(s, end)
}

// runs makes the scanner of a pattern that matches least to most characters of
// one kind.
func runs(in func(rune) bool, least, most int) func(string) int {
	return func(s string) int {
		for i := 0; i < len(s); {
			n, end := 0, i
			for n < most && end < len(s) {
				r, size := utf8.DecodeRuneInString(s[end:])
				if !in(r) {
					break
				}
				n, end = n+1, end+size
			}
			switch {
			case n < least:
				_, size := utf8.DecodeRuneInString(s[i:])
				i += size
			case i == 0:
				return end
			default:
				return i // what stands before the match
			}
		}
		return len(s)
	}
}

// nextTrailing separates the white space at the end of a text. As a regular
// expression \s+\z takes quadratic time on a long run of it elsewhere.
func nextTrailing(s string) int {
	if n := len(strings.TrimRightFunc(s, unicode.IsSpace)); n > 0 {
		return n
	}
	return len(s)
}

// cutters are the patterns that need more of a text than its first piece.
var cutters = map[string]func(text string, yield func(piece string) bool) bool{
	patJais2:        cutJais2,
	patThreesNumber: threes{in: unicode.IsNumber, apart: true, behind: true}.cut,
	patThreesWord:   threes{in: unicode.IsDigit, apart: true, behind: true, boundary: true}.cut,
	patThreesCut:    threes{in: unicode.IsDigit}.cut,
	llamaThrees:     threes{in: unicode.IsNumber, behind: true}.cut,
	llamaThreesCut:  threes{in: func(r rune) bool { return '0' <= r && r <= '9' }}.cut,
}

// threes cuts numbers into groups of three digits, counted from their end. As
// regular expressions these patterns take quadratic time on a long number.
type threes struct {
	in       func(rune) bool
	apart    bool // the number is cut off from what stands before it
	behind   bool // and from what stands behind it
	boundary bool // a number that a letter follows is left whole
}

func (c threes) cut(text string, yield func(piece string) bool) bool {
	from := 0 // what lies between from and here is not yielded yet
	emit := func(to int) bool {
		piece := text[from:to]
		from = to
		return piece == "" || yield(piece)
	}
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRuneInString(text[i:])
		if !c.in(r) {
			i += n
			continue
		}
		start, digits, after := i, 0, rune(-1)
		for ; i < len(text); i += n {
			if r, n = utf8.DecodeRuneInString(text[i:]); !c.in(r) {
				after = r
				break
			}
			digits++
		}
		if c.boundary && after >= 0 && syntax.IsWordChar(after) {
			continue
		}
		if c.apart && !emit(start) {
			return false
		}
		for at, left := start, digits; left > 0; left-- {
			if left%3 == 0 && (left < digits || c.apart || !c.behind) && !emit(at) {
				return false
			}
			_, n := utf8.DecodeRuneInString(text[at:])
			at += n
		}
		if c.behind && !emit(i) {
			return false
		}
	}
	return emit(len(text))
}

// cutJais2 cuts as Llama 3 does, and long runs of white space into powers of
// two.
func cutJais2(text string, yield func(piece string) bool) bool {
	for text != "" {
		end := run(text, 0, space)
		line := strings.LastIndexAny(text[:end], "\r\n") + 1
		switch {
		case line > 0:
			if !yield(text[:line]) {
				return false
			}
			text = text[line:]
		case end > 0:
			at, left := 0, utf8.RuneCountInString(text[:end])
			for last := end == len(text); left > 1 || left == 1 && last; {
				size := 1
				for _, s := range []int{512, 256, 128, 64, 32, 16, 8, 4, 2} {
					if left > s || left == s && last {
						size = s
						break
					}
				}
				from := at
				for range size {
					_, n := utf8.DecodeRuneInString(text[at:])
					at += n
				}
				left -= size
				if !yield(text[from:at]) {
					return false
				}
			}
			if text = text[at:]; text == "" {
				return true
			}
			fallthrough
		default:
			n := nextLlama3(text, 3)
			if !yield(text[:n]) {
				return false
			}
			text = text[n:]
		}
	}
	return true
}
