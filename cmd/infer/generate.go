package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/normswap/normswap/chat"
	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/tokenizer"
)

// A generator continues texts with one model.
type generator struct {
	*runFlags
	model    *engine.Model
	session  *engine.Session  // made with the first prompt
	voices   map[string]voice // with the norms before, by their form
	tok      *tokenizer.Tokenizer
	layout   *chat.Template // of a chat
	loadTime float64        // seconds

	draft    *engine.Model       // that guesses; nil: none
	guesses  *engine.Speculation // of the session guessed for
	guessFor *engine.Session

	bar    *bar                               // of the prompt that is being read
	about  string                             // a line about the model, to be printed once
	echo   bool                               // the prompt belongs to the text that is printed
	enough func(tokens int, text string) bool // ends a text; nil: never
}

func newGenerator(o *runFlags, m *engine.Model) (*generator, error) {
	g := &generator{runFlags: o, model: m, voices: map[string]voice{}}
	var err error
	if g.tok, err = m.Tokenizer(); err != nil {
		return nil, fmt.Errorf("%w; without it the model runs on token ids alone (infer logits)", err)
	}
	for _, w := range g.tok.Warnings() {
		note("warning: %s", w)
	}
	if o.chat {
		g.layout, err = templateOf(g.tok, o.template)
		err = templateAdvice(err)
	}
	return g, err
}

// encode returns the tokens of a prompt. An empty one is the token that
// begins a text.
func (g *generator) encode(ctx context.Context, prompt string, pieces []chat.Piece) ([]int32, error) {
	if g.chat {
		ids, err := encodePieces(ctx, g.tok, pieces)
		if err == nil && len(ids) == 0 {
			err = errors.New("the chat template gives no text for this conversation")
		}
		return ids, err
	}
	if g.ids != nil {
		return g.ids, nil
	}
	ids, err := g.tok.Encode(prompt, tokenizer.EncodeOptions{AddSpecial: true, ParseSpecial: true, Continued: true})
	if len(ids) > 0 {
		err = leftOut(err)
	}
	if err != nil {
		return nil, fmt.Errorf("the prompt: %w", err)
	}
	if g.tok.DoubledBOS(ids) {
		note("warning: the prompt begins with the token that begins a text, and the model gets it once more")
	}
	if len(ids) == 0 {
		bos, ok := g.tok.BOS()
		if !ok {
			return nil, errors.New("the prompt is empty, and the model has no token that begins a text; give a prompt with -p")
		}
		ids = append(ids, bos)
	}
	return ids, nil
}

// prefill brings the session to where only a last batch of ids is missing,
// and returns how many ids it had from before.
func (g *generator) prefill(ctx context.Context, ids []int32) (kept int, err error) {
	if g.session == nil {
		if g.session, err = g.newSession(g.model, len(ids)+max(g.limit, 0)); err != nil {
			return 0, err
		}
		if g.promptCache != "" {
			if err := restoreState(ctx, g.promptCache, g.session); err != nil {
				return 0, err
			}
		}
	}
	s := g.session
	if len(ids) > s.Max() {
		advice := "shorten it or raise --ctx"
		if g.model.Arch.Positions != nil && s.Max() == g.model.Context() {
			advice = "which is all that the model has positions for; shorten it"
		}
		return 0, fmt.Errorf("the prompt has %d tokens, and the context has room for %d; %s", len(ids), s.Max(), advice)
	}
	for _, id := range s.Tokens() {
		if kept == len(ids)-1 || id != ids[kept] {
			break
		}
		kept++
	}
	s.Truncate(kept)
	const batch = 512
	g.bar = newBar("reading the prompt", int64(len(ids)-kept), "tokens")
	for len(ids)-s.Len() > batch {
		if err := s.Append(ctx, ids[s.Len():s.Len()+batch]); err != nil {
			g.bar.done()
			return 0, err
		}
		g.bar.add(batch)
	}
	return kept, nil
}

// generate continues a prompt, or the pieces of a chat, and streams the text to
// stdout, unless that is for JSON. When ctx is cancelled the result is what
// there is so far.
func (g *generator) generate(ctx context.Context, prompt string, pieces []chat.Piece) (*result, error) {
	out := &stream{w: newScreen(stdout), trim: g.chat || prompt == ""}
	if g.json {
		out.w = io.Discard
	}
	ids, err := await(ctx, func() ([]int32, error) { return g.encode(ctx, prompt, pieces) })
	if err != nil {
		return nil, err
	}
	start := time.Now()
	kept, err := g.prefill(ctx, ids)
	if err != nil {
		return nil, err
	}
	if g.about != "" {
		note("%s", g.about)
		g.about = ""
	}
	r := &result{Prompt: prompt, Tokens: []int32{}, PromptTokens: len(ids), KeptTokens: kept, Stop: "end",
		Threads: g.model.Threads(), LoadSeconds: g.loadTime}
	if g.sample.Temperature > 0 && g.limit != 0 {
		r.Seed = &g.sample.Seed
	}
	if g.limit == 0 {
		_, _, err = g.session.Sync(ctx, ids)
		g.bar.done()
		r.PrefillSeconds = since(start)
	} else {
		err = g.decode(ctx, ids, start, r, out)
	}
	if errors.Is(err, context.Canceled) && len(r.Tokens) > 0 {
		r.Stop, err = "interrupt", nil
	}
	if err != nil {
		out.end()
		return nil, err
	}
	r.finish(out.text.String(), g)
	if g.promptCache != "" && kept < len(ids)-1 {
		if err := saveState(context.WithoutCancel(ctx), g.promptCache, g.session, len(ids)); err != nil {
			return nil, errors.Join(err, out.end())
		}
	}
	return r, out.end()
}

// decode draws the tokens that follow ids, which it began to read at start.
func (g *generator) decode(ctx context.Context, ids []int32, start time.Time, r *result, out *stream) error {
	words := g.tok.NewDecoder()
	var first time.Time // when the first token was there, or that there is none
	read := func() {
		g.bar.done()
		first = time.Now()
		r.PrefillSeconds = first.Sub(start).Seconds()
	}
	defer func() {
		if first.IsZero() {
			read()
		}
		r.DecodeSeconds = since(first)
	}()
	if g.guessFor != g.session {
		var err error
		if g.guesses, err = g.guess.speculation(g.draft, g.session, &g.modelFlags); err != nil {
			return err
		}
		g.guessFor = g.session
	}
	o := engine.GenerateOptions{Max: max(g.limit, 0), Sample: g.sample, Speculation: g.guesses}
	for id, err := range g.session.Generate(ctx, ids, o) {
		if err != nil {
			return err
		}
		if first.IsZero() {
			read()
			if g.echo {
				out.print(r.Prompt)
			}
		}
		r.Tokens = append(r.Tokens, id)
		out.write(words.Push(id))
		if out.err != nil {
			return out.err
		}
		if g.enough != nil && g.enough(len(r.Tokens), out.text.String()) {
			r.Stop = "enough"
			break
		}
	}
	out.write(words.Flush())
	return out.err
}

// A stream is text on its way out.
type stream struct {
	w    io.Writer
	trim bool // a space at the beginning is none of the text
	text strings.Builder
	err  error
}

func (s *stream) write(text string) {
	if s.trim && text != "" {
		text, s.trim = strings.TrimPrefix(text, " "), false
	}
	s.text.WriteString(text)
	s.print(text)
}

// print writes what does not belong to the text.
func (s *stream) print(text string) {
	if s.err == nil && text != "" {
		_, s.err = io.WriteString(s.w, text)
	}
}

// end ends the last line.
func (s *stream) end() error {
	if t := s.text.String(); t != "" && !strings.HasSuffix(t, "\n") && s.err == nil {
		_, s.err = io.WriteString(s.w, "\n")
	}
	if w, ok := s.w.(*screen); ok && s.err == nil {
		s.err = w.Flush()
	}
	return s.err
}
