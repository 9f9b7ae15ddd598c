package tokenizer

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// leftmostByDefinition finds the leftmost token, of those at the same place the
// longest, and so on behind its end.
func leftmostByDefinition(tokens []string, text string) (all []match) {
	for i := 0; i < len(text); {
		best := match{i, i, -1}
		for k, token := range tokens {
			if strings.HasPrefix(text[i:], token) && len(token) > best.end-best.start {
				best = match{i, i + len(token), int32(k)}
			}
		}
		if best.id >= 0 {
			all = append(all, best)
		}
		i = max(i+1, best.end)
	}
	return all
}

// longestFirstByDefinition cuts the text at each token in turn, the longest
// first.
func longestFirstByDefinition(tokens []string, text string) (all []match) {
	order := make([]int32, len(tokens))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(len(tokens[b]), len(tokens[a])) })
	free := []byte(text)
	for _, id := range order {
		token := tokens[id]
		for from := 0; ; {
			at := strings.Index(string(free[from:]), token)
			if at < 0 {
				break
			}
			at += from
			all = append(all, match{at, at + len(token), id})
			for i := range len(token) {
				free[at+i] = 0
			}
			from = at + len(token)
		}
	}
	slices.SortFunc(all, func(a, b match) int { return cmp.Compare(a.start, b.start) })
	return all
}

// TestMatcher holds the matcher against the definitions.
func TestMatcher(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	for range 5000 {
		var tokens []string
		var ids []int32
		seen := make(map[string]bool)
		for range rng.IntN(8) {
			if w := randomWord(rng, 1+rng.IntN(5)); !seen[w] {
				seen[w] = true
				ids = append(ids, int32(len(tokens)))
				tokens = append(tokens, w)
			}
		}
		m := newMatcher(tokens, ids, nil)
		text := randomWord(rng, rng.IntN(20))
		got, err := m.leftmost(context.Background(), text, nil)
		if want := leftmostByDefinition(tokens, text); err != nil || !slices.Equal(got, want) {
			t.Fatalf("%q in %q: %v (%v), want %v", tokens, text, got, err, want)
		}
		got, err = m.longestFirst(context.Background(), text, nil, func(f match, _, _ int) match { return f })
		if want := longestFirstByDefinition(tokens, text); err != nil || !slices.Equal(got, want) {
			t.Fatalf("%q in %q, the longest first: %v (%v), want %v", tokens, text, got, err, want)
		}
	}
}

func TestTrie(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	for range 500 {
		tokens := make(map[string]int32)
		var keys []string
		var ids []int32
		for range rng.IntN(300) {
			w := make([]byte, 1+rng.IntN(3))
			for i := range w {
				w[i] = byte(rng.IntN(20)) * 13
			}
			if _, twice := tokens[string(w)]; !twice {
				tokens[string(w)] = int32(len(keys))
				keys, ids = append(keys, string(w)), append(ids, int32(len(ids)))
			}
		}
		tr := newTrie(keys, ids)
		for range 50 {
			text := make([]byte, rng.IntN(5))
			for i := range text {
				text[i] = byte(rng.IntN(20)) * 13
			}
			n, id := tr.longest(string(text))
			want, wantID := 0, int32(-1)
			for k, token := range keys {
				if strings.HasPrefix(string(text), token) && len(token) > want {
					want, wantID = len(token), int32(k)
				}
			}
			if n != want || id != wantID {
				t.Fatalf("%q in %q: %d bytes of token %d, want %d of %d", text, keys, n, id, want, wantID)
			}
		}
	}
}
