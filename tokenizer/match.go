package tokenizer

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A matcher finds special tokens in a text. It is the automaton of Aho and
// Corasick (1975) over the reversed tokens: read from the end, a text shows at
// each byte the longest token that begins there, in time that depends neither
// on how many tokens there are nor on what they share.
type matcher struct {
	tokens []string
	ids    []int32        // those it finds
	trie   *trie          // of the reversed tokens
	fail   []int32        // the node of the longest proper suffix of each node's string
	found  []int32        // the longest token that ends at each node, or -1
	open   map[int32]bool // the tokens that literal text may hold
	inside []int32        // the longest of them that ends at each node, or -1
}

// newMatcher makes the matcher of the tokens ids; open are those of them that
// literal text may hold.
func newMatcher(tokens []string, ids []int32, open map[int32]bool) *matcher {
	keys := make([]string, len(ids))
	for i, id := range ids {
		b := []byte(tokens[id])
		slices.Reverse(b)
		keys[i] = string(b)
	}
	m := &matcher{tokens: tokens, ids: ids, trie: newTrie(keys, ids), open: open}
	m.fail = make([]int32, len(m.trie.label))
	m.found = slices.Clone(m.trie.token)
	m.inside = make([]int32, len(m.found))
	m.inside[0] = -1
	for n := range int32(len(m.trie.label)) { // a suffix is a node of lower depth, and comes before
		for c := m.trie.first[n]; c < m.trie.first[n+1]; c++ {
			if n > 0 {
				m.fail[c] = m.step(m.fail[n], m.trie.label[c])
			}
			if m.inside[c] = m.found[c]; !open[m.found[c]] {
				m.inside[c] = m.inside[m.fail[c]]
			}
			if m.found[c] < 0 {
				m.found[c] = m.found[m.fail[c]]
			}
		}
	}
	return m
}

// step is the node after byte b.
func (m *matcher) step(n int32, b byte) int32 {
	for {
		if c := m.trie.child(n, b); c != 0 || n == 0 {
			return c
		}
		n = m.fail[n]
	}
}

// shorter is the node that shows the next shorter token that begins where the
// longest one of node n does.
func (m *matcher) shorter(n int32) int32 {
	id := m.found[n]
	for m.trie.token[n] != id {
		n = m.fail[n]
	}
	return m.fail[n]
}

// A match is a special token in a text.
type match struct {
	start, end int
	id         int32
}

// scan calls yield from the end of the text on with every place where a token
// begins, and the node at which that shows.
func (m *matcher) scan(ctx context.Context, text string, yield func(at int, node int32)) error {
	const block = 1 << 20
	n := int32(0)
	for end := len(text); end > 0; {
		start := max(0, end-block)
		for i := end - 1; i >= start; i-- {
			if n == 0 {
				for m.trie.root[text[i]] == 0 && i > start {
					i--
				}
			}
			if n = m.step(n, text[i]); m.found[n] >= 0 {
				yield(i, n)
			}
		}
		end = start
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// leftmost returns the tokens in a text as Hugging Face's tokenizers find
// them: the leftmost, of those that begin at one place the longest, and so on
// behind its end. Tokens that literal parts forbid do not count.
func (m *matcher) leftmost(ctx context.Context, text string, literal []Range) ([]match, error) {
	if len(m.ids) == 0 {
		return nil, nil
	}
	var all []match
	err := m.scan(ctx, text, func(at int, node int32) {
		if id := m.allowed(literal, at, node); id >= 0 {
			all = append(all, match{at, at + len(m.tokens[id]), id})
		}
	})
	slices.Reverse(all)
	kept, end := all[:0], 0
	for _, f := range all {
		if f.start >= end {
			kept = append(kept, f)
			end = f.end
		}
	}
	return kept, err
}

// longestFirst returns the tokens in a text as llama.cpp finds them: those of
// the longest token, then in what is left those of the next, and so on. White
// space that strip takes away at a token is not searched further.
func (m *matcher) longestFirst(ctx context.Context, text string, literal []Range, strip func(f match, from, to int) match) ([]match, error) {
	if len(m.ids) == 0 {
		return nil, nil
	}
	// Which tokens occur at all. The tokens within one that was seen before
	// were seen then.
	seen := make(map[int32]bool)
	err := m.scan(ctx, text, func(_ int, n int32) {
		for id := m.found[n]; id >= 0 && !seen[id]; id = m.found[n] {
			seen[id] = true
			n = m.shorter(n)
		}
	})
	if err != nil {
		return nil, err
	}
	ids := make([]int32, 0, len(seen))
	for id := range seen {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b int32) int {
		return cmp.Or(cmp.Compare(len(m.tokens[b]), len(m.tokens[a])), cmp.Compare(a, b))
	})
	var all []match // in order; between them is text
	for _, id := range ids {
		var more []match
		from := 0
		for i := 0; i <= len(all); i++ {
			to := len(text)
			if i < len(all) {
				to = all[i].start
			}
			for {
				at := strings.Index(text[from:to], m.tokens[id])
				if at < 0 {
					break
				}
				f := match{from + at, from + at + len(m.tokens[id]), id}
				if !m.open[id] && f.end-f.start > room(literal, f.start) {
					from = f.start + 1
					continue
				}
				f = strip(f, from, to)
				more = append(more, f)
				from = f.end
			}
			if i < len(all) {
				more = append(more, all[i])
				from = all[i].end
			}
		}
		all = more
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// special returns the special tokens that stand in a text, with the white
// space that they take away.
func (t *Tokenizer) specialIn(ctx context.Context, text string, opt EncodeOptions) ([]match, error) {
	m := t.userDefined
	if opt.ParseSpecial {
		m = t.special
	}
	if t.llamaCpp {
		return m.longestFirst(ctx, text, opt.Literal, func(f match, from, to int) match {
			return t.strip(text, f, from, to, isASCIISpace)
		})
	}
	all, err := m.leftmost(ctx, text, opt.Literal)
	if len(t.normalized) > 0 && err == nil {
		return t.withNormalized(text, all), nil
	}
	return t.stripped(text, all), err
}

// stripped returns the matches with the white space that they take away, but
// for those within words that stand between words only.
func (t *Tokenizer) stripped(text string, all []match) []match {
	if len(t.stripsLeft) == 0 && len(t.stripsRight) == 0 && len(t.singleWord) == 0 {
		return all
	}
	kept, end := all[:0], 0
	for i, f := range all {
		if t.singleWord[f.id] {
			before, _ := utf8.DecodeLastRuneInString(text[end:max(f.start, end)])
			behind, _ := utf8.DecodeRuneInString(text[f.end:])
			if inWord(before) || inWord(behind) && (i+1 == len(all) || all[i+1].start != f.end) {
				continue
			}
		}
		if f.start >= end { // else it stood in white space that is gone
			f = t.strip(text, f, end, len(text), unicode.IsSpace)
			kept = append(kept, f)
			end = f.end
		}
	}
	return kept
}

// strip widens a match by the white space around it, within text[from:to],
// that its token takes away.
func (t *Tokenizer) strip(text string, f match, from, to int, space func(rune) bool) match {
	if t.stripsLeft[f.id] {
		f.start = from + len(strings.TrimRightFunc(text[from:f.start], space))
	}
	if t.stripsRight[f.id] {
		f.end = to - len(strings.TrimLeftFunc(text[f.end:to], space))
	}
	return f
}

// inWord reports whether a character is one of a word, as \w is.
func inWord(r rune) bool {
	return r != utf8.RuneError && (r == '_' || unicode.In(r, unicode.L, unicode.M, unicode.Nd, unicode.Pc))
}

func isASCIISpace(r rune) bool { return r == ' ' || '\t' <= r && r <= '\r' }
