package engine

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/normswap/normswap/tokenizer"
)

// A Logprob is the natural logarithm of the probability of a token.
type Logprob struct {
	ID      int32
	Logprob float64
}

// LogSumExp returns the logarithm of the sum of the exponentials of logits: a
// logit less that is the logarithm of a probability.
func LogSumExp(logits []float32) float64 {
	top := float64(slices.Max(logits))
	var sum float64
	for _, v := range logits {
		sum += math.Exp(float64(v) - top)
	}
	return top + math.Log(sum)
}

// TopLogprobs appends to dst the n most likely tokens, the most likely first. Ties
// go to the lower id.
func TopLogprobs(dst []Logprob, logits []float32, n int) []Logprob {
	norm, first := LogSumExp(logits), len(dst)
	if n <= 0 {
		return dst
	}
	for id, v := range logits {
		p := Logprob{int32(id), float64(v) - norm}
		best := dst[first:]
		if len(best) == n && p.Logprob <= best[n-1].Logprob {
			continue
		}
		at, _ := slices.BinarySearchFunc(best, p.Logprob, func(x Logprob, v float64) int {
			if x.Logprob >= v {
				return -1
			}
			return 1
		})
		if len(best) == n {
			dst = dst[:len(dst)-1]
		}
		dst = slices.Insert(dst, first+at, p)
	}
	return dst
}

// A Score is what a model predicted where a token stands.
type Score struct {
	Logprob
	Top []Logprob // the most likely tokens there, in order
}

// Logprobs appends tokens to the timeline and returns the scores of all of them
// but the first, each with the top most likely tokens. The scores do not depend on
// what runs beside.
func (s *Session) Logprobs(ctx context.Context, tokens []int32, top int) ([]Score, error) {
	scores := make([]Score, 0, max(0, len(tokens)-1))
	err := s.EvalAll(ctx, tokens, func(i int, logits []float32) error {
		if i+1 < len(tokens) {
			scores = append(scores, ScoreOf(logits, tokens[i+1], top))
		}
		return nil
	})
	return scores, err
}

// ScoreOf returns the score of a token that follows logits, with the top most likely
// ones.
func ScoreOf(logits []float32, id int32, top int) Score {
	return Score{Logprob{id, float64(logits[id]) - LogSumExp(logits)}, TopLogprobs(nil, logits, top)}
}

// ContinuationTokens returns the ids of a text and of what continues it: those of
// both in one, cut behind as many as the text has alone, as lm-evaluation-harness
// does. Spaces at the end of the text belong to what continues it.
func (m *Model) ContinuationTokens(text, continuation string) (prefix, rest []int32, err error) {
	if m.tokErr != nil {
		return nil, nil, m.tokErr
	}
	whole := text + continuation
	text = strings.TrimRight(text, " ")
	o := tokenizer.EncodeOptions{AddSpecial: true, Continued: true}
	if prefix, err = m.tok.Encode(text, o); err != nil {
		return nil, nil, fmt.Errorf("engine: %w", err)
	}
	ids, err := m.tok.Encode(whole, o)
	if err != nil {
		return nil, nil, fmt.Errorf("engine: %w", err)
	}
	at := min(len(prefix), len(ids))
	return ids[:at], ids[at:], nil
}

// A Continuation says how likely a text is behind another.
type Continuation struct {
	Logprob float64 // the sum over its tokens
	Greedy  bool    // each of its tokens is the most likely one
}

// Score returns how likely each of the continuations is behind a prefix, which is
// evaluated once. Afterwards the timeline is the prefix with the last
// continuation.
func (s *Session) Score(ctx context.Context, prefix []int32, continuations [][]int32) ([]Continuation, error) {
	if len(prefix) == 0 {
		return nil, fmt.Errorf("engine: no tokens before the continuations")
	}
	last := len(prefix) - 1
	s.Truncate(0)
	if last > 0 {
		if err := s.evaluate(ctx, prefix[:last], wayOf(prefix), 0); err != nil {
			return nil, err
		}
	}
	var list []Continuation
	for i, c := range continuations {
		if len(c) == 0 {
			return nil, fmt.Errorf("engine: continuation %d has no tokens", i)
		}
		s.Truncate(last)
		scores, err := s.Logprobs(ctx, slices.Concat(prefix[last:], c), 1)
		if err != nil {
			return nil, err
		}
		sum := Continuation{Greedy: true}
		for _, t := range scores {
			sum.Logprob += t.Logprob.Logprob
			sum.Greedy = sum.Greedy && cmp.Compare(t.Logprob.Logprob, t.Top[0].Logprob) == 0
		}
		list = append(list, sum)
	}
	return list, nil
}
