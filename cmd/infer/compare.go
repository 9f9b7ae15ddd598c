package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/eval"
	"github.com/normswap/normswap/internal/plain"
	"github.com/normswap/normswap/internal/tales"
	"github.com/normswap/normswap/report"
	"github.com/spf13/cobra"
)

// evalFlags are the flags of perplexity and compare.
type evalFlags struct {
	modelFlags
	file   string
	chunks int
	shard  string

	index, of int // of --shard
	text      string
	name      string // of the text
}

const (
	defaultChunk  = 512 // tokens, as llama-perplexity has it
	defaultChunks = 16  // of the text in the program
)

func (o *evalFlags) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVarP(&o.file, "file", "f", "", "a `file` with the text; -: stdin (default: fairy tales in this program)")
	f.IntVar(&o.chunks, "chunks", 0, fmt.Sprintf("measure at most this number of `chunks`; 0: all of -f, or %d of the tales", defaultChunks))
	f.IntVar(&o.context, "ctx", 0, fmt.Sprintf("`tokens` of a chunk; 0: %d, or what the model was trained for if that is less", defaultChunk))
	f.StringVar(&o.shard, "shard", "", "measure the chunks i with i mod N = I only, given as `I/N`, and write JSON for infer merge")
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
	return o.modelFlags.check()
}

// read gets the text.
func (o *evalFlags) read(ctx context.Context) (err error) {
	if o.file == "" {
		o.text, o.name = tales.Text, tales.TextName
		o.chunks = cmp.Or(o.chunks, defaultChunks)
		return nil
	}
	o.name = filepath.Base(o.file)
	o.text, err = readText(ctx, o.file)
	return err
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
	var random bool
	ids, err := await(ctx, func() (ids []int32, err error) {
		ids, random, err = textIDs(ctx, m, o.file, o.text, chunk*cmp.Or(o.chunks, defaultChunks))
		return ids, err
	})
	if err != nil {
		return nil, err
	}
	text := o.name
	if random {
		text = "random token ids"
		note("the model has no vocabulary: it gets %d random token ids, which no model can predict", len(ids))
	}
	progress, end := track("tokens", "measuring")
	defer end()
	r, err := eval.Run(ctx, models, names, ids, eval.Options{
		Context: chunk, Chunks: o.chunks, Shard: o.index, Shards: o.of, KV: o.cacheType(), Progress: progress,
	})
	if errors.Is(err, eval.ErrShort) {
		return nil, fmt.Errorf("%w; choose a smaller --ctx, or a longer text", err)
	}
	if err != nil {
		return nil, err
	}
	r.Kind, r.Model, r.Arch, r.Weights, r.Text = kind, model, m.Arch.Spec.Name, arch.Parameters(m.File), text
	r.Version, r.Activations, r.KV = versionName(), o.act.value, o.kv.value
	if r.ModelSum, err = hashSource(ctx, m.File); err != nil {
		return nil, err
	}
	return r, nil
}

const compareExample = `  infer compare                         the model in this program
  infer compare model.gguf -f wiki.txt  what do the norm modes cost?
  infer compare model.gguf folded.gguf  is a folded file the same model?
  infer compare model.gguf --norm rms-naive --norm-layers 0-3
  infer compare model.gguf -f wiki.txt --shard 0/7 > part-0.json`

type compareFlags struct {
	evalFlags
	norms  []string
	format choice
	verify bool
}

func newCompare() *cobra.Command {
	var o compareFlags
	cmd := &cobra.Command{
		Use:   "compare [MODEL] [OTHER...]",
		Short: "Measure what other norms do to a model's predictions",
		Long: `compare runs a model with its norms as trained and with other norms on the same
text, and says how far the predictions move: perplexity and Kullback-Leibler
divergence by llama-perplexity's definitions, how often the most likely token
stays the same, the change of the probability of the text's own tokens, the
largest change of a logit, and the speed.

The columns "swap" are the error of a swapped norm itself: the root mean square
of the change of the standardised vector, whose elements have mean square 1,
over all swapped norms. Predicted is what the paper's first identity makes of
the angle of the input with the uniform vector, sqrt(2 - 2 sin theta); measured
is the difference of both norms of that same input.

Encoders are compared by the embeddings of texts, one a line of -f: the cosine
of native and swapped embedding, the rank correlation of the cosines of all
pairs of texts, and how many keep their nearest neighbor and their ten nearest.

Other files with the same vocabulary, such as folded ones, are compared as they
are. --norm-layers limits rms-naive and layer to some norms.`,
		Example: compareExample,
		ValidArgsFunction: func(cmd *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
			return completeModels(cmd, nil, word)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(); err != nil {
				return err
			}
			return o.compare(cmd.Context(), stdout, args)
		},
	}
	o.add(cmd)
	f := cmd.Flags()
	f.StringSliceVar(&o.norms, "norm", nil, "norm `modes` (default native,rms-folded,rms-naive, native,layer where every norm is an RMSNorm, or native,rms-naive,calibrated where norms follow the sums)")
	f.StringVar(&o.normLayers, "norm-layers", "", "swap the norms of these `layers` only, such as 0-3,final")
	f.BoolVar(&o.verify, "verify", false, "show on stderr what mean each norm reads, in each mode")
	_ = cmd.RegisterFlagCompletionFunc("norm", completeList(modeNames()...))
	addFormat(cmd, &o.format, "", "text", "md", "csv", "json")
	return cmd
}

func (o *compareFlags) check() error {
	for _, s := range o.norms {
		if err := checkMode("norm", s); err != nil {
			return err
		}
	}
	return o.evalFlags.check()
}

func (o *compareFlags) compare(ctx context.Context, w io.Writer, paths []string) (err error) {
	if err := o.read(ctx); err != nil {
		return err
	}
	path, others := "", []string{}
	if len(paths) > 0 {
		path, others = paths[0], paths[1:]
	}
	native := o.modelFlags
	native.norm.value, native.normLayers = string(engine.Native), ""
	m, err := native.open(ctx, path)
	if err != nil {
		return err
	}
	models, names := []*engine.Model{m}, []string{string(engine.Native)}
	defer func() {
		if ctx.Err() != nil {
			return // a variant that was given up may still read the file
		}
		for _, m := range slices.Backward(models) { // variants first
			err = errors.Join(err, m.Close())
		}
	}()
	var failed error // a mode that cannot run leaves the others
	for _, norm := range o.modes(m, len(others) > 0) {
		v, err := o.variant(ctx, m, engine.NormMode(norm))
		if err := ctx.Err(); err != nil {
			return err
		}
		if err != nil {
			failed = cmp.Or(failed, fmt.Errorf("no figures of %s: %w", norm, err))
			continue
		}
		models, names = append(models, v), append(names, norm)
	}
	called := modelNames(append([]string{path}, others...))
	for i, p := range others {
		v, err := native.open(ctx, p)
		if err != nil {
			return err
		}
		models, names = append(models, v), append(names, called[1+i])
	}
	if o.verify {
		for i, m := range models {
			if err := showRatios(ctx, names[i], m); err != nil {
				return err
			}
		}
	}
	if failed != nil && len(models) == 1 {
		return failed
	}
	if m.Arch.Spec.Encoder {
		return cmp.Or(o.compareEmbeddings(ctx, w, called[0], models, names), failed)
	}
	r, err := o.run(ctx, eval.Compare, called[0], models, names)
	if err != nil {
		return err
	}
	if o.shard != "" || o.format.value == "json" {
		err = writeReport(w, r)
	} else {
		err = writeTable(w, compareTable(r), report.Format(o.format.value))
	}
	return cmp.Or(err, failed)
}

// modes are the norm modes beside native. Where other files are compared,
// none is tried that was not asked for.
func (o *compareFlags) modes(m *engine.Model, others bool) []string {
	norms := o.norms
	switch {
	case len(norms) > 0:
	case others:
	case m.Arch.Spec.Form == arch.PostNorm: // nothing folds
		norms = []string{string(engine.RMSNaive), "calibrated"}
	case m.Arch.Spec.Norm == arch.RMSNorm:
		norms = []string{string(engine.Centered)}
	default:
		norms = []string{string(engine.RMSFolded), string(engine.RMSNaive)}
	}
	return slices.DeleteFunc(slices.Clone(norms), func(s string) bool { return s == string(engine.Native) })
}

func writeReport(w io.Writer, r *eval.Report) error {
	return plain.WriteJSON(w, r, " ")
}

// compareTable lays a comparison out.
func compareTable(r *eval.Report) *report.Table {
	t := &report.Table{
		Title: fmt.Sprintf("%s on %s, %s of %d tokens", r.Model, r.Text, plain.Count(chunksOf(r), "chunk"), r.Context),
		Columns: []report.Column{
			{Key: "norm", Left: true}, {Key: "perplexity", Format: "%.4f", Spread: "se"},
			{Key: "kl_mean", Name: "mean KL", Format: "%.2e"}, {Key: "kl_median", Name: "KL median", Format: "%.1e"},
			{Key: "kl_p99", Name: "KL p99", Format: "%.1e"}, {Key: "kl_max", Name: "KL max", Format: "%.1e"},
			{Key: "top1_agreement", Name: "same top-1", Format: "%.4f"}, {Key: "rms_delta_p", Name: "RMS Δp", Format: "%.1e"},
			{Key: "max_delta_logit", Name: "max Δlogit", Format: "%.1e"}, {Key: "tokens_per_second", Name: "tokens/s", Format: "%.1f"},
			{Key: "swap_error_predicted", Name: "swap, predicted", Format: "%.2e"}, {Key: "swap_error_measured", Name: "measured", Format: "%.2e", Tied: true},
		},
	}
	for i := range r.Norms {
		f := &r.Norms[i].Figures
		row := []any{f.Norm, report.Spread{Mean: float64(f.Perplexity), SD: float64(f.PerplexitySE)}}
		for _, v := range []eval.Number{f.KLMean, f.KLMedian, f.KLP99, f.KLMax, f.TopAgreement, f.RMSDeltaP, f.MaxLogit} {
			if i == 0 {
				row = append(row, nil)
			} else {
				row = append(row, float64(v))
			}
		}
		row = append(row, float64(f.Speed))
		for _, v := range []eval.Number{f.SwapPredicted, f.SwapMeasured} {
			if math.IsNaN(float64(v)) {
				row = append(row, nil)
			} else {
				row = append(row, float64(v))
			}
		}
		t.Add(row...)
	}
	t.Notes = []string{""}
	t.Notes = append(t.Notes, r.Sentences()...)
	return t
}

// chunksOf returns how many chunks are in a report.
func chunksOf(r *eval.Report) (n int) {
	for _, s := range r.Shards {
		n += (r.Chunks - s + r.Of - 1) / r.Of
	}
	return n
}

// showRatios shows on stderr what mean each norm of a model reads, on the
// text in the program.
func showRatios(ctx context.Context, name string, m *engine.Model) error {
	const tokens = 256
	ids, _, err := eval.Probe(ctx, m, tales.Text[:8*tokens], tokens)
	if err != nil {
		return err
	}
	ratios, err := m.MeanRatios(ctx, ids[:min(len(ids), tokens)])
	if err != nil {
		return err
	}
	t := &report.Table{Title: fmt.Sprintf("%s: |mean|/rms of what each norm reads", name), Columns: []report.Column{
		{Key: "site", Left: true}, {Key: "norm", Name: "runs as", Left: true}, {Key: "largest", Format: "%.2e"}, {Key: "rms", Format: "%.2e"}}}
	for _, r := range ratios {
		t.Add(r.Site, r.Norm, r.Largest, r.RMS)
	}
	t.Width = screenWidth(stderr)
	noteText(t.String())
	return nil
}
