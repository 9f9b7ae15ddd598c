package tokenizer

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// mergeByDefinition merges as the papers define it: of all neighbours that
// make a piece, the pair of the lowest rank, and of equals the leftmost, until
// there is none.
func mergeByDefinition(word string, rank func(a, b string) int) []string {
	parts := strings.Split(word, "")
	for {
		best, at := -1, -1
		for i := range len(parts) - 1 {
			if r := rank(parts[i], parts[i+1]); r >= 0 && (best < 0 || r < best) {
				best, at = r, i
			}
		}
		if at < 0 {
			return parts
		}
		parts = slices.Replace(parts, at, at+2, parts[at]+parts[at+1])
	}
}

// mergeFast does the same with the heap and counts how often it asks.
func mergeFast(word string, rank func(a, b string) int) (parts []string, asked int) {
	m := new(merger)
	m.reset(len(word))
	for i := range len(word) {
		m.add(i, -1)
	}
	_ = m.merge(context.Background(), len(word), func(l, r *symbol, end int32) (int32, int32) {
		asked++
		return int32(rank(word[l.start:r.start], word[r.start:end])), 0
	})
	for i := int32(0); i >= 0; i = m.symbols[i].next {
		end := len(word)
		if next := m.symbols[i].next; next >= 0 {
			end = int(m.symbols[next].start)
		}
		parts = append(parts, word[m.symbols[i].start:end])
	}
	return parts, asked
}

func TestMerge(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for range 3000 {
		ranks := make(map[string]int) // few ranks, so that there are equals
		for range 12 {
			piece := randomWord(rng, 2+rng.IntN(4))
			ranks[piece] = rng.IntN(6)
		}
		rank := func(a, b string) int {
			if r, ok := ranks[a+b]; ok {
				return r
			}
			return -1
		}
		word := randomWord(rng, 1+rng.IntN(30))
		got, _ := mergeFast(word, rank)
		if want := mergeByDefinition(word, rank); !slices.Equal(got, want) {
			t.Fatalf("%q with %v: %q, want %q", word, ranks, got, want)
		}
	}
}

func randomWord(rng *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = "abc"[rng.IntN(3)]
	}
	return string(b)
}

// TestMergeLong demands that the work grows in proportion to the word.
func TestMergeLong(t *testing.T) {
	const n = 1 << 20
	word := strings.Repeat("a", n)
	parts, asked := mergeFast(word, func(a, b string) int {
		if len(a) == len(b) && len(a) < 64 {
			return len(a)
		}
		return -1
	})
	if len(parts) != n/64 || asked > 3*n {
		t.Errorf("%d pieces, %d questions for a word of %d letters", len(parts), asked, n)
	}
}
