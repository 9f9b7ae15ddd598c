package report

import (
	"math"
	"slices"

	"github.com/normswap/normswap/geometry"
)

// deviations explains the two spreads of the paper's tables.
const deviations = "± is se_layers, a standard deviation within one layer divided by sqrt(layers); sd is sd_tokens, over all tokens of all layers. Rows marked * are as published: " + publishedSource + "."

// entry is an Entry as the cells mean ± se_layers, sd_tokens.
func entry(e *geometry.Entry) []any {
	if e == nil {
		return []any{nil, nil}
	}
	return []any{Spread{e.Mean, e.SELayers}, e.SDTokens}
}

// cells is a published figure as the same cells.
func (f *figureOf) cells() []any {
	if f == nil {
		return []any{nil, nil}
	}
	return []any{Spread{f.mean, f.se}, nil}
}

// variants yields the tables of r, and those without position 0 if it has them.
func variants(results []*geometry.Result, yield func(name string, r *geometry.Result, f *geometry.Figures)) {
	for _, r := range results {
		yield(r.Model.Name, r, &r.Figures)
		if r.WithoutFirst != nil {
			yield(r.Model.Name+", without position 0", r, r.WithoutFirst)
		}
	}
}

func head(more ...Column) []Column {
	return append([]Column{{Key: "model", Left: true}, {Key: "norm", Left: true}}, more...)
}

func size() []Column { return []Column{{Key: "d"}, {Key: "layers"}} }

// table2 is the paper's Table 2, the mean angle with the uniform vector, for
// these models and beside them the published ones.
func table2(results ...*geometry.Result) *Table {
	t := &Table{Title: "Table 2: angle with the uniform vector, degrees", Columns: head(size()...), Notes: []string{deviations}}
	for _, c := range []Column{{Key: "hidden", Name: "hidden"}, {Key: "post_ln1", Name: "post-LN1"}, {Key: "post_ln2", Name: "post-LN2"}} {
		t.Columns = append(t.Columns,
			Column{Key: c.Key, Name: c.Name, Format: "%.2f", Spread: "se_layers"},
			Column{Key: c.Key + "_sd_tokens", Name: "sd", Format: "%.2f", Tied: true})
	}
	t.Columns = append(t.Columns, Column{Key: "null_sd", Name: "random sd", Format: "%.2f"})
	variants(results, func(name string, r *geometry.Result, f *geometry.Figures) {
		row := []any{name, r.Model.Norm, r.Model.Dim, r.Model.Layers}
		a := f.Tables.Angle
		for _, e := range []*geometry.Entry{a.Hidden, a.PostLN1, a.PostLN2} {
			row = append(row, entry(e)...)
		}
		t.Add(append(row, geometry.NullAngleSD(r.Model.Dim))...)
	})
	for _, p := range published() {
		row := []any{p.name + " *", p.norm, p.dim, p.layers}
		for _, f := range p.angle {
			row = append(row, f.cells()...)
		}
		t.Add(append(row, geometry.NullAngleSD(p.dim))...)
	}
	return t
}

// table3 is the paper's Table 3, the L2 norm with its largest value.
func table3(results ...*geometry.Result) *Table {
	t := &Table{Title: "Table 3: L2 norm", Columns: head(), Notes: []string{deviations}}
	for _, c := range []Column{{Key: "hidden", Name: "hidden"}, {Key: "post_ln1", Name: "post-LN1"}, {Key: "post_ln2", Name: "post-LN2"}} {
		t.Columns = append(t.Columns,
			Column{Key: c.Key, Name: c.Name, Format: "%.2f", Spread: "se_layers"},
			Column{Key: c.Key + "_sd_tokens", Name: "sd", Format: "%.2f", Tied: true},
			Column{Key: c.Key + "_max", Name: "max", Format: "%.1f", Tied: true})
	}
	variants(results, func(name string, r *geometry.Result, f *geometry.Figures) {
		row := []any{name, r.Model.Norm}
		n := f.Tables.Norm
		for _, e := range []*geometry.Entry{n.Hidden, n.PostLN1, n.PostLN2} {
			row = append(row, entry(e)...)
			row = append(row, maxOf(e))
		}
		t.Add(row...)
	})
	for _, p := range published() {
		row := []any{p.name + " *", p.norm}
		for _, f := range p.length {
			row = append(row, f.cells()...)
			if f == nil {
				row = append(row, nil)
			} else {
				row = append(row, f.max)
			}
		}
		t.Add(row...)
	}
	return t
}

func maxOf(e *geometry.Entry) any {
	if e == nil {
		return nil
	}
	return e.Max
}

// table4 is the paper's Table 4, the mean rotation by each norm.
func table4(results ...*geometry.Result) *Table {
	t := &Table{Title: "Table 4: rotation by the norm, degrees", Columns: head(), Notes: []string{deviations}}
	for _, c := range []Column{{Key: "ln1", Name: "LN1"}, {Key: "ln2", Name: "LN2"}} {
		t.Columns = append(t.Columns,
			Column{Key: c.Key, Name: c.Name, Format: "%.2f"},
			Column{Key: c.Key + "_se_layers", Name: "±", Format: "%.2f", Tied: true},
			Column{Key: c.Key + "_sd_tokens", Name: "sd", Format: "%.2f", Tied: true})
	}
	variants(results, func(name string, r *geometry.Result, f *geometry.Figures) {
		row := []any{name, r.Model.Norm}
		for _, e := range []*geometry.Entry{f.Tables.Rotation.LN1, f.Tables.Rotation.LN2} {
			if e == nil {
				row = append(row, nil, nil, nil)
			} else {
				row = append(row, e.Mean, e.SELayers, e.SDTokens)
			}
		}
		t.Add(row...)
	})
	for _, p := range published() {
		row := []any{p.name + " *", p.norm}
		for _, f := range p.rotation {
			var se any // 0: none is given
			switch {
			case f == nil:
				row = append(row, nil, nil, nil)
				continue
			case f.se > 0:
				se = f.se
			}
			row = append(row, f.mean, se, nil)
		}
		t.Add(row...)
	}
	return t
}

// modelTable is one line a model: what was measured.
func modelTable(results ...*geometry.Result) *Table {
	t := &Table{Title: "Models", Columns: []Column{
		{Key: "model", Left: true}, {Key: "architecture", Left: true}, {Key: "norm", Left: true}, {Key: "eps", Format: "%.4g"},
		{Key: "d"}, {Key: "layers"}, {Key: "norms"}, {Key: "parameters"}, {Key: "quantization", Name: "weights", Left: true}, {Key: "tokens"},
	}}
	for _, r := range results {
		m := r.Model
		var parameters, weights any // not every runner knows them
		if m.Parameters > 0 {
			parameters = m.Parameters
		}
		if m.Quantization != "" {
			weights = m.Quantization
		}
		t.Add(m.Name, m.Architecture, m.Norm, m.Eps, m.Dim, m.Layers, len(r.Rotations), parameters, weights, int64(r.Tokens))
	}
	return t
}

// comparisonTable is one line a model: what sets them apart.
func comparisonTable(results ...*geometry.Result) *Table {
	t := &Table{Title: "Comparison", Columns: head(
		Column{Key: "step"},
		Column{Key: "angle", Name: "angle before LN1", Unit: "deg", Format: "%.2f", Spread: "sd_tokens"},
		Column{Key: "energy_share", Name: "energy along 1", Share: true, Format: "%.3f"},
		Column{Key: "energy_null", Name: "random", Share: true, Format: "%.3f"},
		Column{Key: "norm_hidden", Name: "L2 norm before LN1", Format: "%.1f", Spread: "sd_tokens"},
		Column{Key: "rotation", Name: "rotation by LN1", Unit: "deg", Format: "%.2f", Spread: "sd_tokens"},
		Column{Key: "sd_reduction", Name: "sd in / sd out", Format: "%.1f"},
		Column{Key: "output_change_predicted", Name: "predicted output change", Share: true, Format: "%.2f"},
	)}
	for _, r := range results {
		var step, share any
		if r.Step != nil {
			step = *r.Step
		}
		if v, ok := meanShare(&r.Figures); ok {
			share = v
		}
		reduction, swap := meanEffects(&r.Figures)
		t.Add(r.Model.Name, r.Model.Norm, step, spreadOf(r.Tables.Angle.Hidden), share, 1/float64(max(r.Model.Dim, 1)),
			spreadOf(r.Tables.Norm.Hidden), spreadOf(r.Tables.Rotation.LN1), reduction, swap)
	}
	if len(runs(results)) == 0 {
		t.drop(2)
	}
	return t
}

// drop takes a column out.
func (t *Table) drop(i int) {
	t.Columns = slices.Delete(t.Columns, i, i+1)
	for k := range t.Rows {
		t.Rows[k] = slices.Delete(t.Rows[k], i, i+1)
	}
}

func spreadOf(e *geometry.Entry) any {
	if e == nil {
		return nil
	}
	return Spread{e.Mean, e.SDTokens}
}

// meanEffects is the geometric mean of the sd reduction over LN1, and the
// mean of the predicted output change over all norms outside the heads; NaN
// where there are none.
func meanEffects(f *geometry.Figures) (reduction, swap float64) {
	var logs, errors mean
	for _, e := range f.Effects {
		if e.Role == ln1 && e.SDReduction > 0 {
			logs.add(math.Log(e.SDReduction))
		}
		if e.Role != "qk" && e.Swap.Count > 0 {
			errors.add(e.Swap.Mean)
		}
	}
	return math.Exp(logs.value()), errors.value()
}
