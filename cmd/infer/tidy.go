package main

import (
	"math"
	"reflect"
	"strconv"
	"strings"

	"github.com/normswap/normswap/eval"
	"github.com/normswap/normswap/report"
)

// units are those of quantities by the beginning of their names; the others are ratios,
// shares and counts.
var units = map[string]string{"kl_": "nats", "tokens_per_second": "tokens/s"}

// records are the figures of a struct whose JSON names quantities: its fields of type
// eval.Number, each with the standard error that has its name.
func records(base report.Record, figures any) (all []report.Record) {
	type field struct {
		name  string
		value float64
	}
	var found []field
	errors := map[string]float64{}
	var collect func(v reflect.Value)
	collect = func(v reflect.Value) {
		if v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return
			}
			v = v.Elem()
		}
		for i := range v.NumField() {
			f := v.Type().Field(i)
			x := v.Field(i)
			if f.Anonymous {
				collect(x)
				continue
			}
			if x.Kind() == reflect.Pointer && !x.IsNil() {
				x = x.Elem()
			}
			n, ok := x.Interface().(eval.Number)
			if !ok {
				continue
			}
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if of, ok := strings.CutSuffix(name, "_se"); ok {
				errors[of] = float64(n)
			} else {
				found = append(found, field{name, float64(n)})
			}
		}
	}
	collect(reflect.ValueOf(figures))
	for _, f := range found {
		r := base
		r.Source, r.Subset, r.Quantity, r.Value = report.Measured, "all", f.name, f.value
		for start, unit := range units {
			if strings.HasPrefix(f.name, start) {
				r.Unit = unit
			}
		}
		r.SE = math.NaN()
		for _, of := range []string{f.name, strings.TrimSuffix(f.name, "_mean")} {
			if se, ok := errors[of]; ok {
				r.SE = se
			}
		}
		all = append(all, r)
	}
	return all
}

// compareRecords are the figures of a comparison.
func compareRecords(r *eval.Report) (all []report.Record) {
	for i := range r.Norms {
		f := &r.Norms[i].Figures
		sites := r.NormLayers
		if sites == "" {
			sites = "all"
		}
		all = append(all, records(report.Record{
			Model: r.Model, ModelSum: r.ModelSum, Version: r.Version, Text: r.Text, TextSum: r.IDs, Activations: r.Activations, Norm: f.Norm, Sites: sites,
		}, f)...)
	}
	return all
}

// embeddingRecords are those of a comparison of encoders.
func embeddingRecords(r *eval.EmbeddingReport) (all []report.Record) {
	for i := range r.Norms {
		all = append(all, records(report.Record{
			Model: r.Model, ModelSum: r.ModelSum, Version: r.Version, Text: r.Text, TextSum: r.IDs, Activations: r.Activations, Norm: r.Norms[i].Norm, Sites: "all",
		}, &r.Norms[i])...)
	}
	return all
}

// sweepRecords are those of a sweep.
func sweepRecords(r *eval.SweepReport) (all []report.Record) {
	for i := range r.Rows {
		row := &r.Rows[i]
		base := report.Record{
			Model: r.Model, ModelSum: r.ModelSum, Version: r.Version, Text: r.Text, TextSum: r.IDs, Activations: r.Activations, Norm: r.Norm, Sites: row.Name(), Site: row.Site, Role: row.Role,
		}
		if row.Layer != nil {
			base.Layer = report.LayerName(*row.Layer)
		}
		all = append(all, records(base, row)...)
	}
	return all
}

// dimensionRecords are those of the dimensions of norms.
func dimensionRecords(d *dimensionsReport) (all []report.Record) {
	for _, s := range d.Sites {
		for i := range s.Top {
			base := report.Record{
				Model: d.Model, ModelSum: d.ModelSum, Version: d.Version, Text: d.Text, TextSum: d.IDs, Activations: d.Activations, Norm: d.Norm, Sites: "all",
				Site: s.Site, Layer: report.LayerName(s.Layer), Role: s.Role, Stage: "in",
			}
			for _, r := range records(base, &s.Top[i]) {
				r.Quantity += "[" + strconv.Itoa(s.Top[i].Index) + "]"
				all = append(all, r)
			}
		}
	}
	return all
}
