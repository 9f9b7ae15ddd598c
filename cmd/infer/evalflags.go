package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/corpus"
	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/eval"
	"github.com/normswap/normswap/internal/plain"
	"github.com/spf13/cobra"
)

// evalFlags are the flags of perplexity and compare.
type evalFlags struct {
	modelFlags
	source   source
	chunks   int
	shard    string
	partFile string
	flush    time.Duration

	index, of int // of --shard
}

const (
	defaultChunk  = 512 // tokens, as llama-perplexity has it
	defaultChunks = 16  // of the text in the program
)

func (o *evalFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	o.source.add(cmd)
	f.IntVar(&o.chunks, "chunks", 0, fmt.Sprintf("measure at most this number of `chunks`; 0: all of -f, or %d of the tales", defaultChunks))
	f.IntVar(&o.context, "ctx", 0, fmt.Sprintf("`tokens` of a chunk; 0: %d, or what the model was trained for if that is less", defaultChunk))
	f.StringVar(&o.shard, "shard", "", "measure the chunks i with i mod N = I only, of long texts the blocks, given as `I/N`, and write JSON for infer merge")
	addPart(cmd, &o.partFile, &o.flush)
	o.addThreads(cmd)
	o.addMeasured(cmd)
	addTokenizer(cmd, &o.tokenizer)
}

// check tells what is wrong with the flags, before anything is loaded.
func (o *evalFlags) check() error {
	o.of = 1
	if o.shard != "" {
		var rest string
		if n, _ := fmt.Sscanf(o.shard, "%d/%d%s", &o.index, &o.of, &rest); n != 2 || o.of < 1 || o.index < 0 || o.index >= o.of {
			return usagef("--shard %s: want I/N, such as 0/7, with I from 0 to N-1", o.shard)
		}
	}
	switch {
	case o.chunks < 0:
		return usagef("--chunks %d: want 0 (all) or more", o.chunks)
	case o.context != 0 && o.context < 4:
		return usagef("--ctx %d: want 4 tokens or more", o.context)
	}
	if err := checkPart(o.partFile, o.flush); err != nil {
		return err
	}
	return o.modelFlags.check()
}

// run measures models, all of the file of the first or compared with it; model is
// what that is called.
func (o *evalFlags) run(ctx context.Context, kind, model string, models []*engine.Model, names []string) (*eval.Report, error) {
	m := models[0]
	positions := m.Context() // of all models, in whatever order they are given
	for _, other := range models {
		positions = min(positions, other.Context())
	}
	chunk := cmp.Or(o.context, min(defaultChunk, positions))
	if chunk > positions {
		return nil, fmt.Errorf("--ctx %d: the model was trained for %d positions", chunk, positions)
	}
	if len(o.source.files) == 0 {
		o.chunks = cmp.Or(o.chunks, defaultChunks)
	}
	sum, err := hashSource(ctx, m.File)
	if err != nil {
		return nil, err
	}
	begin := eval.Report{
		Kind: kind, Model: model, ModelSum: sum, Arch: m.Arch.Spec.Name, Weights: arch.Parameters(m.File), Version: versionName(),
		Activations: o.act.value, KV: o.kv.value, Tokenizer: o.tokenizer.value, NormLayers: o.normLayers, Text: o.source.title(m), Context: chunk, Shards: []int{o.index}, Of: o.of,
	}
	old, err := o.resume(ctx, &begin, names)
	if err != nil || old != nil && old.Progress == nil {
		return old, err
	}
	options := corpus.Options{Size: chunk, Limit: chunk * o.chunks, Shard: o.index, Shards: o.of}
	if old != nil {
		options.From = corpus.Place(*old.Progress)
	}
	text, err := o.source.read(ctx, m, options, chunk*cmp.Or(o.chunks, defaultChunks))
	if err != nil {
		return nil, err
	}
	measured := eval.Options{Context: chunk, KV: o.cacheType(), Shard: o.index, Shards: o.of}
	total, known := text.Windows()
	if known && total == 0 {
		n, _ := text.Tokens()
		return nil, fmt.Errorf("eval: %w of %d: it has %d; choose a smaller --ctx, or a longer text", eval.ErrShort, chunk, n)
	}
	if known {
		if old != nil && old.IDs != text.Digest() {
			return nil, fmt.Errorf("the text is another than the one that %s was begun with", o.partFile)
		}
		measured.Chunks = max(0, total-o.index+o.of-1) / o.of
	}
	progress, end := track("tokens", "measuring")
	defer end()
	measured.Progress = progress
	runner, err := eval.NewRunner(models, names, measured)
	if err != nil {
		return nil, err
	}
	// so far is what there is, with what an earlier run found.
	soFar := func() (*eval.Report, error) {
		r := runner.Report()
		r.Kind, r.Model, r.ModelSum, r.Arch, r.Weights, r.Version = begin.Kind, begin.Model, begin.ModelSum, begin.Arch, begin.Weights, begin.Version
		r.Activations, r.KV, r.Tokenizer, r.NormLayers, r.Text = begin.Activations, begin.KV, begin.Tokenizer, begin.NormLayers, begin.Text
		r.IDs, r.Blocks = text.Digest(), text.Blocks()
		if known {
			r.Chunks = total
		}
		if old == nil {
			return r, nil
		}
		return r, r.Continue(old)
	}
	if old != nil {
		note("%s: %s are there, going on", o.partFile, plain.Count(int(old.Norms[0].Tokens), "scored token"))
	}
	saved, start := time.Now(), time.Now()
	for {
		w, err := text.next(ctx)
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		if len(w.IDs) < chunk {
			continue
		}
		if err := runner.Add(ctx, w.Seq, w.IDs); err != nil {
			return nil, err
		}
		if o.partFile != "" && time.Since(saved) >= o.flush {
			r, err := soFar()
			if err != nil {
				return nil, err
			}
			place := eval.Place(text.Place())
			r.Progress = &place
			if err := o.save(r); err != nil {
				return nil, err
			}
			saved = time.Now()
			note("%s: %s scored, after %s", o.partFile, plain.Count(int(r.Norms[0].Tokens), "token"), durationText(since(start)))
		}
	}
	r, err := soFar()
	if err != nil {
		return nil, err
	}
	if r.Blocks == 0 && !known { // ids, of which whole chunks count
		r.Chunks = text.Whole()
		if r.Chunks == 0 {
			return nil, fmt.Errorf("eval: %w of %d; choose a smaller --ctx, or a longer text", eval.ErrShort, chunk)
		}
	}
	if o.partFile != "" {
		return r, o.save(r)
	}
	return r, nil
}

// resume returns the report of an earlier run, nil if there is none.
func (o *evalFlags) resume(ctx context.Context, begin *eval.Report, names []string) (*eval.Report, error) {
	if o.partFile == "" {
		return nil, nil
	}
	b, err := await(ctx, func() ([]byte, error) { return readPart(o.partFile) })
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	}
	old, err := eval.Parse(b)
	if err == nil {
		var norms []string
		for _, e := range old.Norms {
			norms = append(norms, e.Norm)
		}
		begin.Norms = old.Norms
		if err = begin.Resumes(old); err == nil && !slices.Equal(norms, names) {
			err = fmt.Errorf("it is of norms %s, and not of %s", strings.Join(norms, ", "), strings.Join(names, ", "))
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.partFile, err)
	}
	if old.Progress == nil {
		note("%s is there and whole: nothing is left to do", o.partFile)
	}
	return old, nil
}

func (o *evalFlags) save(r *eval.Report) error {
	return saveFile(o.partFile, func(w io.Writer) error { return writeStatistics(w, r) })
}

// writePart prints the part of a shard, if it has no file.
func (o *evalFlags) writePart(w io.Writer, r *eval.Report) error {
	if o.partFile != "" {
		return nil
	}
	return writeStatistics(w, r)
}

// writeStatistics writes what infer merge reads.
func writeStatistics(w io.Writer, r *eval.Report) error {
	b, err := r.MarshalPart()
	if err != nil {
		return err
	}
	return plain.WriteJSON(w, json.RawMessage(b), " ")
}
