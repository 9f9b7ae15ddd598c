package main

import (
	"context"
	"fmt"
	"io"
	"math"

	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/eval"
	"github.com/normswap/normswap/internal/plain"
	"github.com/spf13/cobra"
)

func newPerplexity() *cobra.Command {
	var o evalFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "perplexity [MODEL]",
		Short: "Measure how well a model predicts a text",
		Long: `perplexity prints exp of the mean negative log likelihood of a text's tokens,
with its standard error, by llama-perplexity's definition: the text is cut into
chunks, each begins at position 0 (with BOS in place of its first token if the
model requires it), and the second half of each is scored. Figures of models
with other vocabularies do not compare.`,
		Example: `  infer perplexity                           the model in this program
  infer perplexity model.gguf -f wiki.test.raw
  infer perplexity model.gguf --norm rms-naive --ctx 256 --chunks 200
  infer perplexity model.gguf -f wiki.txt --shard 0/7 > part-0.json`,
		Args:              atMostOneModel,
		ValidArgsFunction: completeModels,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.check(); err != nil {
				return err
			}
			return o.perplexity(cmd.Context(), stdout, modelArg(args), asJSON)
		},
	}
	o.add(cmd)
	o.addNorm(cmd)
	addJSON(cmd, &asJSON)
	return cmd
}

// atMostOneModel accepts no argument, for the model in the program, or one.
func atMostOneModel(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return exactArgs("MODEL")(cmd, args)
}

// modelArg is the path of the model, "" for the one in the program.
func modelArg(args []string) string {
	if len(args) == 0 {
		return ""
	}
	return args[0]
}

func (o *evalFlags) perplexity(ctx context.Context, w io.Writer, path string, asJSON bool) error {
	if err := o.source.find(ctx, 1); err != nil {
		return err
	}
	m, err := o.open(ctx, path)
	if err != nil {
		return err
	}
	defer m.Close()
	models, names := []*engine.Model{m}, []string{o.norm.value}
	exact, err := o.exact(ctx, m, engine.NormMode(o.norm.value))
	if err != nil {
		return err
	}
	if exact != nil {
		defer exact.Close()
		models, names = append(models, exact), append(names, eval.Rounding)
	}
	r, err := o.run(ctx, eval.Perplexity, modelName(path), models, names)
	if err != nil {
		return err
	}
	if o.shard != "" {
		return o.writePart(w, r)
	}
	return writePerplexity(w, r, asJSON)
}

func writePerplexity(w io.Writer, r *eval.Report, asJSON bool) error {
	if asJSON {
		return writeReport(w, r)
	}
	f := r.Norms[0].Figures
	deviation := "unknown" // of one token
	if se := float64(f.PerplexitySE); !math.IsNaN(se) && !math.IsInf(se, 0) {
		deviation = plain.Fixed(se, 4)
	}
	lines := []string{fmt.Sprintf("perplexity %s ± %s, %s with norms %s on %s: %s scored of %s of %d, %s tokens/s",
		plain.Fixed(float64(f.Perplexity), 4), deviation, r.Model, f.Norm, r.Text, plain.Count(int(f.Tokens), "token"), plain.Count(chunksOf(r), "chunk"), r.Context, threeDigits(float64(f.Speed)))}
	for _, s := range append(lines, r.Sentences()...) {
		if _, err := fmt.Fprintln(w, plain.Line(s)); err != nil {
			return err
		}
	}
	return nil
}
