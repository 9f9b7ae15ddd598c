package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/normswap/normswap/internal/testdata"
	"github.com/normswap/normswap/internal/toy"
	"github.com/normswap/normswap/internal/toytest"
	"github.com/normswap/normswap/quant"
)

// A story is what a session is to do: a prompt, and a seed for what follows.
type story struct {
	prompt []int32
	seed   uint64
}

// stories have prompts of all lengths; some begin alike.
func stories(n int) (list []story) {
	tokens := testdata.Tokens()
	for i := range n {
		from := i % 3
		list = append(list, story{tokens[from:][:1+(7*i)%(len(tokens)-from-12)], uint64(i)})
	}
	return list
}

// tell generates a story and returns all logits that it was drawn from.
func (o story) tell(ctx context.Context, s *Session, tokens int, guess ...*Speculation) (seen [][]float32, err error) {
	g := GenerateOptions{Max: tokens, IgnoreEOG: true, Sample: SampleOptions{Temperature: float64(o.seed % 2), Seed: o.seed}}
	if len(guess) > 0 {
		g.Speculation = guess[0]
	}
	g.Process = func(logits []float32, _ []int32) { seen = append(seen, slices.Clone(logits)) }
	for _, err := range s.Generate(ctx, o.prompt, g) {
		if err != nil {
			return nil, err
		}
	}
	return seen, nil
}

// TestSharedPasses: sessions that generate at once, while others are forked and
// cancelled, get the logits, to the last bit, that each gets alone: all
// architectures, norm modes, and types of weights.
func TestSharedPasses(t *testing.T) {
	for _, folder := range []string{"archs", "quantized"} {
		for _, name := range testdata.Fixtures(t, folder) {
			for _, mode := range []NormMode{Native, RMSFolded, RMSNaive} {
				if testing.Short() && mode != Native {
					continue
				}
				o := Options{Threads: 2, Norm: mode}
				m, err := Open(t.Context(), testdata.Path(t, name), o)
				if err != nil && mode == RMSFolded {
					continue // it has no LayerNorm, or none that can be folded
				}
				if err != nil {
					t.Fatal(err)
				}
				if !m.Arch.Spec.Encoder {
					testShared(t, fmt.Sprintf("%s %s", name, mode), m)
				}
				if err := m.Close(); err != nil {
					t.Error(err)
				}
			}
		}
	}
}

func testShared(t *testing.T, name string, m *Model) {
	const tokens = 5
	list := stories(6)
	o := SessionOptions{Context: 64, KV: quant.F16}
	var want [][][]float32
	for _, story := range list {
		seen, err := story.tell(t.Context(), newSession(t, m, o), tokens)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		want = append(want, seen)
	}
	var wg sync.WaitGroup
	for i, story := range list {
		s := newSession(t, m, o)
		if i%2 == 1 { // a fork of a session that goes on
			base := newSession(t, m, o)
			if _, _, err := base.Sync(t.Context(), story.prompt); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			var err error
			if s, err = base.Fork(); err != nil {
				t.Fatal(err)
			}
			wg.Go(func() {
				if _, err := story.tell(t.Context(), base, tokens); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
		wg.Go(func() {
			var guess []*Speculation
			if i%3 == 1 {
				guess = []*Speculation{{Lookup: true, always: true}}
			}
			seen, err := story.tell(t.Context(), s, tokens, guess...)
			if err != nil || !slices.EqualFunc(seen, want[i], slices.Equal) {
				t.Errorf("%s: session %d of %d differs from itself alone (%v)", name, i, len(list), err)
			}
		})
		cancelled := newSession(t, m, o)
		ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*100*time.Microsecond)
		wg.Go(func() {
			defer cancel()
			if _, err := story.tell(ctx, cancelled, tokens); err != nil && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v", name, err)
			}
			seen, err := story.tell(t.Context(), cancelled, tokens)
			if err != nil || !slices.EqualFunc(seen, want[i], slices.Equal) {
				t.Errorf("%s: session %d of %d, cancelled before, differs from itself alone (%v)", name, i, len(list), err)
			}
		})
	}
	wg.Wait()
}

// TestLongPrompts: prompts of many passes beside each other and beside single
// tokens, with weights of floats and of integers, in caches of several blocks.
func TestLongPrompts(t *testing.T) {
	for _, typ := range []string{"F32", "Q8_0"} {
		shape := toy.Tiny("gptneox", nil)
		shape.Context = 1024
		m, err := Load(t.Context(), toytest.Parse(t, toytest.Bytes(t, shape, typ, 1)), Options{Threads: 2})
		if err != nil {
			t.Fatal(err)
		}
		var list []story
		for i, n := range []int{700, 258, 257, 3, 1, 300} {
			rng := rand.New(rand.NewPCG(uint64(i/2), 0)) // pairs begin alike
			o := story{seed: uint64(i)}
			for range n {
				o.prompt = append(o.prompt, rng.Int32N(128))
			}
			list = append(list, o)
		}
		var want [][][]float32
		for _, o := range list {
			seen, err := o.tell(t.Context(), newSession(t, m, SessionOptions{}), 9)
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, seen)
		}
		var wg sync.WaitGroup
		for i, o := range list {
			wg.Go(func() {
				seen, err := o.tell(t.Context(), newSession(t, m, SessionOptions{}), 9)
				if err != nil || !slices.EqualFunc(seen, want[i], slices.Equal) {
					t.Errorf("%s: prompt %d differs from itself alone (%v)", typ, i, err)
				}
			})
		}
		wg.Wait()
		// A prefix that is there already changes nothing.
		s := newSession(t, m, SessionOptions{})
		for i, o := range list {
			f, err := s.Fork()
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range []*Session{s, f} {
				seen, err := o.tell(t.Context(), s, 9)
				if err != nil || !slices.EqualFunc(seen, want[i], slices.Equal) {
					t.Errorf("%s: prompt %d differs behind another (%v)", typ, i, err)
				}
			}
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestPanicInPass: a pass that panics leaves no caller waiting.
func TestPanicInPass(t *testing.T) {
	m := open(t, "archs/gpt2.gguf", Options{Threads: 1})
	bad := newSession(t, m, SessionOptions{})
	bad.kv = nil
	func() {
		defer func() { _ = recover() }()
		_, _ = bad.Eval(t.Context(), []int32{1})
		t.Error("no panic")
	}()
	if _, err := newSession(t, m, SessionOptions{}).Eval(t.Context(), []int32{1}); err != nil {
		t.Error(err)
	}
}
