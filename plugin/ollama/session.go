package ollama

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/ollama/ollama/ml"
	"github.com/ollama/ollama/model"
	"github.com/ollama/ollama/model/input"
	"github.com/ollama/ollama/tokenizer"
)

// A Session is one timeline of tokens of a model.
type Session struct {
	m     Model
	vocab int
	n     int // tokens so far
}

// NewSession makes room for so many tokens, in batches of any length. A model
// has one cache, and so one session.
func NewSession(m Model, room int) (*Session, error) {
	b, o := m.Backend(), m.options()
	if limit := int(b.Config().Uint("context_length")); room < 1 || room > limit {
		return nil, fmt.Errorf("ollama: room for %d tokens, and the model's context is %d", room, limit)
	}
	if o.room != 0 {
		return nil, errors.New("ollama: the model has its session")
	}
	o.room = room
	m.Config().Cache.Init(b, ml.DTypeF32, 1, room, room)
	return &Session{m: m, vocab: b.Get("token_embd.weight").Dim(1)}, nil
}

// Eval appends tokens to the timeline and returns the logits of the last one,
// or of all of them, one after the other.
func (s *Session) Eval(ctx context.Context, tokens []int32, all bool) ([]float32, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	n := len(tokens)
	if room := s.m.options().room; n == 0 || s.n+n > room {
		return nil, fmt.Errorf("ollama: %d tokens after %d, and there is room for %d", n, s.n, room)
	}
	positions, outputs := make([]int32, n), []int32{}
	for i, t := range tokens {
		if t < 0 || int(t) >= s.vocab {
			return nil, fmt.Errorf("ollama: token %d of a vocabulary of %d", t, s.vocab) // ggml would abort
		}
		positions[i] = int32(s.n + i)
		if all || i == n-1 {
			outputs = append(outputs, int32(i))
		}
	}
	graph := s.m.Backend().NewContext()
	defer graph.Close()
	graph.SetBatchSize(n)
	logits, err := model.Forward(graph, s.m, input.Batch{
		Inputs:    graph.Input().FromInts(tokens, n),
		Outputs:   graph.Input().FromInts(outputs, len(outputs)),
		Positions: positions,
		Sequences: make([]int, n),
	})
	if err != nil {
		return nil, fmt.Errorf("ollama: %w", err)
	}
	graph.Compute(logits)
	s.n += n
	return logits.Floats(), nil
}

// Generate appends a prompt to the timeline and calls emit with each piece of
// the most likely continuation, n tokens at most.
func (s *Session) Generate(ctx context.Context, prompt string, n int, emit func(piece string)) error {
	next, err := s.m.Encode(prompt, true)
	if err != nil {
		return err
	}
	for range n {
		logits, err := s.Eval(ctx, next, false)
		if err != nil {
			return err
		}
		best := int32(0)
		for i, l := range logits {
			if l > logits[best] {
				best = int32(i)
			}
		}
		if s.m.Is(best, tokenizer.SpecialEOS) {
			return nil
		}
		next = []int32{best}
		piece, err := s.m.Decode(next)
		if err != nil {
			return fmt.Errorf("ollama: %w", err)
		}
		emit(piece)
	}
	return nil
}

// Reset makes the timeline empty.
func (s *Session) Reset() error {
	s.n = 0
	return s.m.Config().Cache.Remove(0, 0, math.MaxInt32)
}
