package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/internal/tales"
	"github.com/spf13/cobra"
)

// A corpus says what models are to read.
type corpus struct {
	modelFlags
	file   string
	tokens int

	text, name string
}

const (
	defaultWindow = 512    // positions, where the model was trained for as many
	defaultTokens = 10_000 // of the text in the program
)

func (o *corpus) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVarP(&o.file, "file", "f", "", "a `file` with the text; -: stdin (default: fairy tales in this program)")
	f.IntVar(&o.tokens, "tokens", 0, "read at most this number of `tokens`; 0: all of -f, or 10,000 of the tales")
	f.IntVar(&o.context, "ctx", 0, "`tokens` of a window, which is read from position 0 on; 0: 512, or what the model was trained for if that is less")
	o.addThreads(cmd)
	o.addMeasured(cmd)
	addTokenizer(cmd, &o.tokenizer)
}

func (o *corpus) check() error {
	if o.tokens < 0 {
		return usagef("--tokens %d: want 0 (all) or more", o.tokens)
	}
	return o.modelFlags.check()
}

// read gets the text.
func (o *corpus) read(ctx context.Context) (err error) {
	if o.file == "" {
		o.text, o.name = tales.Text, tales.TextName
		if o.tokens == 0 {
			o.tokens = defaultTokens
		}
		return nil
	}
	o.name = filepath.Base(o.file)
	o.text, err = readText(ctx, o.file)
	if err == nil && o.text == "" {
		err = fmt.Errorf("%s is empty", o.file)
	}
	return err
}

// windows are a text as a model reads it: cut into pieces, each from position
// 0 on. Those of an encoder are texts of their own, the lines.
type windows struct {
	name  string // of the text
	ids   []int32
	size  int       // the largest number of tokens of a window
	bos   int32     // stands for the first token of each window; -1: nothing does
	texts [][]int32 // of an encoder
}

func (o *corpus) windows(ctx context.Context, m *engine.Model) (*windows, error) {
	n := o.tokens
	if n == 0 {
		n = defaultTokens
	}
	if _, err := m.Tokenizer(); err == nil && m.Arch.Spec.Encoder {
		return o.lines(ctx, m)
	}
	ids, random, err := textIDs(ctx, m, o.file, o.text, n)
	if err != nil {
		return nil, err
	}
	w := &windows{name: o.name, ids: ids, size: o.context, bos: -1}
	if random {
		w.name = "random token ids"
		note("the model has no vocabulary: it gets %d random token ids", n)
	}
	if o.tokens > 0 {
		w.ids = ids[:min(o.tokens, len(ids))]
	}
	if len(w.ids) == 0 {
		return nil, errors.New("the text is empty")
	}
	if w.size == 0 {
		w.size = min(m.Context(), defaultWindow)
	}
	if tok, err := m.Tokenizer(); err == nil && tok.AddBOS() {
		w.bos, _ = tok.BOS()
	}
	return w, nil
}

// lines are the windows of an encoder: as many whole lines as --tokens admits.
func (o *corpus) lines(ctx context.Context, m *engine.Model) (*windows, error) {
	if o.context != 0 {
		return nil, usagef("--ctx %d: an encoder reads a line of the text at once, and has no windows", o.context)
	}
	texts, _, _, err := sequencesOf(ctx, m, o.file, o.text, 0, o.tokens)
	if err != nil {
		return nil, err
	}
	w := &windows{name: o.name, bos: -1}
	for _, t := range texts {
		if o.tokens > 0 && len(w.ids)+len(t) > o.tokens {
			break
		}
		w.texts, w.ids, w.size = append(w.texts, t), append(w.ids, t...), max(w.size, len(t))
	}
	if len(w.texts) == 0 {
		return nil, fmt.Errorf("the first line has %d tokens, more than --tokens %d", len(texts[0]), o.tokens)
	}
	return w, nil
}

// count returns the number of windows; the last may be short.
func (w *windows) count() int {
	if w.texts != nil {
		return len(w.texts)
	}
	return (len(w.ids) + w.size - 1) / w.size
}

// at returns the tokens of window i.
func (w *windows) at(i int) []int32 {
	if w.texts != nil {
		return w.texts[i]
	}
	ids := append([]int32(nil), w.ids[i*w.size:min((i+1)*w.size, len(w.ids))]...)
	if w.bos >= 0 {
		ids[0] = w.bos
	}
	return ids
}

// run takes windows through a model, those that has accepts, and shows the
// sites to the tap.
func (o *corpus) run(ctx context.Context, m *engine.Model, w *windows, has func(i int) bool, sites []*arch.Norm, tap engine.Tap, window func(i int)) (tokens int, err error) {
	chosen := map[*arch.Norm]bool{}
	for _, n := range sites {
		chosen[n] = true
	}
	tap.Sites = func(n *arch.Norm) bool { return chosen[n] }
	read, err := o.reader(m, w, &tap)
	if err != nil {
		return 0, err
	}
	total := 0
	for i := range w.count() {
		if has(i) {
			total += len(w.at(i))
		}
	}
	bar := newBar("measuring", int64(total), "tokens")
	defer bar.done()
	for i := range w.count() {
		if !has(i) {
			continue
		}
		ids := w.at(i)
		window(i)
		if err := read(ctx, ids); err != nil {
			return 0, err
		}
		bar.add(int64(len(ids)))
	}
	return total, nil
}

// reader returns what takes one window through a model for a tap.
func (o *corpus) reader(m *engine.Model, w *windows, tap *engine.Tap) (func(ctx context.Context, ids []int32) error, error) {
	if m.Arch.Spec.Encoder {
		return func(ctx context.Context, ids []int32) error { return m.Trace(ctx, ids, tap) }, nil
	}
	s, err := m.NewSession(engine.SessionOptions{Context: w.size, KV: o.cacheType(), Tap: tap})
	return func(ctx context.Context, ids []int32) error {
		s.Truncate(0)
		return s.Append(ctx, ids)
	}, err
}
