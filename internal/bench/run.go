package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/quant"
)

// A Test is what llama-bench measures: the speed of Prompt tokens at once
// (pp), or of Gen tokens one after the other (tg), with Depth tokens in the
// cache before. One of Prompt and Gen is 0.
type Test struct{ Prompt, Gen, Depth int }

// Name returns llama-bench's name of the test, such as "pp512" and
// "tg128 @ d1024".
func (t Test) Name() string {
	name := fmt.Sprintf("pp%d", t.Prompt)
	if t.Prompt == 0 {
		name = fmt.Sprintf("tg%d", t.Gen)
	}
	if t.Depth > 0 {
		name += fmt.Sprintf(" @ d%d", t.Depth)
	}
	return name
}

// Tokens returns the number of tokens whose time is measured.
func (t Test) Tokens() int { return t.Prompt + t.Gen }

// Tests returns the tests that lists of numbers ask for. Zeros ask for none.
func Tests(prompts, gens, depths []int) (tests []Test) {
	for _, d := range depths {
		for _, n := range prompts {
			if n > 0 {
				tests = append(tests, Test{Prompt: n, Depth: d})
			}
		}
		for _, n := range gens {
			if n > 0 {
				tests = append(tests, Test{Gen: n, Depth: d})
			}
		}
	}
	return tests
}

// A Runner runs one test on one model.
type Runner struct {
	test    Test
	session *engine.Session
	tokens  []int32
}

func newRandom(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

// warmGen is how many tokens a warm-up generates at most.
const warmGen = 8

// NewRunner prepares a test with random tokens, the same for every model of
// the same vocabulary, fills the cache to its depth and warms up.
func NewRunner(ctx context.Context, m *engine.Model, t Test, kv quant.Type) (*Runner, error) {
	s, err := m.NewSession(engine.SessionOptions{Context: t.Depth + t.Tokens(), KV: kv})
	if err != nil {
		return nil, err
	}
	r := &Runner{test: t, session: s, tokens: make([]int32, t.Depth+t.Tokens())}
	random := newRandom(1)
	for i := range r.tokens {
		r.tokens[i] = random.Int32N(int32(m.Vocab()))
	}
	if t.Depth > 0 {
		if err := s.Append(ctx, r.tokens[:t.Depth]); err != nil {
			return nil, err
		}
	}
	return r, r.run(ctx, min(t.Gen, warmGen))
}

// Run runs the test once and returns tokens per second.
func (r *Runner) Run(ctx context.Context) (float64, error) {
	start := time.Now()
	err := r.run(ctx, r.test.Gen)
	return float64(r.test.Tokens()) / time.Since(start).Seconds(), err
}

func (r *Runner) run(ctx context.Context, gen int) error {
	r.session.Truncate(r.test.Depth)
	tokens := r.tokens[r.test.Depth:]
	if r.test.Prompt > 0 {
		_, err := r.session.Eval(ctx, tokens)
		return err
	}
	for i := range gen {
		if _, err := r.session.Eval(ctx, tokens[i:i+1]); err != nil {
			return err
		}
	}
	return nil
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
	r.session.Model().Observe(p.Add)
	defer r.session.Model().Observe(nil)
	start := time.Now()
	for range runs {
		if err := r.run(ctx, r.test.Gen); err != nil {
			return nil, err
		}
	}
	p.Elapsed = time.Since(start)
	return p, nil
}
