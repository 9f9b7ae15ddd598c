package main

import (
	"cmp"
	"context"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/corpus"
	"github.com/normswap/normswap/engine"
	"github.com/spf13/cobra"
)

// textFlags say what models are to read, and how.
type textFlags struct {
	modelFlags
	source source
	tokens int
}

const (
	defaultWindow = 512    // positions, where the model was trained for as many
	defaultTokens = 10_000 // of the text in the program
)

func (o *textFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	o.source.add(cmd)
	f.IntVar(&o.tokens, "tokens", 0, "read at most this number of `tokens`; 0: all of -f, or 10,000 of the tales")
	f.IntVar(&o.context, "ctx", 0, "`tokens` of a window, which is read from position 0 on; 0: 512, or what the model was trained for if that is less")
	o.addThreads(cmd)
	o.addMeasured(cmd)
	addTokenizer(cmd, &o.tokenizer)
}

func (o *textFlags) check() error {
	if o.tokens < 0 {
		return usagef("--tokens %d: want 0 (all) or more", o.tokens)
	}
	return o.modelFlags.check()
}

// limit is how many tokens of the text are read; 0: all.
func (o *textFlags) limit() int {
	if len(o.source.files) == 0 && o.tokens == 0 {
		return defaultTokens
	}
	return o.tokens
}

// read finds the text.
func (o *textFlags) read(ctx context.Context) error { return o.source.find(ctx, 1) }

// windows are a text in memory as a model reads it: cut into pieces, each from
// position 0 on. Those of an encoder are the lines.
type windows struct {
	name string // of the text
	ids  []int32
	sum  string    // of what was read, as of a reading
	size int       // the largest number of tokens of a window
	each [][]int32 // the windows
}

func (o *textFlags) windows(ctx context.Context, m *engine.Model) (*windows, error) {
	size, err := o.size(m)
	if err != nil {
		return nil, err
	}
	r, err := o.source.read(ctx, m, corpus.Options{Size: size, Limit: o.limit()}, cmp.Or(o.tokens, defaultTokens))
	if err != nil {
		return nil, err
	}
	defer r.close()
	w := &windows{name: r.name}
	if w.each, err = r.hold(ctx, 0, "choose a part with --tokens"); err != nil {
		return nil, err
	}
	w.sum = r.Digest()
	for _, ids := range w.each {
		w.ids, w.size = append(w.ids, ids...), max(w.size, len(ids))
	}
	return w, nil
}

// size is the number of tokens of a window; an encoder reads a line of the text at once.
func (o *textFlags) size(m *engine.Model) (int, error) {
	if !m.Arch.Spec.Encoder {
		return windowSize(m, o.context)
	}
	if o.context != 0 {
		return 0, usagef("--ctx %d: an encoder reads a line of the text at once, and has no windows", o.context)
	}
	return m.Context(), nil
}

// count returns the number of windows.
func (w *windows) count() int { return len(w.each) }

// at returns the tokens of window i.
func (w *windows) at(i int) []int32 { return w.each[i] }

// run takes windows through a model, those that has accepts, and shows the
// sites to the tap.
func (o *textFlags) run(ctx context.Context, m *engine.Model, w *windows, has func(i int) bool, sites []*arch.Norm, tap engine.Tap, window func(i int)) (tokens int, err error) {
	chosen := map[*arch.Norm]bool{}
	for _, n := range sites {
		chosen[n] = true
	}
	tap.Sites = func(n *arch.Norm) bool { return chosen[n] }
	read, err := o.reader(m, w.size, &tap)
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
func (o *textFlags) reader(m *engine.Model, size int, tap *engine.Tap) (func(ctx context.Context, ids []int32) error, error) {
	if m.Arch.Spec.Encoder {
		return func(ctx context.Context, ids []int32) error { return m.Trace(ctx, ids, tap) }, nil
	}
	s, err := m.NewSession(engine.SessionOptions{Context: size, KV: o.cacheType(), Tap: tap})
	return func(ctx context.Context, ids []int32) error {
		s.Truncate(0)
		return s.Append(ctx, ids)
	}, err
}
