package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/eval"
	"github.com/normswap/normswap/fold"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/internal/plain"
	"github.com/normswap/normswap/internal/tales"
	"github.com/normswap/normswap/quant"
	"github.com/spf13/cobra"
)

type foldFlags struct {
	out              string
	format           choice
	tokenizer        string // the folder that the tokenizer's files come from
	strategy, export choice
	typ              choice
	gain, readers    bool
	force            bool
	plan, json       bool
	verify           bool
}

const foldExample = `  infer fold model.gguf --plan                    the steps, and the means
  infer fold model.gguf -o new.gguf               for any runner of model
  infer fold model.gguf -o new.gguf --verify      and look at what became of it
  infer fold model.gguf -o models/ --type Q8_0    under its conventional name
  infer fold olmo.gguf -o new.gguf --export auto  as an RMSNorm architecture
  infer fold pythia/ --format safetensors -o new  for transformers, vLLM`

func newFold() *cobra.Command {
	var o foldFlags
	cmd := &cobra.Command{
		Use:   "fold [MODEL] -o OUT",
		Short: "Fold LayerNorm's mean removal into the weights of a file",
		Long: `fold writes a LayerNorm model whose weights have the removal of the mean in
them: RMSNorm then computes what LayerNorm did. The file keeps its architecture
and its norms, and stays a valid LayerNorm model in every runner; one that knows
may run RMSNorm (infer does, with --norm rms-folded). --export writes an RMSNorm
architecture instead, where llama.cpp has one that computes the same.

What is folded is a matter of the graph; a model that cannot be folded is
refused with the reason. Changed weights are stored as F16, or as F32 where the
source has F32 or F16 cannot hold them (--strategy dequant): logits move by less
than 1e-6 (NMSE). Or they are encoded once more in their own type (requant),
which adds about one more quantisation error and is never exact.

--readers writes the other fold: gain and bias go into the matrices that read a
norm, and each of their rows loses its mean. LayerNorm computes what it did;
RMSNorm in its place (--norm rms-naive) is off by a scale for each token, most
often far less than before, and that needs no weights that write the stream.

OUT may be a folder; the file then gets its conventional name. The file is
whole or is not there, whatever happens. docs/FOLD.md has the algebra.`,
		Example:           foldExample,
		Args:              atMostOneModel,
		ValidArgsFunction: completeModels,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case o.readers && (o.gain || o.export.value != ""):
				return usagef("--readers folds the gains too, and leaves the architecture as it is: it goes with no --fold-gain and no --export")
			case o.out == "" && !o.plan:
				return usagef("fold needs -o: the file or folder to write; --plan shows what would be done")
			case o.out == "-" && (o.json || o.verify):
				return usagef("--json and --verify look at the file that was written; name one with -o")
			}
			return o.run(cmd.Context(), stdout, modelArg(args))
		},
	}
	f := cmd.Flags()
	f.StringVarP(&o.out, "out", "o", "", "the `file` to write, or the folder to write to; -: stdout")
	addChoice(cmd, &o.format, "format", "gguf", "what to write: a GGUF file, or a folder of transformers", "gguf", "safetensors")
	f.StringVar(&o.tokenizer, "tokenizer-from", "", "a `folder` with the tokenizer's files, for --format safetensors of a GGUF file")
	addChoice(cmd, &o.strategy, "strategy", string(fold.Dequant), "how changed weights that were quantised are stored", string(fold.Dequant), string(fold.Requant))
	var types []string
	for _, t := range quant.Types() {
		if t.CanEncode() {
			types = append(types, t.String())
		}
	}
	addChoice(cmd, &o.typ, "type", "", "store every matrix in this `type`", types...)
	f.BoolVar(&o.gain, "fold-gain", false, "fold gain and bias of the norms into the matrices behind them too, where those can take them")
	f.BoolVar(&o.readers, "readers", false, "fold the matrices that read the norms instead of those that write the stream: what RMSNorm changes then is a scale for each token")
	addChoice(cmd, &o.export, "export", "", "write this RMSNorm `architecture`; auto: the one there is, or else the original", append([]string{"auto"}, fold.Targets()...)...)
	f.BoolVar(&o.plan, "plan", false, "write nothing; print the steps, with the means that would be taken away")
	f.BoolVar(&o.plan, "dry-run", false, "the same as --plan")
	f.BoolVar(&o.verify, "verify", false, "run the file afterwards: what mean each norm reads, and how far the predictions are from the original's")
	f.BoolVar(&o.force, "force", false, "replace the file if it is there")
	f.BoolVar(&o.json, "json", false, "print a JSON report: the error of each changed tensor, the divergence from the original, the source's sha256")
	return cmd
}

// A foldReport is what infer fold --json prints.
type foldReport struct {
	File string `json:"file,omitempty"` // none with --plan
	Name string `json:"name"`           // by the GGUF convention
	fold.Report
	KL *klReport `json:"kl,omitempty"`
}

// A klReport tells how far predictions are from the original's, with float
// activations, so that it is of the weights alone.
type klReport struct {
	Text   string      `json:"text"`
	Tokens int64       `json:"tokens"`
	Mean   eval.Number `json:"mean"` // nats
	Max    eval.Number `json:"max"`
	Top1   eval.Number `json:"top1_agreement"`
	Logit  eval.Number `json:"max_delta_logit"`
}

func (o *foldFlags) run(ctx context.Context, w io.Writer, path string) error {
	if o.format.value == "safetensors" {
		return o.runFolder(ctx, w, path)
	}
	f, err := openFile(path)
	if err != nil {
		return err
	}
	defer f.Close()
	err = f.Guard(func() error { return o.fold(ctx, w, path, f) })
	if err != nil && path != "" && !errors.Is(err, context.Canceled) {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return err
}

func (o *foldFlags) fold(ctx context.Context, w io.Writer, path string, f *gguf.File) error {
	m, err := arch.Load(f)
	if err != nil {
		return runnable(err)
	}
	if o.out != "" && o.out != "-" && !isFolder(o.out) {
		if err := o.checkOut(o.out, f); err != nil {
			return err
		}
	}
	options := fold.WriteOptions{Strategy: fold.Strategy(o.strategy.value), Gain: o.gain, Readers: o.readers, Export: o.export.value}
	if o.typ.value != "" {
		t, err := quant.ParseType(o.typ.value)
		if err != nil {
			return usagef("--type: %v", err)
		}
		options.Type = &t
	}
	if err := fold.Check(m, options); err != nil {
		return advise(err)
	}
	if !o.plan {
		if options.SourceSHA256, err = hashSource(ctx, f); err != nil {
			return err
		}
	}
	progress, end := track("weights", "measuring", "writing")
	defer end()
	options.Progress = progress
	out, err := fold.Prepare(ctx, f, m, options)
	if err != nil {
		return advise(err)
	}
	if out.Report.Requantized {
		note("warning: changed weights are encoded in blocks, which adds about one more quantisation error; the fold is not exact (--strategy dequant is, to the rounding of F16)")
	}
	r := &foldReport{Name: out.FileName()}
	if o.plan {
		r.Report = out.Report
		return o.showPlan(w, r, out.Plan)
	}
	target := o.out
	if isFolder(target) {
		target = filepath.Join(target, r.Name)
		if err := o.checkOut(target, f); err != nil {
			return err
		}
	}
	err = writeFile(ctx, target, o.force, func(w io.Writer) error { return out.Write(ctx, w) })
	if err != nil {
		return err
	}
	end()
	r.File, r.Report = target, out.Report
	return o.tell(ctx, w, path, r)
}

// advise adds to an error of package fold which flags help.
func advise(err error) error {
	var refusal *fold.Refusal
	var encode *fold.EncodeError
	switch {
	case errors.As(err, &refusal) && len(refusal.Exports) > 0:
		return fmt.Errorf("%w; --export %s writes an architecture that can", err, strings.Join(refusal.Exports, " or "))
	case errors.As(err, &encode):
		return fmt.Errorf("%w; store it in another type (--type) or as floats (--strategy dequant)", err)
	}
	return err
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// checkOut tells why a file cannot be written, before it is worked out.
func (o *foldFlags) checkOut(path string, f *gguf.File) error {
	if info, err := os.Stat(path); err == nil {
		for _, source := range f.Paths {
			if s, err := os.Stat(source); err == nil && os.SameFile(info, s) {
				return fmt.Errorf("%s is the model itself; write to another file", path)
			}
		}
	}
	_, err := checkTarget(path, o.force || o.plan)
	return err
}

// hashSource returns the SHA-256 of the file as it was opened, or of its parts one
// after the other.
func hashSource(ctx context.Context, f *gguf.File) (string, error) {
	h := sha256.New()
	if len(f.Paths) == 0 { // the model in this program
		err := gguf.Write(h, f)
		return sum(h), err
	}
	bar := newBar("reading", f.DataBytes(), bytesUnit)
	defer bar.done()
	for i := range f.Paths {
		if err := f.CopyPath(io.MultiWriter(cancelWriter{ctx, h}, bar), i); err != nil {
			return "", err
		}
	}
	return sum(h), nil
}

func sum(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }

func (o *foldFlags) showPlan(w io.Writer, r *foldReport, p *fold.Plan) error {
	if o.json {
		return printJSON(w, r)
	}
	_, err := fmt.Fprintf(w, "%s%s", p, r.summary("would be"))
	return err
}

// summary says in a few lines what the file is.
func (r *foldReport) summary(is string) string {
	var b strings.Builder
	as := r.Arch
	if r.Arch != r.Source {
		as = fmt.Sprintf("%s, which %s is re-expressed as", r.Arch, r.Source)
	}
	fmt.Fprintf(&b, "%s %s %s of tensors, architecture %s\n", r.Name, is, bytesText(float64(r.Bytes)), as)
	for _, s := range r.GainKept {
		fmt.Fprintf(&b, "The gain stays at %s\n", s)
	}
	for _, name := range r.BeyondF16 {
		fmt.Fprintf(&b, "%s is F32: F16 cannot hold its weights\n", name)
	}
	return b.String()
}

// tell says what has been written and, if asked, what became of the model.
func (o *foldFlags) tell(ctx context.Context, w io.Writer, path string, r *foldReport) error {
	if o.out == "-" {
		return nil
	}
	if o.verify || o.json && o.format.value == "gguf" {
		var err error
		if r.KL, err = o.check(ctx, path, r); err != nil {
			return fmt.Errorf("%s is written, but its check failed: %w", r.File, err)
		}
	}
	if o.json {
		return printJSON(w, r)
	}
	r.Name = plain.Line(r.File)
	text := r.summary("is")
	worst := slices.MaxFunc(r.Changed, func(a, b fold.Changed) int { return cmp.Compare(a.Relative(), b.Relative()) })
	text += fmt.Sprintf("%d tensors changed; the largest relative error of storing one is %.1e (%s, %s); largest mean left %.1e\n",
		len(r.Changed), worst.Relative(), worst.Name, worst.To, r.LargestMean)
	if r.KL != nil {
		text += fmt.Sprintf("Predictions are a mean KL of %.1e nats from the original's, %.2f %% of the top-1 the same, over %d tokens with float activations\n",
			r.KL.Mean, 100*r.KL.Top1, r.KL.Tokens)
	}
	_, err := io.WriteString(w, text)
	return err
}

// check runs the original and the file that was written.
func (o *foldFlags) check(ctx context.Context, path string, r *foldReport) (*klReport, error) {
	flags := modelFlags{act: choice{value: "f32"}, norm: normFlag{string(engine.Native)}}
	m, err := flags.open(ctx, path)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	if m.Arch.Spec.TrainedLayerNorm {
		if m, err = m.Variant(context.Background(), engine.Options{FloatActivations: true, Norm: engine.Centered}); err != nil {
			return nil, err
		}
		defer m.Close()
	}
	folded, err := flags.open(ctx, r.File)
	if err != nil {
		return nil, err
	}
	defer folded.Close()
	if o.verify {
		v := folded
		if folded.Arch.Spec.Norm == arch.LayerNorm {
			if v, err = folded.Variant(context.Background(), engine.Options{Norm: engine.RMSFolded, FloatActivations: true}); err != nil {
				return nil, err
			}
			defer v.Close()
		}
		if err := showRatios(ctx, filepath.Base(r.File), v); err != nil {
			return nil, err
		}
	}
	const chunk, chunks = 256, 2
	n := min(chunk, m.Context())
	ids, random, err := eval.Probe(ctx, m, tales.Text[:16*chunk*chunks], n*chunks)
	if err != nil {
		return nil, err
	}
	progress, end := track("tokens", "comparing predictions")
	defer end()
	report, err := eval.Run(ctx, []*engine.Model{m, folded}, []string{"original", "folded"}, ids, eval.Options{Context: n, Chunks: chunks, Progress: progress})
	if err != nil {
		return nil, err
	}
	f := report.Norms[1]
	kl := &klReport{Text: tales.TextName, Tokens: f.Tokens, Mean: f.KLMean, Max: f.KLMax, Top1: f.TopAgreement, Logit: f.MaxLogit}
	if random {
		kl.Text = "random token ids, seed 1"
	}
	return kl, nil
}
