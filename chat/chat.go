// Package chat lays conversations out as models were trained to read them. The
// program in a file (its chat template, in Jinja) runs in a sandbox; what it
// writes is a list of pieces, of which each is the template's own text or
// content: what the messages say. Content never becomes a control token.
package chat

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/normswap/normswap/chat/jinja"
	"github.com/normswap/normswap/tokenizer"
)

// A Piece is a part of a prompt: text of the template, or content.
type Piece = jinja.Piece

// A Template is the program that lays a conversation out. It does not change
// and is safe for concurrent use.
type Template struct {
	name    string
	program *jinja.Template
	tools   *jinja.Template // for a conversation with tools; nil: program
}

// ErrNoTemplate is matched by the error of Of for a file without a template.
var ErrNoTemplate = errors.New("the file has no chat template; it may not be a chat model")

// Of returns the template of the file that a tokenizer is from: its program,
// or the one that it names (Names). Models with a second program for tools
// (tool_use) have that run for a conversation with tools.
func Of(t *tokenizer.Tokenizer) (*Template, error) {
	source := t.ChatTemplate("")
	switch {
	case source == "":
		return nil, fmt.Errorf("chat: %w", ErrNoTemplate)
	case named(source):
		return Named(source)
	}
	tmpl, err := Parse(source)
	if err != nil {
		return nil, err
	}
	if source := t.ChatTemplate("tool_use"); source != "" {
		tools, err := Parse(source)
		if err != nil {
			return nil, err
		}
		tmpl.tools = tools.program
	}
	return tmpl, nil
}

// Parse reads a program. Its error names the line.
func Parse(source string) (*Template, error) {
	program, err := jinja.Parse(source)
	if err != nil {
		return nil, fmt.Errorf("chat: the template: %w", err)
	}
	return &Template{program: program}, nil
}

// Name is the name of a template that Named returned, and otherwise empty.
func (t *Template) Name() string { return t.name }

// Options are what a template may need beside the conversation.
type Options struct {
	// Tokenizer gives the variables bos_token and eos_token, unless the
	// conversation has them. Nil: they are undefined.
	Tokenizer *tokenizer.Tokenizer
	// Now is the time that strftime_now gives. The zero value: time.Now().
	Now time.Time
}

// Render runs the program on a conversation until ctx is cancelled. An error
// is what the program raises, with its line, or matches jinja.ErrLimit if it
// exceeds a bound.
func (t *Template) Render(ctx context.Context, c *Conversation, opt Options) ([]Piece, error) {
	program := t.program
	if v, ok := c.vars.Get("tools"); ok && v != nil && t.tools != nil {
		program = t.tools
	}
	if opt.Now.IsZero() {
		opt.Now = time.Now()
	}
	pieces, err := program.Render(ctx, c.variables(opt.Tokenizer), opt.Now)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("chat: the template: %w", err)
	}
	return pieces, nil
}

// Text is the text of all pieces.
func Text(pieces []Piece) string {
	var b strings.Builder
	for _, p := range pieces {
		b.WriteString(p.Text)
	}
	return b.String()
}

// Encode returns the tokens of a prompt. Control tokens are read in the
// template's own text alone; for all else the pieces count as one text, so
// that words go across their seams. A model that asks for BOS gets one, and
// not a second one if the template writes it. The error may be a
// *tokenizer.UnknownBytesError, with ids.
func Encode(ctx context.Context, t *tokenizer.Tokenizer, pieces []Piece) ([]int32, error) {
	var literal []tokenizer.Range
	at := 0
	for _, p := range pieces {
		if p.Content {
			literal = append(literal, tokenizer.Range{From: at, To: at + len(p.Text)})
		}
		at += len(p.Text)
	}
	ids, err := t.EncodeContext(ctx, Text(pieces), tokenizer.EncodeOptions{ParseSpecial: true, Literal: literal})
	if bos, _ := t.BOS(); t.AddBOS() && ids != nil && (len(ids) == 0 || ids[0] != bos) {
		ids = append([]int32{bos}, ids...)
	}
	return ids, err
}
