package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/eval"
	"github.com/normswap/normswap/internal/plain"
	"github.com/normswap/normswap/internal/tales"
	"github.com/normswap/normswap/report"
	"github.com/spf13/cobra"
)

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
are; padding makes no difference. ± are standard errors that take chunks for the
independent draws, but for the perplexity's, which is llama-perplexity's. With
--act q8 or bf16 a row says what rounding activations does by itself. --norm-layers limits rms-naive and layer to some norms.`,
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
	if err := o.source.find(ctx, 1); err != nil {
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
	if v, err := o.exact(ctx, m, engine.Native); err != nil {
		return err
	} else if v != nil {
		models, names = append(models, v), append(names, eval.Rounding)
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
	switch {
	case o.shard != "":
		err = o.writePart(w, r)
	case o.format.value == "json":
		err = writeReport(w, r)
	case o.format.value == "csv":
		err = report.WriteTidy(w, compareRecords(r))
	default:
		err = writeTable(w, compareTable(r), report.Format(o.format.value))
	}
	return cmp.Or(err, failed)
}

// exact is a model with the same norms and float32 activations, beside one with rounded ones; nil
// where the model has float32 activations already.
func (o *modelFlags) exact(ctx context.Context, m *engine.Model, norm engine.NormMode) (*engine.Model, error) {
	if o.act.value == "f32" {
		return nil, nil
	}
	exact := *o
	exact.act.value = "f32"
	return exact.variant(ctx, m, norm)
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
			{Key: "kl_mean", Name: "mean KL", Unit: "nats", Format: "%.2e", Spread: "se"}, {Key: "kl_median", Name: "KL median", Format: "%.1e"},
			{Key: "kl_p99", Name: "KL p99", Format: "%.1e"}, {Key: "kl_max", Name: "KL max", Format: "%.1e"},
			{Key: "top1_agreement", Name: "same top-1", Format: "%.4f", Spread: "se"}, {Key: "rms_delta_p", Name: "RMS Δp", Format: "%.1e"},
			{Key: "max_delta_logit", Name: "max Δlogit", Format: "%.1e"}, {Key: "tokens_per_second", Name: "tokens/s", Format: "%.1f"},
			{Key: "swap_error_predicted", Name: "swap, predicted", Format: "%.2e"}, {Key: "swap_error_measured", Name: "measured", Format: "%.2e", Tied: true},
		},
	}
	for i := range r.Norms {
		f := &r.Norms[i].Figures
		row := []any{f.Norm, report.Spread{Mean: float64(f.Perplexity), SD: float64(f.PerplexitySE)}}
		cells := []any{
			report.Spread{Mean: float64(f.KLMean), SD: float64(f.KLSE)}, float64(f.KLMedian), float64(f.KLP99), float64(f.KLMax),
			report.Spread{Mean: float64(f.TopAgreement), SD: float64(f.TopSE)}, float64(f.RMSDeltaP), float64(f.MaxLogit),
		}
		if i == 0 {
			clear(cells)
		}
		row = append(row, cells...)
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
	if r.Blocks > 0 {
		return r.Chunks
	}
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
