package engine

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/normswap/normswap/internal/toy"
	"github.com/normswap/normswap/internal/toytest"
)

// TestStates: a session of recurrent layers that is cut back, forked, or saved and restored
// anywhere goes on as one that has never seen more, to the last bit.
func TestStates(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	text := make([]int32, 120)
	for i := range text {
		text[i] = rng.Int32N(128)
	}
	for _, name := range []string{"lfm2", "plamo2"} {
		for _, typ := range []string{"F32", "Q8_0"} {
			m, err := Load(t.Context(), toytest.Parse(t, toytest.Bytes(t, toy.Tiny(name, nil), typ, 1)), Options{Threads: 2})
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			s := newSession(t, m, SessionOptions{})
			for len(s.Tokens()) < 60 { // a prompt in pieces, of which not all states are kept
				if err := s.Append(t.Context(), text[s.Len():][:3]); err != nil {
					t.Fatal(err)
				}
			}
			for s.Len() < 80 { // and what is generated
				if _, err := s.Eval(t.Context(), text[s.Len():][:1]); err != nil {
					t.Fatal(err)
				}
			}
			if n := len(s.states); n != keptStates {
				t.Errorf("%s: %d states are kept", name, n)
			}
			// logits returns those behind a token after the first n.
			logits := func(s *Session, n int, token int32) []float32 {
				s.Truncate(n)
				l, err := s.Eval(t.Context(), []int32{token})
				if err != nil {
					t.Fatal(err)
				}
				return slices.Clone(l)
			}
			want := func(n int, token int32) []float32 {
				s := newSession(t, m, SessionOptions{})
				if err := s.Append(t.Context(), text[:min(n, 60)]); err != nil {
					t.Fatal(err)
				}
				for s.Len() < n {
					if _, err := s.Eval(t.Context(), text[s.Len():][:1]); err != nil {
						t.Fatal(err)
					}
				}
				return logits(s, n, token)
			}
			cancelled, cancel := context.WithCancel(t.Context())
			cancel()
			for _, n := range []int{79, 78, 70, 61, 60, 59, 40, 31, 30, 7, 3} {
				f, err := s.Fork()
				if err != nil {
					t.Fatal(err)
				}
				f.Truncate(n)
				if err := f.Append(cancelled, text[:5]); !errors.Is(err, context.Canceled) {
					t.Errorf("%s %s: cancelled: %v", name, typ, err)
				}
				var b bytes.Buffer
				if err := f.Save(t.Context(), &b); err != nil {
					t.Fatal(err)
				}
				r := newSession(t, m, SessionOptions{})
				if err := r.Restore(t.Context(), &b); err != nil {
					t.Fatal(err)
				}
				for i, s := range []*Session{f, r, s, f} {
					if token := int32(i); !slices.Equal(logits(s, n, token), want(n, token)) {
						t.Errorf("%s %s: session %d cut to %d differs", name, typ, i, n)
					}
				}
				if n := n - 1; !slices.Equal(logits(r, n, 5), want(n, 5)) {
					t.Errorf("%s %s: restored and cut to %d, it differs", name, typ, n)
				}
			}
		}
	}
}

// TestForksAtOnce: forks share states, and run at once.
func TestForksAtOnce(t *testing.T) {
	m := open(t, "archs/plamo2.gguf", Options{Threads: 2})
	s := newSession(t, m, SessionOptions{})
	if err := s.Append(t.Context(), []int32{1, 2, 3, 4, 5, 6}); err != nil {
		t.Fatal(err)
	}
	run := func(s *Session) ([]float32, error) {
		for id := range int32(20) {
			if _, err := s.Eval(t.Context(), []int32{id}); err != nil {
				return nil, err
			}
		}
		s.Truncate(4)
		return s.Eval(t.Context(), []int32{9})
	}
	type result struct {
		logits []float32
		err    error
	}
	results := make(chan result)
	for range 6 {
		f, err := s.Fork()
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			f2, err := f.Fork()
			if err != nil {
				results <- result{err: err}
				return
			}
			logits, err := run(f2)
			results <- result{logits, err}
		}()
	}
	want, err := run(s)
	if err != nil {
		t.Fatal(err)
	}
	for range 6 {
		if r := <-results; r.err != nil || !slices.Equal(r.logits, want) {
			t.Errorf("a fork differs (%v)", r.err)
		}
	}
}

// TestMixedWays: tokens that are evaluated again add up as they did at first, also where
// single ones were among them.
func TestMixedWays(t *testing.T) {
	m := open(t, "archs/lfm2.gguf", Options{Threads: 1})
	feed := func(pieces ...[]int32) *Session {
		s := newSession(t, m, SessionOptions{})
		for _, piece := range pieces {
			if err := s.Append(t.Context(), piece); err != nil {
				t.Fatal(err)
			}
		}
		return s
	}
	s, f := feed([]int32{1, 2, 3, 4}, []int32{5}, []int32{6}, []int32{7}, []int32{8, 9, 10}, []int32{11}), feed([]int32{1, 2, 3, 4}, []int32{5}, []int32{6})
	s.Truncate(6)
	want, err := s.Eval(t.Context(), []int32{1, 2})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := f.Eval(t.Context(), []int32{1, 2}); err != nil || !slices.Equal(got, want) {
		t.Errorf("cut back among single tokens, it differs (%v)", err)
	}
}
