package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/eval"
	"github.com/normswap/normswap/internal/plain"
	norms "github.com/normswap/normswap/norm"
	"github.com/normswap/normswap/report"
	"github.com/spf13/cobra"
)

const sweepWindows = 4 // of the text in the program

// sweepFlags are those of sweep.
type sweepFlags struct {
	evalFlags
	form      string
	sites     string
	calibrate source // the text that constants are found on
	budget    float64
	recipe    string
	plot      string
	part      string
	format    choice
}

func newSweep() *cobra.Command {
	var o sweepFlags
	cmd := &cobra.Command{
		Use:   "sweep [MODEL...]",
		Short: "Measure which norms matter: one site, role and layer at a time",
		Long: `sweep gives another form to one norm at a time, to all norms but one, and to the
norms of a role or layer, and measures what that does to the predictions of a
decoder, or the embeddings of an encoder (-f: a text a line). Standard errors
take windows, or texts, for the independent draws. Activations and the cache
are float32.

Of single norms it also shows what could predict the cost of RMSNorm in place of
LayerNorm: the cosine of the angle with the uniform vector, the response of the
matrices behind the norm to gain*1 (chance: 1), the offset, which is the product
of these, the shrink 1 - sin, and how much sigma varies; and the dimension with
the most energy.

--budget changes norms one after the other, the cheapest first, until the cost
of all changed ones exceeds it: nats of KL a token, or 1 - cosine.
--recipe writes what fits as a file for --norm @FILE.

Several models, or a folder of checkpoints named stepN, give one report, and
--plot then shows the cost of each role over training steps.

--shard I/N measures the rows i with i mod N = I and prints JSON for infer merge,
or leaves it in the file of --part;
--part FILE keeps every row in a file as soon as it is measured, and goes on
from there when the same command is given again.`,
		Example: `  infer sweep                          the model in this program, rms-naive
  infer sweep model.gguf -f wiki.txt --norm fixed --plot depth.svg
  infer sweep model.gguf --budget 0.01 --norm fixed --recipe fixed.json
  infer sweep minilm.gguf -f sentences.txt --json
  infer sweep model.gguf -f wiki.txt --shard 0/7 --part part-0.json`,
		ValidArgsFunction: func(cmd *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
			return completeModels(cmd, nil, word)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.checkSweep(cmd); err != nil {
				return err
			}
			if args = checkpoints(args); len(args) > 1 {
				return o.sweepAll(cmd.Context(), stdout, args)
			}
			return o.sweep(cmd.Context(), stdout, modelArg(args))
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.form, "norm", "", "`form` that norms get, one for all or by place, or @FILE (default rms-naive, or layer where every norm is an RMSNorm)")
	addSites(cmd, &o.sites)
	o.source.add(cmd)
	f.StringArrayVar(&o.calibrate.files, "calibrate", nil, "a `file` with the text that constants are found on, of the kind that -f takes (default: the end of the fairy tales)")
	f.IntVar(&o.chunks, "chunks", 0, fmt.Sprintf("measure at most this number of `windows`; 0: all of -f, or %d of the tales", sweepWindows))
	f.IntVar(&o.context, "ctx", 0, fmt.Sprintf("`tokens` of a window; 0: %d, or what the model was trained for if that is less", defaultWindow))
	f.Float64Var(&o.budget, "budget", 0, "change as many norms as cost at most this: `nats` a token, or 1 - cosine")
	f.StringVar(&o.recipe, "recipe", "", "write the norms within the budget to this `file`")
	f.StringVar(&o.plot, "plot", "", "write the cost of single norms over depth to this `file`: .svg, .pdf or .png")
	f.StringVar(&o.shard, "shard", "", "measure the rows i with i mod N = I only, given as `I/N`, and write JSON for infer merge")
	f.StringVar(&o.part, "part", "", "keep what is measured in this `file`, and begin with what it has")
	o.addThreads(cmd)
	addActivations(cmd, &o.act, "f32")
	addTokenizer(cmd, &o.tokenizer)
	addFormat(cmd, &o.format, "", "text", "md", "csv", "json")
	return cmd
}

func (o *sweepFlags) checkSweep(cmd *cobra.Command) error {
	if o.form != "" {
		if err := checkMode("norm", o.form); err != nil {
			return err
		}
	}
	budgeted := cmd.Flags().Changed("budget")
	switch {
	case budgeted && !(o.budget > 0):
		return usagef("--budget %v: want more than 0", o.budget)
	case o.recipe != "" && !budgeted:
		return usagef("--recipe writes what fits a budget; add --budget")
	case o.plot != "" && !slices.Contains(report.PlotFormats, filepath.Ext(o.plot)):
		return usagef("--plot %s: want a name that ends in %s", o.plot, strings.Join(report.PlotFormats, ", "))
	case budgeted && (o.shard != "" || o.part != ""):
		return usagef("--budget measures each step beside those before: it goes with no --shard and no --part")
	case o.plot != "" && o.shard != "":
		return usagef("--plot draws a whole sweep: give it to infer merge")
	}
	o.norm.value = string(engine.Native)
	return o.evalFlags.check()
}

// measured loads the model and cuts the text into what it reads, and says so in a report.
func (o *evalFlags) measured(ctx context.Context, path string) (*engine.Model, *eval.SweepReport, [][]int32, error) {
	m, err := o.open(ctx, path)
	if err != nil {
		return nil, nil, nil, err
	}
	r := &eval.SweepReport{
		Kind: eval.Sweep, Version: versionName(), Model: modelName(path), Arch: m.Arch.Spec.Name, Text: o.source.title(m),
		Activations: o.act.value, KV: "f32", Shards: []int{o.index}, Of: o.of,
	}
	r.ModelSum, err = hashSource(ctx, m.File)
	var windows [][]int32
	if err == nil {
		windows, err = o.sequences(ctx, m, r)
	}
	if err != nil {
		m.Close()
		return nil, nil, nil, err
	}
	return m, r, windows, nil
}

func (o *evalFlags) sequences(ctx context.Context, m *engine.Model, r *eval.SweepReport) ([][]int32, error) {
	if len(o.source.files) == 0 {
		o.chunks = cmp.Or(o.chunks, sweepWindows)
	}
	part := extent{size: o.context, windows: o.chunks, fewer: "choose a part with --chunks"}
	if len(o.source.files) == 0 || !m.Arch.Spec.Encoder {
		size, err := windowSize(m, o.context)
		if err != nil {
			return nil, err
		}
		part.tokens = o.chunks * size
	}
	windows, sum, err := o.source.sequences(ctx, m, part)
	if err != nil {
		return nil, err
	}
	r.IDs, r.Windows = sum, len(windows)
	for _, s := range windows {
		r.Tokens, r.Context = r.Tokens+len(s), max(r.Context, len(s))
	}
	return windows, nil
}

// find looks for the texts.
func (o *sweepFlags) find(ctx context.Context, readers int) error {
	o.calibrate.advice = "give a text of this model with --calibrate"
	if len(o.calibrate.files) > 0 {
		o.calibrate.ids = o.source.ids
	}
	if err := o.source.find(ctx, readers); err != nil {
		return err
	}
	return o.calibrate.find(ctx, readers)
}

func (o *sweepFlags) sweep(ctx context.Context, w io.Writer, path string) error {
	if err := o.find(ctx, 1); err != nil {
		return err
	}
	r, err := o.sweepOne(ctx, path)
	if err != nil {
		return err
	}
	if o.plot != "" {
		if err := drawSweep(o.plot, r); err != nil {
			return err
		}
	}
	switch {
	case o.shard != "" && o.part != "":
		return nil // it is there
	case o.shard != "":
		return plain.WriteJSON(w, r, " ")
	}
	return writeSweep(w, r, o.format.value)
}

// sweepOne measures one model.
func (o *sweepFlags) sweepOne(ctx context.Context, path string) (*eval.SweepReport, error) {
	m, r, windows, err := o.measured(ctx, path)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	if o.form == "" {
		o.form = string(engine.RMSNaive)
		if m.Arch.Spec.Norm == arch.RMSNorm {
			o.form = string(engine.Centered)
		}
	}
	r.Norm, r.Sites = o.form, o.sites
	chosen, err := o.recipeOf(ctx, m, r)
	if err != nil {
		return nil, err
	}
	options, done, err := o.options(m.File, "loading")
	if err != nil {
		return nil, err
	}
	defer done()
	x, err := await(ctx, func() (*eval.Experiment, error) { return eval.NewExperiment(ctx, m, options, chosen, windows) })
	if err != nil {
		return nil, err
	}
	defer x.Close()
	if o.budget > 0 {
		return r, o.spend(ctx, r, x, chosen)
	}
	return r, o.each(ctx, r, x)
}

func writeSweep(w io.Writer, r *eval.SweepReport, format string) error {
	switch format {
	case "json":
		return plain.WriteJSON(w, r, " ")
	case "csv":
		return report.WriteTidy(w, sweepRecords(r))
	}
	return writeTable(w, sweepTable(r), report.Format(format))
}

// recipeOf returns what the flags make of the norms: of those of --sites, where that is
// given.
func (o *sweepFlags) recipeOf(ctx context.Context, m *engine.Model, r *eval.SweepReport) (*norms.Recipe, error) {
	var chosen *norms.Recipe
	var err error
	if strings.HasPrefix(o.form, "@") {
		var options engine.Options
		if err := (&normFlag{o.form}).into(&options, m.File); err != nil {
			return nil, err
		}
		chosen = options.Recipe
	} else if chosen, err = calibrate(ctx, m, o.form, o.calibrate, extent{size: o.context, fewer: "make a recipe with infer calibrate --tokens"}); err != nil {
		return nil, err
	}
	r.Calibration, r.CalibIDs = chosen.Text, chosen.TextSum
	if chosen.Norms != "" {
		r.Norm = chosen.Norms // of a recipe, whose file's name says nothing
	}
	chosen.Model, chosen.ModelSum = r.Model, r.ModelSum
	sites, err := selectSites(m.Arch, o.sites)
	if err != nil {
		return nil, err
	}
	chosen.Sites = slices.DeleteFunc(chosen.Sites, func(c norms.Choice) bool {
		return !slices.ContainsFunc(sites, func(n *arch.Norm) bool { return n.Site == c.Site })
	})
	return chosen, nil
}

// spend changes norms within the budget and writes the recipe.
func (o *sweepFlags) spend(ctx context.Context, r *eval.SweepReport, x *eval.Experiment, chosen *norms.Recipe) (err error) {
	r.Kind, r.Budget = eval.Budget, &o.budget
	progress, end := track("norms", "spending")
	defer end()
	if r.Rows, r.Within, err = x.Budget(ctx, o.budget, progress); err != nil {
		return err
	}
	r.Verdict = fmt.Sprintf("%d of %s become %s for at most %.3g.", len(r.Within), plain.Count(len(x.Sites), "norm"), r.Norm, o.budget)
	if n := len(r.Within); n > 0 {
		r.Verdict += fmt.Sprintf(" Together they cost %.3g.", r.Rows[n-1].Cost())
	}
	if o.recipe == "" {
		return nil
	}
	fit := *chosen
	fit.Sites = slices.DeleteFunc(slices.Clone(chosen.Sites), func(c norms.Choice) bool { return !slices.Contains(r.Within, c.Site) })
	if len(fit.Sites) == 0 {
		return fmt.Errorf("no norm fits the budget of %g: there is no recipe to write", o.budget)
	}
	return saveFile(o.recipe, func(w io.Writer) error { return plain.WriteJSON(w, &fit, " ") })
}

// drawSweep plots the cost of single norms over depth, or of a budget over the number
// of norms.
func drawSweep(path string, r *eval.SweepReport) error {
	last := -1 // layer
	for _, row := range r.Rows {
		if row.Layer != nil {
			last = max(last, *row.Layer)
		}
	}
	var points []report.DepthPoint
	for i, row := range r.Rows {
		p := report.DepthPoint{Series: row.Role, X: -1, Y: row.Cost(), SE: row.CostSE()}
		switch {
		case !(p.Y > 0):
			continue
		case r.Kind == eval.Budget:
			p.Series, p.X = "all changed so far", float64(i+1)
		case row.Group != "site" || row.Direction != "only":
			continue
		case row.Layer != nil:
			p.X = float64(*row.Layer)
		case row.Role == string(arch.BeforeHead):
			p.X = float64(last + 1)
		}
		points = append(points, p)
	}
	x, y := "layer", "mean KL, one norm changed (nats)"
	if r.Kind == eval.Budget {
		x, y = "norms changed", "mean KL, all so far (nats)"
	}
	if len(r.Rows) > 0 && r.Rows[0].Cosine != nil {
		y = strings.NewReplacer("mean KL", "1 - cosine", " (nats)", "").Replace(y)
	}
	return saveFile(path, func(w io.Writer) error {
		return report.WriteDepthPlot(w, fmt.Sprintf("%s, %s", r.Model, r.Norm), x, y, points, filepath.Ext(path))
	})
}

// sweepTable lays a sweep out, one row a subset.
func sweepTable(r *eval.SweepReport) *report.Table {
	encoder := len(r.Rows) > 0 && r.Rows[0].Cosine != nil
	t := &report.Table{
		Title:   fmt.Sprintf("%s: %s on %s, %s, activations %s", r.Model, r.Norm, r.Text, plain.Count(r.Windows, "window"), r.Activations),
		Columns: []report.Column{{Key: "norms", Left: true}, {Key: "group", Left: true}, {Key: "direction", Left: true}, {Key: "norms_changed", Name: "n", Format: "%d"}},
		Notes:   []string{"", r.Verdict},
	}
	if encoder {
		t.Columns = append(t.Columns, report.Column{Key: "cosine", Format: "%.5f", Spread: "se"}, report.Column{Key: "cosine_worst", Name: "worst", Format: "%.4f"},
			report.Column{Key: "rank_correlation", Name: "rank corr.", Format: "%.4f"}, report.Column{Key: "same_nearest_neighbor", Name: "same nearest", Format: "%.3f"})
	} else {
		t.Columns = append(t.Columns, report.Column{Key: "kl_mean", Name: "mean KL", Unit: "nats", Format: "%.2e", Spread: "se"}, report.Column{Key: "perplexity_ratio", Name: "perplexity ratio", Format: "%.5f", Spread: "se"},
			report.Column{Key: "top1_agreement", Name: "same top-1", Format: "%.4f", Spread: "se"})
	}
	for _, c := range []string{"cosine_rms", "reader_response", "offset", "shrink", "sigma_cv"} {
		t.Columns = append(t.Columns, report.Column{Key: c, Name: strings.ReplaceAll(c, "_", " "), Format: "%.3g"})
	}
	t.Columns = append(t.Columns, report.Column{Key: "largest_at", Name: "top dim"}, report.Column{Key: "largest_dimension", Name: "its energy", Format: "%.3f"})
	for _, row := range r.Rows {
		cells := []any{row.Name(), row.Group, row.Direction, row.Norms}
		if encoder {
			cells = append(cells, spread2(row.Cosine, row.CosineSE), figure(row.CosineWorst), figure(row.Rank), figure(row.SameNeighbor))
		} else {
			cells = append(cells, spread2(row.KLMean, row.KLSE), spread2(row.Ratio, row.RatioSE), spread2(row.Top1, row.Top1SE))
		}
		if e := row.Explanation; e != nil {
			cells = append(cells, float64(e.Cosine), float64(e.Response), float64(e.Offset), float64(e.Shrink), float64(e.SigmaCV), e.Index, float64(e.Largest))
		} else {
			cells = append(cells, nil, nil, nil, nil, nil, nil, nil)
		}
		t.Add(cells...)
	}
	if !slices.ContainsFunc(r.Rows, func(row eval.Row) bool { return row.Explanation != nil }) {
		t.Columns = t.Columns[:len(t.Columns)-7]
		for i := range t.Rows {
			t.Rows[i] = t.Rows[i][:len(t.Columns)]
		}
	}
	return t
}

// figure is a number that may be missing.
func figure(x *eval.Number) float64 {
	if x == nil {
		return math.NaN()
	}
	return float64(*x)
}

func spread2(mean, se *eval.Number) report.Spread {
	return report.Spread{Mean: figure(mean), SD: figure(se)}
}
