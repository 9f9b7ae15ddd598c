package report

import (
	"math"

	"github.com/normswap/normswap/geometry"
)

// where are the columns that name a model, a site and a stage.
func where(more ...Column) []Column {
	return append([]Column{{Key: "model", Left: true}, {Key: "site", Left: true}, {Key: "layer"}}, more...)
}

func summaryColumns(key, unit, format string) []Column {
	out := []Column{}
	for _, name := range []string{"mean", "sd", "min", "p1", "p50", "p99", "max"} {
		out = append(out, Column{Key: key + name, Name: name, Unit: unit, Format: format})
	}
	return out
}

func summaryCells(s geometry.Summary) []any {
	if s.Count == 0 {
		return []any{nil, nil, nil, nil, nil, nil, nil}
	}
	return []any{s.Mean, s.SD, s.Min, s.P1, s.P50, s.P99, s.Max}
}

// angleTable lists the angle with the uniform vector at every site and stage.
func angleTable(results ...*geometry.Result) *Table {
	t := &Table{Title: "Angle with the uniform vector by site and stage, degrees"}
	t.Columns = where(Column{Key: "stage", Left: true}, Column{Key: "count"}, Column{Key: "degenerate"})
	t.Columns = append(t.Columns, summaryColumns("angle_", "", "%.2f")...)
	t.Columns = append(t.Columns,
		Column{Key: "null_sd", Name: "random sd", Format: "%.2f"},
		Column{Key: "beyond_1", Name: "off by > 1°", Share: true, Format: "%.1f"},
		Column{Key: "beyond_2", Name: "> 2°", Share: true, Format: "%.1f"},
		Column{Key: "beyond_5", Name: "> 5°", Share: true, Format: "%.1f"},
		Column{Key: "energy_share", Name: "energy along 1", Share: true, Format: "%.3f"},
		Column{Key: "energy_null", Name: "random", Share: true, Format: "%.3f", Tied: true})
	variants(results, func(name string, r *geometry.Result, f *geometry.Figures) {
		for _, s := range f.Sites {
			row := []any{name, s.Site, s.Layer, s.Stage, int64(s.Count), int64(s.Degenerate)}
			row = append(row, summaryCells(s.Angle)...)
			t.Add(append(row, s.NullSD, s.Beyond.Deg1, s.Beyond.Deg2, s.Beyond.Deg5, s.Share.Mean, s.Share.Null)...)
		}
	})
	return t
}

// normTable lists the L2 norm at every site and stage.
func normTable(results ...*geometry.Result) *Table {
	t := &Table{Title: "L2 norm by site and stage"}
	t.Columns = where(Column{Key: "stage", Left: true}, Column{Key: "count"}, Column{Key: "non_finite", Name: "not finite"})
	t.Columns = append(t.Columns, summaryColumns("norm_", "", "%.4g")...)
	variants(results, func(name string, r *geometry.Result, f *geometry.Figures) {
		for _, s := range f.Sites {
			row := []any{name, s.Site, s.Layer, s.Stage, int64(s.Count), int64(s.NonFinite)}
			t.Add(append(row, summaryCells(s.Norm)...)...)
		}
	})
	return t
}

// rotationTable lists the rotation of every site, whole and in parts.
func rotationTable(results ...*geometry.Result) *Table {
	t := &Table{Title: "Rotation by site, degrees"}
	t.Columns = where(Column{Key: "part", Left: true})
	t.Columns = append(t.Columns, summaryColumns("rotation_", "", "%.3f")...)
	variants(results, func(name string, r *geometry.Result, f *geometry.Figures) {
		for _, s := range f.Rotations {
			for i, part := range []geometry.Summary{s.InOut, s.InStd, s.StdGain, s.GainBias} {
				row := []any{name, s.Site, s.Layer, []string{"in_out", "in_std", "std_gain", "gain_bias"}[i]}
				t.Add(append(row, summaryCells(part)...)...)
			}
		}
	})
	return t
}

// effectTable lists what each norm does to the spread of norms, what a naive swap
// would do by identity 1 beside what it did, and how well the identities hold.
func effectTable(results ...*geometry.Result) *Table {
	t := &Table{
		Title: "Effect of each norm, and of exchanging it",
		Notes: []string{"Swap errors are |out of the other norm - out|/|out|. The identities are checked on a sample of the vectors; the last column holds the runner's own norm to its definition in float64."},
	}
	t.Columns = where(
		Column{Key: "sd_reduction", Name: "sd in / sd out", Format: "%.2f"},
		Column{Key: "swap_mean", Name: "predicted output change", Share: true, Format: "%.3f"},
		Column{Key: "swap_p99", Name: "p99", Share: true, Format: "%.3f", Tied: true},
		Column{Key: "swap_max", Name: "max", Share: true, Format: "%.3f", Tied: true},
		Column{Key: "swap_measured", Name: "measured", Share: true, Format: "%.3f", Tied: true},
		Column{Key: "identity_1", Name: "identity 1", Format: "%.1e"},
		Column{Key: "identity_2", Name: "identity 2", Unit: "deg", Format: "%.1e"},
		Column{Key: "identity_3", Name: "identity 3", Format: "%.1e"},
		Column{Key: "definition", Name: "definition", Format: "%.1e"},
	)
	variants(results, func(name string, r *geometry.Result, f *geometry.Figures) {
		for _, e := range f.Effects {
			var measured any
			if e.MeasuredSwap != nil {
				measured = e.MeasuredSwap.Mean
			}
			k := e.Checks
			row := []any{name, e.Site, e.Layer, e.SDReduction, e.Swap.Mean, e.Swap.P99, e.Swap.Max, measured}
			if k.Count == 0 {
				t.Add(append(row, nil, nil, nil, nil)...)
				continue
			}
			t.Add(append(row, k.Decompose, k.Rotate, k.Energy, k.Definition)...)
		}
	})
	return t
}

// extremeTable lists the hidden vectors furthest from 90 degrees and the longest.
func extremeTable(results ...*geometry.Result) *Table {
	t := &Table{Title: "Vectors that stand out, before a norm"}
	t.Columns = where(
		Column{Key: "by", Left: true}, Column{Key: "window"}, Column{Key: "position"}, Column{Key: "head"},
		Column{Key: "token"}, Column{Key: "text", Left: true},
		Column{Key: "angle", Unit: "deg", Format: "%.2f"}, Column{Key: "norm", Name: "L2 norm", Format: "%.4g"})
	for _, r := range results {
		for by, list := range [][]geometry.SiteExtreme{r.Extremes.Angle, r.Extremes.Norm} {
			for _, e := range list {
				var word any
				if e.Text != "" {
					word = e.Text
				}
				t.Add(r.Model.Name, e.Site, e.Layer, []string{"angle", "norm"}[by], e.Seq, e.Pos, e.Head, int(e.Token), word, e.Angle, e.Norm)
			}
		}
	}
	return t
}

// causeTables are the weights that put a mean into the residual stream: nil tables
// are left out.
func causeTables(results ...*geometry.Result) []*Table {
	rows := &Table{Title: "Embedding rows"}
	rows.Columns = []Column{
		{Key: "model", Left: true}, {Key: "matrix", Left: true}, {Key: "rows"},
		{Key: "mean", Name: "mean of row means", Format: "%.3g", Spread: "sd"},
		{Key: "energy_share", Name: "energy along 1", Share: true, Format: "%.3f"}, {Key: "energy_null", Name: "random", Share: true, Format: "%.3f", Tied: true},
		{Key: "angle", Name: "angle with 1", Unit: "deg", Format: "%.2f", Spread: "sd"},
	}
	writers := &Table{Title: "Matrices that write into the residual stream"}
	writers.Columns = []Column{
		{Key: "model", Left: true}, {Key: "matrix", Left: true}, {Key: "layer"},
		{Key: "rms", Name: "rms of entries", Format: "%.3g"}, {Key: "mean_rms", Name: "rms of column means", Format: "%.3g"},
		{Key: "energy_share", Name: "energy along 1", Share: true, Format: "%.3f"}, {Key: "energy_null", Name: "random", Share: true, Format: "%.3f", Tied: true},
		{Key: "bias_mean", Name: "mean of bias", Format: "%.3g"},
	}
	norms := &Table{Title: "Gains and biases"}
	norms.Columns = []Column{
		{Key: "model", Left: true}, {Key: "site", Left: true},
		{Key: "gain", Format: "%.4g", Spread: "sd"}, {Key: "gain_min", Name: "min", Format: "%.3g", Tied: true}, {Key: "gain_max", Name: "max", Format: "%.3g", Tied: true},
		{Key: "gain_angle", Name: "angle of gain with 1", Unit: "deg", Format: "%.2f"},
		{Key: "bias", Format: "%.3g", Spread: "sd"},
	}
	for _, r := range results {
		if r.Causes == nil {
			continue
		}
		if e := r.Causes.Embedding; e != nil {
			rows.Add(r.Model.Name, e.Name, int64(e.Rows), Spread{e.Mean, e.SD}, e.Share, e.Null, Spread{e.Angle.Mean, e.Angle.SD})
		}
		for _, w := range r.Causes.Writers {
			writers.Add(r.Model.Name, w.Name, w.Layer, w.RMS, w.MeanRMS, w.Share, w.Null, w.Bias)
		}
		for _, n := range r.Causes.Norms {
			row := []any{r.Model.Name, n.Site, nil, nil, nil, nil, nil}
			if n.Gain.Count > 0 {
				row[2], row[3], row[4], row[5] = Spread{n.Gain.Mean, n.Gain.SD}, n.Gain.Min, n.Gain.Max, n.GainAngle
			}
			if n.Bias.Count > 0 {
				row[6] = Spread{n.Bias.Mean, n.Bias.SD}
			}
			norms.Add(row...)
		}
	}
	var out []*Table
	for _, t := range []*Table{rows, writers, norms} {
		if len(t.Rows) > 0 {
			out = append(out, t)
		}
	}
	return out
}

// swapTable compares the whole model with its norms exchanged.
func swapTable(results ...*geometry.Result) *Table {
	t := &Table{Title: "The model with its norms exchanged", Columns: []Column{
		{Key: "model", Left: true}, {Key: "mode", Left: true}, {Key: "tokens"},
		{Key: "kl_mean", Name: "KL from native", Unit: "nats/token", Format: "%.3g"},
		{Key: "top1_agreement", Name: "top-1 agreement", Share: true, Format: "%.2f"},
		{Key: "perplexity", Format: "%.4f"},
	}}
	for _, r := range results {
		for _, m := range r.Swap {
			t.Add(r.Model.Name, m.Mode, m.Tokens, m.KL, m.Top1, m.Perplexity)
		}
	}
	return t
}

// embeddingSwapTable compares encoders with their norms exchanged.
func embeddingSwapTable(results ...*geometry.Result) *Table {
	t := &Table{Title: "The embeddings with all norms exchanged", Columns: []Column{
		{Key: "model", Left: true}, {Key: "mode", Left: true}, {Key: "texts"},
		{Key: "cosine_mean", Name: "mean cosine", Format: "%.4f"}, {Key: "cosine_worst", Name: "worst", Format: "%.4f"},
		{Key: "rank_correlation", Name: "rank correlation", Format: "%.4f"},
		{Key: "same_nearest_neighbor", Name: "same nearest neighbor", Share: true, Format: "%.1f"},
	}}
	for _, r := range results {
		for _, m := range r.EmbeddingSwap {
			t.Add(r.Model.Name, m.Mode, m.Texts, m.Cosine, m.CosineWorst, m.Rank, m.SameNeighbor)
		}
	}
	return t
}

// swapSiteTable puts what identity 1 predicts of exchanging each norm beside what
// was measured: the change of the norm's own output, as a share of it.
func swapSiteTable(results ...*geometry.Result) *Table {
	t := &Table{Title: "Change of each norm's own output when it is exchanged"}
	t.Columns = []Column{
		{Key: "model", Left: true}, {Key: "site", Left: true},
		{Key: "predicted", Name: "by identity 1", Share: true, Format: "%.3f"}, {Key: "measured", Share: true, Format: "%.3f"},
		{Key: "p99", Name: "99 % of tokens below", Share: true, Format: "%.2f"}, {Key: "max", Share: true, Format: "%.1f"},
	}
	for _, r := range results {
		for _, e := range r.Effects {
			if e.MeasuredSwap != nil {
				t.Add(r.Model.Name, e.Site, e.Swap.Mean, e.MeasuredSwap.Mean, e.MeasuredSwap.P99, e.MeasuredSwap.Max)
			}
		}
	}
	return t
}

// histogramTable lists the bars of the angle histograms, one degree wide, and
// 0.05 degrees wide between 84 and 96.
func histogramTable(results ...*geometry.Result) *Table {
	t := &Table{Title: "Angle with the uniform vector, histogram"}
	t.Columns = where(Column{Key: "stage", Left: true}, Column{Key: "width", Unit: "deg"}, Column{Key: "from", Unit: "deg", Format: "%.2f"}, Column{Key: "count"})
	variants(results, func(name string, r *geometry.Result, f *geometry.Figures) {
		for _, s := range f.Sites {
			for _, b := range []geometry.Bars{s.Histogram.Coarse, s.Histogram.Fine} {
				for i, n := range b.Counts {
					t.Add(name, s.Site, s.Layer, s.Stage, b.Width, math.Round(100*(b.From+float64(i)*b.Width))/100, int64(n))
				}
			}
		}
	})
	return t
}
