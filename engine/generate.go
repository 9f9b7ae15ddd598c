package engine

import (
	"context"
	"errors"
	"iter"
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
		s.call.again = true
		defer s.model.queue.leave(&s.call)
		logits, _, err := s.Sync(ctx, prompt)
		next := make([]int32, 1)
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
			if next[0], err = sampler.Sample(logits, s.tokens); err != nil {
				yield(0, err)
				return
			}
			if tok := s.model.tok; tok != nil && !o.IgnoreEOG && tok.IsEOG(next[0]) {
				return
			}
			if !yield(next[0], nil) || o.Max > 0 && n+1 == o.Max {
				return
			}
			logits, err = s.Eval(ctx, next)
		}
	}
}
