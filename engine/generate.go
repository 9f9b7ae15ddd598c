package engine

import (
	"context"
	"errors"
	"iter"

	"github.com/normswap/normswap/ops"
)

// GenerateOptions say how text is continued.
type GenerateOptions struct {
	Max    int // tokens at most; 0: until the end of text or of the context
	Sample SampleOptions
	// Process, if not nil, may change the logits before a token is drawn. recent is
	// the timeline. The slices are valid during the call.
	Process func(logits []float32, recent []int32)
	// IgnoreEOG goes on after a token that ends the generation.
	IgnoreEOG bool
	// Speculation, if not nil, guesses tokens, which changes the time alone.
	Speculation *Speculation
}

// Generate makes the timeline equal prompt, keeping what it shares with the
// present one, and draws the tokens that follow, one at a time. It ends
// after Max tokens, at a token that ends the generation (which is not
// yielded), when the context is full, or with an error: that of ctx when it
// is cancelled. Every token yielded but the last is on the timeline.
func (s *Session) Generate(ctx context.Context, prompt []int32, o GenerateOptions) iter.Seq2[int32, error] {
	return func(yield func(int32, error) bool) {
		sampler, err := NewSampler(o.Sample)
		if err != nil {
			yield(0, err)
			return
		}
		guess, err := o.Speculation.start(s)
		if err != nil {
			yield(0, err)
			return
		}
		s.call.again = true
		defer s.model.queue.leave(&s.call)
		logits, _, err := s.Sync(ctx, prompt)
		next := make([]int32, 1, 1+maxGuess)
		ahead := next[1:] // guesses that follow the timeline, evaluated
		for n := 0; ; n++ {
			if err != nil {
				if n == 0 || !errors.Is(err, ErrContextFull) {
					yield(0, err)
				}
				return
			}
			if o.Max > 0 && n == o.Max {
				return
			}
			if o.Process != nil {
				o.Process(logits, s.tokens)
			}
			id, err2 := sampler.Sample(logits, s.tokens)
			if err2 != nil {
				yield(0, err2)
				return
			}
			if tok := s.model.tok; tok != nil && !o.IgnoreEOG && tok.IsEOG(id) {
				return
			}
			if !yield(id, nil) || o.Max > 0 && n+1 == o.Max {
				return
			}
			if len(ahead) > 0 && ahead[0] == id {
				s.tokens = append(s.tokens, id)
				ahead = ahead[1:]
				logits, err = s.checked(guess.hit())
				continue
			}
			next[0] = id
			if guess == nil {
				logits, err = s.Eval(ctx, next)
				continue
			}
			room := s.max - len(s.tokens) - 1
			if o.Max > 0 {
				room = min(room, o.Max-n-2)
			}
			if ahead, err = guess.next(ctx, next, room, sampler); err == nil {
				logits, err = s.checked(0)
			}
		}
	}
}

// evaluateAhead appends the first of the tokens to the timeline and computes the
// logits of all of them, as if each followed those before it.
func (s *Session) evaluateAhead(ctx context.Context, tokens []int32) error {
	n := len(s.tokens)
	if err := s.evaluate(ctx, tokens, ops.Apart, len(tokens)); err != nil {
		return err
	}
	s.tokens = s.tokens[:n+1]
	return nil
}
