package report

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/normswap/normswap/geometry"
)

// ComparisonFigures put several models into one plot each.
func ComparisonFigures(results []*geometry.Result) []*Chart {
	angle := &Chart{
		Name: "compare_angle", Title: "Angle with the uniform vector before LN1",
		Caption: "Bands are one standard deviation over tokens.",
		XLabel:  "layer", YLabel: "angle with 1 (degrees)", Levels: []Level{{90, "orthogonal"}},
	}
	share := shareChart("Energy of the mean before LN1")
	share.Name = "compare_energy_share"
	norm := &Chart{
		Name: "compare_norm", Title: "L2 norm before LN1",
		Caption: "Bands are one standard deviation over tokens.",
		XLabel:  "layer", YLabel: "L2 norm", LogY: true,
	}
	turn := &Chart{
		Name: "compare_rotation", Title: "Rotation by LN1",
		Caption: "The angle between what LN1 reads and what it writes. Bands are one standard deviation over tokens.",
		XLabel:  "layer", YLabel: "rotation (degrees)", FromZero: true,
	}
	if d := results[0].Model.Dim; !slices.ContainsFunc(results, func(r *geometry.Result) bool { return r.Model.Dim != d }) {
		share.Levels = []Level{{100 / float64(max(d, 1)), "random direction"}}
	}
	for i, r := range results {
		name := r.Model.Name
		angle.with(series(name, i, stage(r, geometry.LN1, geometry.In, angleOf)))
		norm.with(series(name, i, stage(r, geometry.LN1, geometry.In, normOf)))
		turn.with(series(name, i, rotations(r, geometry.LN1, geometry.InOut)))
		share.with(shares(name, i, r, geometry.LN1))
	}
	return slices.DeleteFunc([]*Chart{angle, share, norm, turn}, func(c *Chart) bool { return c.whole() == nil })
}

// run is the checkpoints of one training run, by step.
type run struct {
	name    string
	results []*geometry.Result
}

// runs groups the results that have a step, in order of first appearance.
func runs(results []*geometry.Result) []run {
	var out []run
	for _, r := range results {
		if r.Step == nil {
			continue
		}
		name := cmp.Or(r.Run, string(r.Model.Norm), r.Model.Name)
		i := slices.IndexFunc(out, func(g run) bool { return g.name == name })
		if i < 0 {
			i = len(out)
			out = append(out, run{name: name})
		}
		out[i].results = append(out[i].results, r)
	}
	for _, g := range out {
		slices.SortStableFunc(g.results, func(a, b *geometry.Result) int { return *a.Step - *b.Step })
	}
	return out
}

// TrainingFigures plot what changes over the checkpoints of training runs:
// the angle with the uniform vector, its energy, the norm and the rotation,
// over all layers before LN1.
func TrainingFigures(results []*geometry.Result) []*Chart {
	groups := runs(results)
	var ticks []Tick
	for _, g := range groups {
		for _, r := range g.results {
			ticks = append(ticks, Tick{float64(*r.Step), strconv.Itoa(*r.Step)})
		}
	}
	chart := func(name, title, unit, caption string) *Chart {
		return &Chart{Name: "training_" + name, Title: title, YLabel: unit, Caption: caption, XLabel: "training step", Steps: true, XTicks: thin(ticks)}
	}
	angle := chart("angle", "Angle with the uniform vector over training", "angle with 1 (degrees)", "Before LN1, all layers. Bands are one standard deviation over tokens.")
	angle.Levels = []Level{{90, "orthogonal"}}
	share := chart("energy_share", "Energy of the mean over training", "energy along 1 (%)", "Before LN1, the mean over all layers and tokens.")
	share.LogY = true
	norm := chart("norm", "L2 norm over training", "L2 norm", "Before LN1, all layers. Bands are one standard deviation over tokens.")
	norm.LogY = true
	turn := chart("rotation", "Rotation by LN1 over training", "rotation (degrees)", "From the input to the output of LN1, all layers. Bands are one standard deviation over tokens.")
	turn.FromZero = true
	for i, g := range groups {
		for _, plot := range []struct {
			c    *Chart
			pick func(*geometry.Result) *geometry.Entry
		}{
			{angle, func(r *geometry.Result) *geometry.Entry { return r.Tables.Angle.Hidden }},
			{norm, func(r *geometry.Result) *geometry.Entry { return r.Tables.Norm.Hidden }},
			{turn, func(r *geometry.Result) *geometry.Entry { return r.Tables.Rotation.LN1 }},
		} {
			s := Series{Label: g.name, Color: i}
			for _, r := range g.results {
				if e := plot.pick(r); e != nil {
					s.X = append(s.X, float64(*r.Step))
					s.Y = append(s.Y, e.Mean)
					s.Lo = append(s.Lo, e.Mean-e.SDTokens)
					s.Hi = append(s.Hi, e.Mean+e.SDTokens)
				}
			}
			plot.c.with(s, len(s.X) > 0)
		}
		s := Series{Label: g.name, Color: i}
		for _, r := range g.results {
			if v, ok := meanShare(&r.Figures); ok {
				s.X = append(s.X, float64(*r.Step))
				s.Y = append(s.Y, 100*v)
			}
		}
		share.with(s, len(s.X) > 0)
		if d := g.results[0].Model.Dim; d > 0 && share.Levels == nil {
			share.Levels = []Level{{100 / float64(d), "random direction"}}
		}
	}
	return slices.DeleteFunc([]*Chart{angle, share, norm, turn}, func(c *Chart) bool { return c.whole() == nil })
}

// meanShare is the mean energy along the uniform vector before LN1, over all
// layers.
func meanShare(r *geometry.Figures) (float64, bool) {
	var m geometry.Moments
	for _, f := range r.Sites {
		if f.Role == geometry.LN1 && f.Stage == geometry.In.String() && f.Angle.Count > 0 {
			m.Add(f.Share.Mean)
		}
	}
	return m.Mean, m.N > 0
}

// thin drops ticks whose labels would run into one another on a step axis:
// of two steps within a factor of 1.4, the later keeps its place.
func thin(ticks []Tick) []Tick {
	slices.SortFunc(ticks, func(a, b Tick) int { return cmp.Compare(a.Value, b.Value) })
	var out []Tick
	for i := len(ticks) - 1; i >= 0; i-- {
		if len(out) == 0 || out[len(out)-1].Value > 1.4*ticks[i].Value {
			out = append(out, ticks[i])
		}
	}
	slices.Reverse(out)
	return out
}
