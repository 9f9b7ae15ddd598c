package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/normswap/normswap/corpus"
	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/eval"
	"github.com/normswap/normswap/internal/plain"
	"github.com/normswap/normswap/internal/tales"
	"github.com/normswap/normswap/internal/text"
	"github.com/normswap/normswap/tokenizer"
	"github.com/spf13/cobra"
)

// A source is the text that models are measured on.
type source struct {
	files []string // of -f; none: the text in this program
	ids   choice

	paths []string // of the files
	held  *string  // a text that can be read but once
	name  string

	advice string // where a text of the model is given; empty: with -f
}

func (s *source) add(cmd *cobra.Command) {
	cmd.Flags().StringArrayVarP(&s.files, "file", "f", nil, "a `file` with the text, or a folder or pattern of such, compressed or not; -: stdin; -f again for more (default: fairy tales in this program)")
	s.ids.choices = []string{""}
	var formats []string
	for _, f := range corpus.Formats {
		formats = append(formats, string(f))
	}
	addChoice(cmd, &s.ids, "ids", "", "-f holds token ids, in this `format`: int32 or uint16 (little-endian), or decimal", formats...)
}

// find looks for the files. A text that can be read but once is held, if several are
// to read it.
func (s *source) find(ctx context.Context, readers int) (err error) {
	if len(s.files) == 0 {
		if s.ids.value != "" {
			return usagef("--ids says how -f is to be read; add -f")
		}
		s.name = tales.TextName
		return nil
	}
	if s.paths, err = corpus.Find(s.files...); err != nil {
		return err
	}
	s.name = filepath.Base(s.paths[0])
	if n := len(s.paths) - 1; n > 0 {
		s.name += fmt.Sprintf(" and %s more", plain.Count(n, "file"))
	}
	once := slices.ContainsFunc(s.paths, func(path string) bool {
		info, err := os.Stat(path)
		return path == corpus.Stdin || err != nil || !info.Mode().IsRegular()
	})
	if !once || readers == 1 {
		return nil
	}
	b, err := await(ctx, func() ([]byte, error) {
		r := s.open()
		defer r.Close()
		return io.ReadAll(io.LimitReader(r, corpus.Whole+1))
	})
	if err != nil {
		return adviseText(err)
	}
	if len(b) > corpus.Whole {
		return fmt.Errorf("%s can be read but once and is longer than %s, too long to be held for %d models: give a file, or one model", s.name, bytesText(corpus.Whole), readers)
	}
	text := string(b)
	s.held = &text
	return nil
}

func (s *source) open() io.ReadCloser {
	switch {
	case s.held != nil:
		return io.NopCloser(strings.NewReader(*s.held))
	case len(s.files) == 0:
		return io.NopCloser(strings.NewReader(tales.Text))
	case s.ids.value != "":
		return corpus.Open(s.paths)
	}
	return corpus.OpenText(s.paths)
}

// title is what the text is called that a model reads.
func (s *source) title(m *engine.Model) string {
	if _, err := m.Tokenizer(); err != nil && s.ids.value == "" {
		return "random token ids, seed 1"
	}
	return s.name
}

// read begins to read the text with a model: with the windows, limit, share and place of
// o. A model without a vocabulary gets as many random ids as random says.
func (s *source) read(ctx context.Context, m *engine.Model, o corpus.Options, random int) (*reading, error) {
	r := &reading{name: s.title(m), close: func() error { return nil }}
	o.IDs, o.Vocab, o.First = corpus.Format(s.ids.value), m.Vocab(), -1
	tok, err := m.Tokenizer()
	switch {
	case err == nil && m.Arch.Spec.Encoder:
		o.Lines = true
	case err == nil && tok.AddBOS():
		o.First, _ = tok.BOS()
	}
	if err != nil && o.IDs == "" {
		if !m.Arch.Spec.Encoder {
			unread := ""
			if len(s.files) > 0 {
				unread = "-f is not read, and "
			}
			note("the model has no vocabulary: %sit gets %d random token ids, which no model can predict (--ids takes a file of ids)", unread, random)
		}
		ids, _, err := eval.Text(ctx, m, "", random)
		if err != nil {
			return nil, err
		}
		r.Reading, err = corpus.Hold(ids, o)
		return r, err
	}
	warned := false
	o.Encode = func(text string, begin bool) ([]int32, error) {
		ids, err := tok.EncodeContext(ctx, text, tokenizer.EncodeOptions{AddSpecial: begin})
		var unknown *tokenizer.UnknownBytesError
		unwritten := errors.As(err, &unknown) || err == nil && !o.Lines && mostlySpecial(tok, ids)
		switch {
		case unwritten && len(s.files) == 0:
			return nil, fmt.Errorf("the model's vocabulary cannot write %s; %s", s.name, cmp.Or(s.advice, "give a text of this model with -f"))
		case err == nil && o.Lines && len(ids) > m.Context() && len(s.files) == 0:
			n := m.Context() // of the text in this program, the beginning of a line will do
			return append(ids[:n-1], ids[len(ids)-1]), nil
		case err == nil && o.Lines && len(ids) > m.Context():
			return nil, fmt.Errorf("the line %.40q has %d tokens, the context of the model is %d", text, len(ids), m.Context())
		case unwritten && unknown == nil && !warned:
			warned = true
			note("warning: most of %s has no token in the model's vocabulary but such as stand for anything", s.name)
		case unknown == nil:
			return ids, err
		case !warned:
			warned = true
			return ids, leftOut(err)
		}
		return ids, nil
	}
	text := s.open()
	r.close = text.Close
	r.Reading, err = await(ctx, func() (*corpus.Reading, error) { return corpus.Read(text, o) })
	switch {
	case errors.Is(err, corpus.ErrLimit):
		err = fmt.Errorf("%w: --tokens %d", err, o.Limit)
	case errors.Is(err, corpus.ErrEmpty):
		err = fmt.Errorf("%s is empty", strings.Join(s.files, ", "))
	}
	if err != nil && ctx.Err() == nil { // what was given up may still read
		r.close()
	}
	return r, adviseText(err)
}

// mostlySpecial reports whether most tokens of a text are such as UNK, which stand for none
// of it.
func mostlySpecial(tok *tokenizer.Tokenizer, ids []int32) bool {
	n := 0
	for _, id := range ids {
		if tok.IsSpecial(id) {
			n++
		}
	}
	return 2*n > len(ids)
}

// A reading is a text as a model reads it.
type reading struct {
	*corpus.Reading
	name  string // of the text
	close func() error
}

// heldTokens is the most of a text that is kept in memory.
const heldTokens = corpus.Whole / 4

// hold returns the windows of a reading, at most that number (0: all), for what reads them
// more than once; fewer says how a part is chosen.
func (r *reading) hold(ctx context.Context, most int, fewer string) (all [][]int32, err error) {
	if r.Blocked() && most == 0 {
		return nil, fmt.Errorf("%s is longer than %s, too long to be in memory: %s", r.name, bytesText(corpus.Whole), fewer)
	}
	for n := 0; most == 0 || len(all) < most; {
		w, err := r.next(ctx)
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		if n += len(w.IDs); n > heldTokens {
			return nil, fmt.Errorf("%s has more than %d tokens, too many to be in memory: %s", r.name, heldTokens, fewer)
		}
		all = append(all, w.IDs)
	}
	return all, nil
}

// next is Next, which ends when ctx is cancelled.
func (r *reading) next(ctx context.Context) (corpus.Window, error) {
	w, err := await(ctx, r.Next)
	return w, adviseText(err)
}

// adviseText adds what helps to an error of a text in another encoding.
func adviseText(err error) error {
	if e := (*text.Error)(nil); errors.As(err, &e) && e.IConv != "" {
		return fmt.Errorf("%w; convert it first: iconv -f %s -t UTF-8", err, e.IConv)
	}
	return err
}
