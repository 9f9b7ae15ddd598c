package tokenizer

import (
	"sort"
	"strings"
)

// A Range is the bytes From to To of a text, without To.
type Range struct{ From, To int }

// room is how far a control token may reach that begins at a place: up to the
// next literal part. In a literal part it is 0.
func room(literal []Range, at int) int {
	i := sort.Search(len(literal), func(i int) bool { return literal[i].To > at })
	if i == len(literal) {
		return maxText
	}
	return max(0, literal[i].From-at)
}

// allowed is the longest token, or -1, that may be read where node shows that
// tokens begin.
func (m *matcher) allowed(literal []Range, at int, node int32) int32 {
	if len(literal) == 0 {
		return m.found[node]
	}
	room := room(literal, at)
	if room == 0 {
		return m.inside[node]
	}
	for ; m.found[node] >= 0; node = m.shorter(node) {
		if id := m.found[node]; m.open[id] || len(m.tokens[id]) <= room {
			return id
		}
	}
	return -1
}

// namesControl reports whether the name of a token marks it as a control
// token, whatever type the file gives it: <|...|>, also in full width. The rule
// is that of llama.cpp's converter (does_token_look_special).
func namesControl(token string) bool {
	return strings.HasPrefix(token, "<|") && strings.HasSuffix(token, "|>") ||
		strings.HasPrefix(token, "<｜") && strings.HasSuffix(token, "｜>")
}
