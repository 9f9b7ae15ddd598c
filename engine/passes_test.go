package engine

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/normswap/normswap/internal/testdata"
	"github.com/normswap/normswap/ops"
	"github.com/normswap/normswap/quant"
)

// TestRowsOfManySessions: rows of several sessions in one pass, prompts beside
// single tokens, get the logits, to the last bit, that each session gets alone.
func TestRowsOfManySessions(t *testing.T) {
	for _, name := range testdata.Fixtures(t, "archs") {
		m := open(t, name, Options{Threads: 2})
		tokens := testdata.Tokens()
		const first = 9
		var alone [][]float32
		together := make([]segment, 3)
		for i, n := range []int{12, 1, 3} { // all but the first go on behind a prefix
			s, t2 := newSession(t, m, SessionOptions{KV: quant.F32}), newSession(t, m, SessionOptions{KV: quant.F32})
			from := 0
			if i > 0 {
				from = first
				for _, s := range []*Session{s, t2} {
					if err := s.Append(t.Context(), tokens[i:i+from]); err != nil {
						t.Fatal(err)
					}
				}
			}
			batch := tokens[i+from:][:n]
			logits, err := s.Eval(t.Context(), batch)
			if err != nil {
				t.Fatal(err)
			}
			alone = append(alone, logits)
			together[i] = segment{session: t2, tokens: batch, pos: from}
		}
		p, err := m.acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		x, err := p.forward(together...)
		if err != nil {
			t.Fatal(err)
		}
		logits := make([]float32, m.Vocab())
		for i, s := range p.segments {
			last := s.row + len(s.tokens) - 1
			if err := p.logits(logits, row(x, last, m.Arch.Dim), p.positions[last:last+1], ops.Apart); err != nil {
				t.Fatal(err)
			}
			// Float products of one row alone add up in another order, and an expert
			// may have one row of any session.
			if e := testdata.NMSE(logits, alone[i]); e > 1e-11 || i != 1 && m.Arch.Experts == 0 && !slices.Equal(logits, alone[i]) {
				t.Errorf("%s: session %d of %d differs from itself alone, NMSE %g", name, i, len(p.segments), e)
			}
		}
		m.release(p)
	}
}

// TestClose: a close waits for the calls in progress, and later ones are
// refused, those of variants too.
func TestClose(t *testing.T) {
	m := open(t, "archs/gpt2.gguf", Options{Threads: 1})
	v, err := m.Variant(t.Context(), Options{Norm: RMSNaive})
	if err != nil {
		t.Fatal(err)
	}
	s, own := newSession(t, v, SessionOptions{}), newSession(t, m, SessionOptions{})
	inside, closed := make(chan bool), make(chan error)
	ended := false
	go func() {
		<-inside
		err := m.Close()
		if !ended {
			t.Error("the model was closed during an evaluation")
		}
		closed <- err
	}()
	err = s.EvalAll(t.Context(), testdata.Tokens(), func(i int, _ []float32) error {
		if i == 0 {
			inside <- true
		}
		ended = i == len(testdata.Tokens())-1
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	for name, call := range map[string]func() error{
		"Eval":         func() error { _, err := own.Eval(t.Context(), []int32{1}); return err },
		"variant":      func() error { _, err := s.Eval(t.Context(), []int32{1}); return err },
		"NewSession":   func() error { _, err := m.NewSession(SessionOptions{}); return err },
		"its variants": func() error { _, err := v.NewSession(SessionOptions{}); return err },
		"Variant":      func() error { _, err := m.Variant(context.Background(), Options{}); return err },
		"MeanRatios":   func() error { _, err := m.MeanRatios(t.Context(), []int32{1}); return err },
	} {
		if err := call(); !errors.Is(err, ErrClosed) {
			t.Errorf("%s after Close: %v", name, err)
		}
	}
	if err := errors.Join(m.Close(), v.Close()); err != nil {
		t.Errorf("closed again: %v", err)
	}
}
