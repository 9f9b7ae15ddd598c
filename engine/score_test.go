package engine

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/normswap/normswap/internal/testdata"
)

// TestStopText cuts texts that come in pieces of any length.
func TestStopText(t *testing.T) {
	for _, c := range []struct{ text, want, stops string }{
		{"abc", "abc", ""},
		{"one END two", "one ", "END"},
		{"one EN two", "one EN two", "END"},
		{"aab aaab", "", "aab"},
		{"xaaab", "xa", "aab"},
		{"x stop END", "x ", "END|stop"},
		{"ends in EN", "ends in EN", "END"},
	} {
		for n := 1; n <= len(c.text); n++ {
			s, got := NewStopText(strings.Split(c.stops, "|")...), ""
			for piece := range slices.Chunk([]byte(c.text), n) {
				sure, found := s.Push(string(piece))
				if got += sure; found {
					break
				}
			}
			if got += s.Flush(); got != c.want {
				t.Errorf("%q by %d until %q: %q, want %q", c.text, n, c.stops, got, c.want)
			}
		}
	}
}

// TestTopLogprobs orders, and breaks ties by the lower id.
func TestTopLogprobs(t *testing.T) {
	got := TopLogprobs(nil, []float32{0, 2, 1, 2, float32(math.Inf(-1))}, 3)
	norm := math.Log(1 + 2*math.Exp(2) + math.Exp(1))
	for i, want := range []Logprob{{1, 2 - norm}, {3, 2 - norm}, {2, 1 - norm}} {
		if got[i].ID != want.ID || math.Abs(got[i].Logprob-want.Logprob) > 1e-12 {
			t.Errorf("%d: %v, want %v", i, got[i], want)
		}
	}
}

// TestScore: continuations behind a prefix have the probabilities that the whole
// text has.
func TestScore(t *testing.T) {
	m := open(t, "archs/gpt2.gguf", Options{Threads: 2})
	tokens := testdata.Tokens()
	prefix, continuations := tokens[:7], [][]int32{tokens[7:12], tokens[9:10], tokens[7:8]}
	got, err := newSession(t, m, SessionOptions{}).Score(t.Context(), prefix, continuations)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range continuations {
		scores, err := newSession(t, m, SessionOptions{}).Logprobs(t.Context(), slices.Concat(prefix, c), 2)
		if err != nil {
			t.Fatal(err)
		}
		var sum float64
		for _, s := range scores[len(prefix)-1:] {
			sum += s.Logprob.Logprob
			if s.Top[0].Logprob < s.Logprob.Logprob {
				t.Errorf("%v is more likely than the most likely token", s)
			}
		}
		if math.Abs(sum-got[i].Logprob) > 1e-4 {
			t.Errorf("continuation %d: %g, in the whole text %g", i, got[i].Logprob, sum)
		}
	}
}
