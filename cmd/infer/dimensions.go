package main

import (
	"context"
	"fmt"
	"io"

	"github.com/normswap/normswap/eval"
	"github.com/normswap/normswap/internal/plain"
	"github.com/normswap/normswap/report"
	"github.com/spf13/cobra"
)

// dimensionsFlags are those of dimensions.
type dimensionsFlags struct {
	evalFlags
	sites  string
	top    int
	format choice
}

// A dimensionsReport is what infer dimensions writes as JSON.
type dimensionsReport struct {
	provenance
	Windows int                     `json:"windows"`
	Tokens  int                     `json:"tokens_read"`
	Sites   []eval.SiteDimensions   `json:"sites"`
	Massive []eval.MassiveDimension `json:"massive"`
	Verdict string                  `json:"verdict"`
}

func newDimensions() *cobra.Command {
	var o dimensionsFlags
	cmd := &cobra.Command{
		Use:   "dimensions [MODEL]",
		Short: "Find massive activations: dimensions with most of the energy",
		Long: `dimensions reads a text (of encoders, a text a line) and lists for every norm the
dimensions of its input with the most energy: their share of the energy of all
tokens, their root mean square beside that of the median dimension, the largest
value of a token beside the median magnitude of the vector it stands in, and how
much of the energy is the first token's. A dimension of the residual stream is
called massive where its root mean square is 10 times that of the median one; the
last lines say from which norm on.`,
		Example: `  infer dimensions model.gguf
  infer dimensions model.gguf -f wiki.txt --sites ln1,final --top 3
  infer dimensions minilm.gguf -f sentences.txt --format csv`,
		Args: atMostOneModel, ValidArgsFunction: completeModels,
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.top < 1 {
				return usagef("--top %d: want 1 or more", o.top)
			}
			if err := o.check(); err != nil {
				return err
			}
			return o.dimensions(cmd.Context(), stdout, modelArg(args))
		},
	}
	f := cmd.Flags()
	o.source.add(cmd)
	f.IntVar(&o.chunks, "chunks", 0, fmt.Sprintf("read at most this number of `windows`; 0: all of -f, or %d of the tales", sweepWindows))
	f.IntVar(&o.context, "ctx", 0, fmt.Sprintf("`tokens` of a window; 0: %d, or what the model was trained for if that is less", defaultWindow))
	f.IntVar(&o.top, "top", 5, "list this `number` of dimensions for each norm")
	addSites(cmd, &o.sites)
	o.addThreads(cmd)
	addActivations(cmd, &o.act, "f32")
	addTokenizer(cmd, &o.tokenizer)
	o.addNorm(cmd)
	addFormat(cmd, &o.format, "", "text", "md", "csv", "json")
	return cmd
}

func (o *dimensionsFlags) dimensions(ctx context.Context, w io.Writer, path string) error {
	if err := o.source.find(ctx, 1); err != nil {
		return err
	}
	m, r, windows, err := o.measured(ctx, path)
	if err != nil {
		return err
	}
	defer m.Close()
	sites, err := selectSites(m.Arch, o.sites)
	if err != nil {
		return err
	}
	d := &dimensionsReport{Windows: r.Windows, Tokens: r.Tokens, provenance: provenance{
		Kind: "dimensions", Version: r.Version, Model: r.Model, ModelSum: r.ModelSum, Arch: r.Arch, Norm: o.norm.value,
		Text: r.Text, IDs: r.IDs, Activations: r.Activations,
	}}
	d.Sites, err = await(ctx, func() ([]eval.SiteDimensions, error) { return eval.Dimensions(ctx, m, sites, windows, o.top) })
	if err != nil {
		return err
	}
	norms := 0
	for _, s := range d.Sites {
		if s.Stream {
			norms++
		}
	}
	d.Massive = eval.MassiveDimensions(d.Sites)
	d.Verdict = eval.MassiveSentence(d.Massive, norms)
	switch o.format.value {
	case "json":
		return plain.WriteJSON(w, d, " ")
	case "csv":
		return report.WriteTidy(w, dimensionRecords(d))
	}
	return writeTable(w, d.table(), report.Format(o.format.value))
}

func (d *dimensionsReport) table() *report.Table {
	t := &report.Table{
		Title: fmt.Sprintf("%s on %s, %s: dimensions with the most energy", d.Model, d.Text, plain.Count(d.Tokens, "token")),
		Columns: []report.Column{
			{Key: "site", Left: true}, {Key: "layer"}, {Key: "dimension"}, {Key: "energy_share", Name: "share of energy", Format: "%.4f"},
			{Key: "chance", Format: "%.4f"}, {Key: "rms", Format: "%.3g"}, {Key: "rms_to_median", Name: "rms/median", Format: "%.3g"},
			{Key: "largest", Format: "%.3g"}, {Key: "largest_to_median", Name: "largest/median", Format: "%.3g"},
			{Key: "energy_share_of_first_token", Name: "first token's share", Format: "%.3f"}, {Key: "massive", Left: true},
		},
		Notes: []string{"", d.Verdict},
	}
	for _, s := range d.Sites {
		for _, x := range s.Top {
			t.Add(s.Site, s.Layer, x.Index, float64(x.Share), 1/float64(s.Width), float64(x.RMS), float64(x.Ratio), float64(x.Largest), float64(x.Token), float64(x.First), x.Massive)
		}
	}
	return t
}
