package report

import (
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"strconv"

	"github.com/normswap/normswap/geometry"
	"github.com/normswap/normswap/internal/plain"
)

// Sources of a Record's value.
const (
	Measured  = "measured"
	Published = "published" // by the paper
	Chance    = "chance"    // of random directions
)

// A Record is one figure in the long form that data frames like: a row of its own, with
// all that says what it is of. Fields that do not apply are empty.
type Record struct {
	Model       string // name
	ModelSum    string // SHA-256 of its file
	Version     string // of the program
	Text        string
	TextSum     string // SHA-256 of its token ids
	Activations string
	Norm        string // form that norms were given
	Sites       string // that were given it
	Site        string // of the figure
	Layer       string // "" outside the blocks
	Role        string
	Stage       string // in, std, out
	Subset      string // of positions: all, or without_first
	Source      string
	Quantity    string
	Unit        string // "" of counts and ratios
	Value       float64
	SE          float64 // NaN: none
}

var tidyColumns = []string{
	"model", "sha256", "version", "text", "text_sha256", "activations", "norm", "sites", "site", "layer", "role", "stage", "subset", "source", "quantity", "unit", "value", "se",
}

// WriteTidy writes records as CSV, with every digit. Values that are no numbers are
// empty.
func WriteTidy(w io.Writer, records []Record) error {
	c := csv.NewWriter(w)
	_ = c.Write(tidyColumns) // errors come with Error
	cells := func(list ...string) []string {
		for i, cell := range list {
			list[i] = plain.Cell(cell)
		}
		return list
	}
	number := func(v float64) string {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return ""
		}
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	for _, r := range records {
		_ = c.Write(cells(
			r.Model, r.ModelSum, r.Version, r.Text, r.TextSum, r.Activations, r.Norm, r.Sites, r.Site, r.Layer, r.Role, r.Stage, r.Subset, r.Source, r.Quantity, r.Unit,
			number(r.Value), number(r.SE),
		))
	}
	c.Flush()
	if err := c.Error(); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// LayerName is the layer of a Record.
func LayerName(layer int) string {
	if layer < 0 {
		return ""
	}
	return strconv.Itoa(layer)
}

// Records are the figures of geometry runs, and what the paper and chance have to put
// beside them.
func Records(results ...*geometry.Result) []Record {
	var all []Record
	for _, r := range results {
		base := Record{
			Model: r.Model.Name, ModelSum: r.ModelSum, Version: r.Version, Text: r.Text, TextSum: r.Digest, Activations: r.Activations,
			Norm: "native", Sites: "all", Source: Measured, SE: math.NaN(),
		}
		subsets := []struct {
			name string
			f    *geometry.Figures
		}{{"all", &r.Figures}, {"without_first", r.WithoutFirst}}
		for _, s := range subsets {
			if s.f != nil {
				base.Subset = s.name
				all = append(all, figureRecords(base, s.f)...)
			}
		}
		base.Subset = "all"
		for _, m := range r.Swap {
			base.Norm = m.Mode
			for _, q := range []struct {
				name, unit string
				value      float64
			}{{"kl_mean", "nats", m.KL}, {"top1_agreement", "", m.Top1}, {"perplexity", "", m.Perplexity}} {
				base.Quantity, base.Unit, base.Value = q.name, q.unit, q.value
				all = append(all, base)
			}
		}
	}
	for _, p := range published() {
		base := Record{Model: p.name, Norm: "native", Sites: "all", Subset: "all", Source: Published, SE: math.NaN()}
		add := func(role, stage, quantity, unit string, f *figureOf) {
			if f == nil {
				return
			}
			r := base
			r.Role, r.Stage, r.Quantity, r.Unit, r.Value = role, stage, quantity+"_mean", unit, f.mean
			if f.se > 0 {
				r.SE = f.se
			}
			all = append(all, r)
			if f.max > 0 {
				r.Quantity, r.Value, r.SE = quantity+"_max", f.max, math.NaN()
				all = append(all, r)
			}
		}
		for i, at := range [][2]string{{"ln1", "in"}, {"ln1", "out"}, {"ln2", "out"}} {
			add(at[0], at[1], "angle", "degrees", p.angle[i])
			add(at[0], at[1], "norm", "", p.length[i])
		}
		add("ln1", "in_out", "rotation", "degrees", p.rotation[0])
		add("ln2", "in_out", "rotation", "degrees", p.rotation[1])
	}
	return all
}

func figureRecords(base Record, f *geometry.Figures) (all []Record) {
	add := func(r Record, source, quantity, unit string, value float64) {
		r.Source, r.Quantity, r.Unit, r.Value = source, quantity, unit, value
		all = append(all, r)
	}
	summary := func(r Record, quantity, unit string, s geometry.Summary) {
		if s.Count == 0 {
			return
		}
		for _, q := range []struct {
			name  string
			value float64
		}{{"mean", s.Mean}, {"sd", s.SD}, {"min", s.Min}, {"p1", s.P1}, {"p50", s.P50}, {"p99", s.P99}, {"max", s.Max}} {
			add(r, Measured, quantity+"_"+q.name, unit, q.value)
		}
	}
	for _, s := range f.Sites {
		r := base
		r.Site, r.Layer, r.Role, r.Stage = s.Site, LayerName(s.Layer), s.Role, s.Stage
		summary(r, "norm", "", s.Norm)
		summary(r, "angle", "degrees", s.Angle)
		add(r, Chance, "angle_sd", "degrees", s.NullSD)
		add(r, Measured, "energy_share_mean", "", s.Share.Mean)
		add(r, Measured, "energy_share_max", "", s.Share.Max)
		add(r, Chance, "energy_share_mean", "", s.Share.Null)
	}
	for _, s := range f.Rotations {
		r := base
		r.Site, r.Layer, r.Role = s.Site, LayerName(s.Layer), s.Role
		for i, part := range []geometry.Summary{s.InOut, s.InStd, s.StdGain, s.GainBias} {
			r.Stage = []string{"in_out", "in_std", "std_gain", "gain_bias"}[i]
			summary(r, "rotation", "degrees", part)
		}
	}
	for _, e := range f.Effects {
		r := base
		r.Site, r.Layer, r.Role = e.Site, LayerName(e.Layer), e.Role
		add(r, Measured, "sd_reduction", "", e.SDReduction)
		summary(r, "output_change_predicted", "", e.Swap)
		if e.MeasuredSwap != nil {
			summary(r, "output_change_measured", "", *e.MeasuredSwap)
		}
	}
	return all
}
