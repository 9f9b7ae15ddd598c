package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/quant"
)

// A Test is what llama-bench measures: the speed of Prompt tokens at once
// (pp), or of Gen tokens one after the other (tg), with Depth tokens in the
// cache before. One of Prompt and Gen is 0. With Sessions it is what
// llama-batched-bench measures: so many sessions at once generate Gen tokens each,
// greedily, behind Depth tokens of their own.
type Test struct{ Prompt, Gen, Depth, Sessions int }

// Name returns llama-bench's name of the test, such as "pp512" and
// "tg128 @ d1024", or "tg128 x 8" with eight sessions.
func (t Test) Name() string {
	name := fmt.Sprintf("pp%d", t.Prompt)
	if t.Prompt == 0 {
		name = fmt.Sprintf("tg%d", t.Gen)
	}
	if t.Sessions > 0 {
		name += fmt.Sprintf(" x %d", t.Sessions)
	}
	if t.Depth > 0 {
		name += fmt.Sprintf(" @ d%d", t.Depth)
	}
	return name
}

// Tokens returns the number of tokens whose time is measured.
func (t Test) Tokens() int { return (t.Prompt + t.Gen) * max(1, t.Sessions) }

// Single reports whether the test generates with one session alone.
func (t Test) Single() bool { return t.Gen > 0 && t.Sessions == 0 }

// Tests returns the tests that lists of numbers ask for. Zeros ask for none. Tests
// of generating are for each number of sessions, if there are any.
func Tests(prompts, gens, depths, sessions []int) (tests []Test) {
	if len(sessions) == 0 {
		sessions = []int{0}
	}
	for _, d := range depths {
		for _, n := range prompts {
			if n > 0 {
				tests = append(tests, Test{Prompt: n, Depth: d})
			}
		}
		for _, n := range gens {
			for _, s := range sessions {
				if n > 0 {
					tests = append(tests, Test{Gen: n, Depth: d, Sessions: s})
				}
			}
		}
	}
	return tests
}

// A Runner runs one test on one model.
type Runner struct {
	test     Test
	sessions []*engine.Session
	tokens   []int32  // of all sessions after one another
	reading  *reading // of the weights; nil before ReadSpeed
}

func newRandom(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

// warmGen is how many tokens a warm-up generates at most.
const warmGen = 8

// NewRunner prepares a test with random tokens, the same for every model of
// the same vocabulary, fills the cache to its depth and warms up.
func NewRunner(ctx context.Context, m *engine.Model, t Test, kv quant.Type) (*Runner, error) {
	n := t.Depth + t.Prompt + t.Gen
	r := &Runner{test: t, tokens: make([]int32, n*max(1, t.Sessions))}
	random := newRandom(1)
	for i := range r.tokens {
		r.tokens[i] = random.Int32N(int32(m.Vocab()))
	}
	for i := range max(1, t.Sessions) {
		s, err := m.NewSession(engine.SessionOptions{Context: n, KV: kv})
		if err != nil {
			return nil, err
		}
		r.sessions = append(r.sessions, s)
		if t.Depth > 0 {
			if err := s.Append(ctx, r.tokens[i*n:][:t.Depth]); err != nil {
				return nil, err
			}
		}
	}
	return r, r.run(ctx, min(t.Gen, warmGen))
}

func (r *Runner) model() *engine.Model { return r.sessions[0].Model() }

// Run runs the test once and returns tokens per second.
func (r *Runner) Run(ctx context.Context) (float64, error) {
	start := time.Now()
	err := r.run(ctx, r.test.Gen)
	return float64(r.test.Tokens()) / time.Since(start).Seconds(), err
}

func (r *Runner) run(ctx context.Context, gen int) error {
	if r.test.Sessions > 0 {
		return r.together(ctx, gen)
	}
	s := r.sessions[0]
	s.Truncate(r.test.Depth)
	tokens := r.tokens[r.test.Depth:]
	if r.test.Prompt > 0 {
		_, err := s.Eval(ctx, tokens)
		return err
	}
	for i := range gen {
		if _, err := s.Eval(ctx, tokens[i:i+1]); err != nil {
			return err
		}
	}
	return nil
}

// together has all sessions generate at once. The first token of each comes from
// one that is evaluated, so that each evaluates as many tokens as it generates.
func (r *Runner) together(ctx context.Context, gen int) error {
	n := len(r.tokens) / len(r.sessions)
	errs := make([]error, len(r.sessions))
	var wg sync.WaitGroup
	for i, s := range r.sessions {
		wg.Go(func() {
			prompt := r.tokens[i*n:][:r.test.Depth+1]
			for _, err := range s.Generate(ctx, prompt, engine.GenerateOptions{Max: gen, IgnoreEOG: true}) {
				errs[i] = err
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// Interleave runs variants 0 to n-1 in turn, rounds times, so that a machine
// that gets slower or faster does so for all of them, and returns what run
// returned, by variant and round. Each round begins with another variant.
func Interleave(rounds, n int, run func(variant int) (float64, error)) ([][]float64, error) {
	values := make([][]float64, n)
	for round := range rounds {
		for i := range n {
			variant := (round + i) % n
			v, err := run(variant)
			if err != nil {
				return nil, err
			}
			values[variant] = append(values[variant], v)
		}
	}
	return values, nil
}

// Profile runs the test that many times and adds up what the operations took.
func (r *Runner) Profile(ctx context.Context, runs int) (*Profile, error) {
	p := &Profile{Runs: runs}
	r.model().Observe(p.Add)
	defer r.model().Observe(nil)
	start := time.Now()
	for range runs {
		if err := r.run(ctx, r.test.Gen); err != nil {
			return nil, err
		}
	}
	p.Elapsed = time.Since(start)
	return p, nil
}
