package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/corpus"
	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/geometry"
	"github.com/normswap/normswap/internal/plain"
	"github.com/spf13/cobra"
)

// A part is the share of a text that one run of infer geometry measures, with one
// model. Its file, if it has one, is written every few minutes, between two windows,
// and a run that finds it goes on from there.
type part struct {
	o     *geometryFlags
	model *engine.Model
	meter *meter
	state *geometry.State // the meter's
	swaps *exchange
	text  *reading
	saved time.Time
}

// collect runs the model over its share and measures what the norms do.
func (o *geometryFlags) collect(ctx context.Context, m *engine.Model, name string, shard geometry.Shard) (*geometry.State, error) {
	norms, err := selectSites(m.Arch, o.sites)
	if err != nil {
		return nil, err
	}
	p := &part{o: o, model: m}
	if p.meter, err = newMeter(m, name, norms, geometry.Options{}); err != nil {
		return nil, err
	}
	p.state = p.meter.State()
	size, err := o.size(m)
	if err != nil {
		return nil, err
	}
	s := &p.state.Settings
	s.Version, s.Activations, s.KV, s.Tokenizer, s.Window, s.SwapTokens = versionName(), o.act.value, o.kv.value, o.tokenizer.value, size, o.swapTokens
	if s.ModelSum, err = hashSource(ctx, m.File); err != nil {
		return nil, err
	}
	p.state.Run, p.state.Step = checkpoint(p.state.Model.Name)
	p.state.Text = o.source.title(m)
	if o.shard != "" {
		p.state.Shards = []geometry.Shard{shard}
	}
	old, err := p.resume(ctx)
	if err != nil || old != nil && old.Progress == nil {
		return old, err
	}
	if p.state.Causes, err = weightCauses(ctx, m, p.meter.sites); err != nil {
		return nil, err
	}
	options := corpus.Options{Size: size, Limit: o.limit(), Shard: shard.Index, Shards: shard.Count}
	if old != nil {
		options.From = corpus.Place(*old.Progress)
	}
	if p.text, err = o.source.read(ctx, m, options, defaultTokens); err != nil {
		return nil, err
	}
	if old != nil && !p.text.Blocked() && o.source.ids.value == "" && old.Digest != p.text.Digest() {
		return nil, fmt.Errorf("the text is another than the one that %s was begun with", o.partFile)
	}
	if p.swaps, err = o.exchange(ctx, m, size, p.text); err != nil {
		return nil, err
	}
	defer p.swaps.close()
	p.state.Swap = p.swaps.modes()
	if old != nil {
		if err := p.state.Continue(old); err != nil {
			return nil, fmt.Errorf("%s: %w", o.partFile, err)
		}
		p.swaps.resumed = true
		note("%s: %s are there, going on", o.partFile, plain.Count(int(old.Tokens()), "token"))
	}
	p.swaps.before = p.state.Swap
	if err := p.run(ctx); err != nil {
		return nil, err
	}
	return p.state, nil
}

// resume returns the state of an earlier run, nil if there is none.
func (p *part) resume(ctx context.Context) (*geometry.State, error) {
	path := p.o.partFile
	if path == "" {
		return nil, nil
	}
	b, err := await(ctx, func() ([]byte, error) { return readPart(path) })
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	}
	old, err := geometry.ReadState(b)
	if err == nil {
		err = p.state.Resumes(old)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if old.Progress == nil {
		note("%s is there and whole: nothing is left to do", path)
	}
	return old, nil
}

// run reads what is left of the text.
func (p *part) run(ctx context.Context) error {
	seq := corpus.Window{}
	tap := engine.Tap{Func: func(h engine.Hidden) { p.meter.add(seq, h) }}
	tap.Sites = func(n *arch.Norm) bool { _, ok := p.meter.index[n]; return ok }
	evaluate, err := p.o.reader(p.model, p.state.Window, &tap)
	if err != nil {
		return err
	}
	total, known := p.text.Tokens()
	if !known {
		total = -1
	}
	bar := newBar("measuring", int64(total), "tokens")
	defer bar.done()
	start, n := time.Now(), 0
	p.saved = start
	for {
		w, err := p.text.next(ctx)
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		seq = w
		if err := evaluate(ctx, w.IDs); err != nil {
			return err
		}
		if err := p.swaps.add(ctx, w); err != nil {
			return err
		}
		n += len(w.IDs)
		bar.add(int64(len(w.IDs)))
		if p.o.partFile != "" && time.Since(p.saved) >= p.o.flush {
			progress := geometry.Progress(p.text.Place())
			p.state.Progress = &progress
			if err := p.save(); err != nil {
				return err
			}
			note("%s: %s at %s/s", p.o.partFile, plain.Count(int(p.state.Tokens()), "token"), threeDigits(float64(n)/max(since(start), 1e-9)))
		}
	}
	p.state.Progress = nil
	if p.state.EmbeddingSwap, err = p.swaps.embeddings(ctx); err != nil {
		return err
	}
	if p.text.Blocked() || p.o.source.ids.value != "" {
		p.state.Digest = p.text.Digest()
	}
	if err := p.save(); err != nil {
		return err
	}
	if !p.o.output.asJSON && (p.o.shard == "" || p.o.partFile != "") {
		note("%s: %s at %s/s", p.state.Model.Name, plain.Count(n, "token"), threeDigits(float64(n)/max(since(start), 1e-9)))
	}
	return nil
}

// save completes the state, and writes the file of the part.
func (p *part) save() error {
	if err := p.state.Finite(); err != nil {
		return err
	}
	var err error
	if p.state.Swap, err = p.swaps.all(); err != nil {
		return err
	}
	p.state.Blocks = p.text.Blocks()
	if !p.text.Blocked() && p.o.source.ids.value == "" {
		p.state.Digest = p.text.Digest()
	}
	if tok, err := p.model.Tokenizer(); err == nil {
		p.state.NameTokens(func(id int32) string {
			return strings.ToValidUTF8(strings.Clone(tok.Piece(id)), string(utf8.RuneError))
		})
	}
	if p.o.partFile == "" {
		return nil
	}
	p.saved = time.Now()
	return saveFile(p.o.partFile, func(w io.Writer) error { return printJSON(w, p.state) })
}

// addPart registers the flags of the file of a part.
func addPart(cmd *cobra.Command, path *string, flush *time.Duration) {
	cmd.Flags().StringVar(path, "part", "", "keep the statistics in this `file`, and go on from it if it is there")
	cmd.Flags().DurationVar(flush, "flush", 5*time.Minute, "write the file of --part each time this `time` has passed")
}

// checkPart tells what is wrong with the flags that addPart registers.
func checkPart(path string, flush time.Duration) error {
	if path == "" {
		return nil
	}
	if flush <= 0 {
		return usagef("--flush %v: want a time such as 5m", flush)
	}
	device, err := checkTarget(path, true)
	if err == nil && device {
		err = fmt.Errorf("%s is no regular file; --part names one", path)
	}
	return err
}
