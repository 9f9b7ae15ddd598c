package tokenizer

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// TestMatcher holds the matcher against the definition: the leftmost token, of
// those at the same place the longest.
func TestMatcher(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	for range 2000 {
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
		m := newMatcher(tokens, ids)
		text := randomWord(rng, rng.IntN(20))
		start, end, id := len(text), len(text), int32(-1)
		for i := len(text) - 1; i >= 0; i-- {
			for k, token := range tokens {
				if strings.HasPrefix(text[i:], token) && (start != i || len(token) > end-start) {
					start, end, id = i, i+len(token), int32(k)
				}
			}
		}
		if s, e, k := m.find(text); s != start || e != end || k != id {
			t.Fatalf("%q in %q: [%d,%d) token %d, want [%d,%d) token %d", tokens, text, s, e, k, start, end, id)
		}
	}
}
