package serve

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/tokenizer"
)

type completionRequest struct {
	sampling
	Prompt    json.RawMessage `json:"prompt"`
	MaxTokens *int            `json:"max_tokens"`
	Logprobs  *int            `json:"logprobs"`
	Echo      bool            `json:"echo"`
	Suffix    *string         `json:"suffix"`
	BestOf    *int            `json:"best_of"`
}

type usage struct {
	Prompt     int `json:"prompt_tokens"`
	Completion int `json:"completion_tokens"`
	Total      int `json:"total_tokens"`
}

// logprobs is the older form, a list for each thing, which lm-evaluation-harness
// reads.
type logprobs struct {
	Tokens        []string             `json:"tokens"`
	TokenLogprobs []*float64           `json:"token_logprobs"`
	TopLogprobs   []map[string]float64 `json:"top_logprobs"`
	TextOffset    []int                `json:"text_offset"` // in characters
	offset        int
}

type completionChoice struct {
	Index    int       `json:"index"`
	Text     string    `json:"text"`
	Logprobs *logprobs `json:"logprobs"`
	Reason   *string   `json:"finish_reason"`
}

// completionOf is the answer of both kinds of completions, or a part of it in a stream.
type completionOf[Choice any] struct {
	ID      string   `json:"id"`
	Object  string   `json:"object"`
	Created int64    `json:"created"`
	Model   string   `json:"model"`
	Choices []Choice `json:"choices"`
	Usage   *usage   `json:"usage,omitempty"`
}

type completionAnswer = completionOf[completionChoice]

// add appends the entry of a token; score is nil for the first of a prompt.
func (l *logprobs) add(s *Server, id int32, score *engine.Score) {
	text := s.piece(id)
	l.Tokens, l.TextOffset = append(l.Tokens, text), append(l.TextOffset, l.offset)
	l.offset += utf8.RuneCountInString(text)
	if score == nil {
		l.TokenLogprobs, l.TopLogprobs = append(l.TokenLogprobs, nil), append(l.TopLogprobs, nil)
		return
	}
	top := map[string]float64{}
	for _, t := range score.Top {
		if _, ok := top[s.piece(t.ID)]; !ok { // two tokens may have one text: the more likely one counts
			top[s.piece(t.ID)] = finite(t.Logprob)
		}
	}
	v := finite(score.Logprob.Logprob)
	l.TokenLogprobs, l.TopLogprobs = append(l.TokenLogprobs, &v), append(l.TopLogprobs, top)
}

// finite is a number that JSON can write: the probability 0 is very unlikely.
func finite(v float64) float64 { return max(v, -1e30) }

// piece is the text of a token, or its number where there is no vocabulary.
func (s *Server) piece(id int32) string {
	if s.tokErr != nil {
		return fmt.Sprint(id)
	}
	return s.tok.Piece(id)
}

// prompts reads a prompt: a string, strings, ids, or lists of ids.
func (s *Server) prompts(ctx context.Context, raw json.RawMessage, field string, o tokenizer.EncodeOptions) ([][]int32, error) {
	var ids []int32
	var lists [][]int32
	if texts, err := stringOrList(raw, field); err == nil && len(texts) > 0 {
		for _, text := range texts {
			ids, err := s.encode(ctx, text, o)
			if err != nil {
				return nil, err
			}
			if s.tok.AddBOS() || len(ids) > 0 || !o.Continued {
				lists = append(lists, ids)
			} else if bos, ok := s.tok.BOS(); ok {
				lists = append(lists, []int32{bos})
			} else {
				return nil, badRequest(field, "the %s is empty, and the model has no token that begins a text", field)
			}
		}
	} else if json.Unmarshal(raw, &ids) == nil && len(ids) > 0 {
		lists = [][]int32{ids}
	} else if json.Unmarshal(raw, &lists) != nil || len(lists) == 0 {
		return nil, badRequest(field, "%s is missing, or neither a string, strings, token ids nor lists of token ids", field)
	}
	if len(lists) > maxPrompts {
		return nil, badRequest(field, "%d prompts, more than %d", len(lists), maxPrompts)
	}
	return lists, nil
}

func (s *Server) completions(w http.ResponseWriter, r *http.Request) error {
	var o completionRequest
	if err := read(r, &o); err != nil {
		return err
	}
	ctx := r.Context()
	switch {
	case o.Suffix != nil && *o.Suffix != "":
		return badRequest("suffix", "suffix is not supported")
	case o.BestOf != nil && *o.BestOf > 1:
		return badRequest("best_of", "best_of above 1 is not supported")
	case o.Logprobs != nil && (*o.Logprobs < 0 || *o.Logprobs > maxTop):
		return badRequest("logprobs", "logprobs is %d, want a number from 0 to %d", *o.Logprobs, maxTop)
	case o.MaxTokens != nil && *o.MaxTokens < 0:
		return badRequest("max_tokens", "max_tokens is %d, want 0 or more", *o.MaxTokens)
	}
	v, err := s.named(ctx, o.Model)
	if err != nil {
		return err
	}
	base, err := s.job(v.model, &o.sampling)
	if err != nil {
		return err
	}
	if base.max = 16; o.MaxTokens != nil { // as OpenAI has it
		base.max = *o.MaxTokens
	}
	if base.echo = o.Echo; o.Logprobs != nil {
		base.top = *o.Logprobs
	}
	prompts, err := s.prompts(ctx, o.Prompt, "prompt", tokenizer.EncodeOptions{AddSpecial: true, ParseSpecial: true, Continued: true})
	if err != nil {
		return err
	}
	n := 1
	if o.N != nil {
		n = *o.N
	}
	if len(prompts)*n > maxPrompts {
		return badRequest("n", "%d texts, more than %d", len(prompts)*n, maxPrompts)
	}
	all := completionAnswer{ID: newID("cmpl"), Object: "text_completion", Created: time.Now().Unix(), Model: v.name, Choices: make([]completionChoice, len(prompts)*n)}
	send := func(choice completionChoice) error {
		part := all
		part.Choices = []completionChoice{choice}
		return w.(*answer).event(part)
	}
	run := func(ctx context.Context, i int, locked func(func() error) error) (ending, error) {
		j := *base
		j.prompt, j.sample.Seed = prompts[i/n], base.sample.Seed+uint64(i%n)
		choice := &all.Choices[i]
		choice.Index = i
		offset := 0
		fresh := func() *logprobs {
			if j.top < 0 {
				return nil
			}
			return &logprobs{offset: offset}
		}
		choice.Logprobs = fresh()
		begin := func(scores []engine.Score) error {
			if !j.echo {
				return nil
			}
			if s.tokErr == nil {
				choice.Text = s.tok.Decode(j.prompt)
			}
			if j.top >= 0 {
				for k, id := range j.prompt {
					if k == 0 {
						choice.Logprobs.add(s, id, nil)
					} else {
						choice.Logprobs.add(s, id, &scores[k-1])
					}
				}
				offset = choice.Logprobs.offset
			}
			if o.Stream {
				return locked(func() error { return send(*choice) })
			}
			return nil
		}
		e, err := s.run(ctx, &j, begin, func(p piece) error {
			if !o.Stream {
				choice.Text += p.text
				if p.token != nil {
					choice.Logprobs.add(s, p.id, p.token)
				}
				return nil
			}
			part := completionChoice{Index: i, Text: p.text, Logprobs: fresh()}
			if p.token != nil {
				part.Logprobs.add(s, p.id, p.token)
				offset = part.Logprobs.offset
			} else if p.text == "" {
				return nil
			}
			return locked(func() error { return send(part) })
		})
		if err != nil {
			return e, err
		}
		choice.Reason = &e.reason
		if o.Stream {
			return e, locked(func() error { return send(completionChoice{Index: i, Reason: &e.reason}) })
		}
		return e, nil
	}
	generated, err := s.each(ctx, len(all.Choices), run)
	if err != nil {
		return err
	}
	all.Usage = &usage{Completion: generated}
	for _, p := range prompts {
		all.Usage.Prompt += len(p)
	}
	all.Usage.Total = all.Usage.Prompt + generated
	if !o.Stream {
		return write(w, all)
	}
	all.Choices = []completionChoice{}
	return finishStream(w.(*answer), o.StreamOptions.IncludeUsage, all)
}

// finishStream ends a stream, with the usage if that is wanted.
func finishStream(a *answer, withUsage bool, last any) error {
	if withUsage {
		if err := a.event(last); err != nil {
			return err
		}
	}
	return a.data([]byte("[DONE]"))
}

// each runs n texts, as many at once as there are sessions, and returns how many
// tokens were generated. The first error ends all. run calls locked to write.
func (s *Server) each(ctx context.Context, n int, run func(ctx context.Context, i int, locked func(func() error) error) (ending, error)) (generated int, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex
	locked := func(f func() error) error {
		mu.Lock()
		defer mu.Unlock()
		return f()
	}
	var wg sync.WaitGroup
	limit := make(chan struct{}, s.o.Parallel)
	var counted sync.Mutex
	for i := range n {
		limit <- struct{}{}
		wg.Go(func() {
			defer func() { <-limit }()
			e, err := run(ctx, i, locked)
			counted.Lock()
			defer counted.Unlock()
			generated += e.tokens
			if err != nil {
				cancel(err) // the first cause stays
			}
		})
	}
	wg.Wait()
	if err := context.Cause(ctx); err != nil {
		return generated, err
	}
	return generated, nil
}

// newID returns a name for an answer.
func newID(kind string) string { return fmt.Sprintf("%s-%016x", kind, rand.Uint64()) }
