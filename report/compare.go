package report

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/normswap/normswap/geometry"
)

// comparisonCharts put several models into one plot each.
func comparisonCharts(results []*geometry.Result) []*chart {
	angle := &chart{
		Name: "compare_angle", Title: "Angle with the uniform vector before LN1",
		Caption: "Bands are one standard deviation over tokens.",
		XLabel:  "layer", YLabel: "angle with 1 (degrees)", Levels: []level{{90, "orthogonal"}},
	}
	share := shareChart("Energy of the mean before LN1")
	share.Name = "compare_energy_share"
	norm := &chart{
		Name: "compare_norm", Title: "L2 norm before LN1",
		Caption: "Bands are one standard deviation over tokens.",
		XLabel:  "layer", YLabel: "L2 norm", LogY: true,
	}
	rotation := &chart{
		Name: "compare_rotation", Title: "Rotation by LN1",
		Caption: "The angle between what LN1 reads and what it writes. Bands are one standard deviation over tokens.",
		XLabel:  "layer", YLabel: "rotation (degrees)", FromZero: true,
	}
	if d := results[0].Model.Dim; !slices.ContainsFunc(results, func(r *geometry.Result) bool { return r.Model.Dim != d }) {
		share.Levels = []level{{100 / float64(max(d, 1)), "random direction"}}
	}
	for i, r := range results {
		name := r.Model.Name
		angle.with(series(name, i, stage(r, ln1, "in", angleOf)))
		norm.with(series(name, i, stage(r, ln1, "in", normOf)))
		rotation.with(series(name, i, rotations(r, ln1, wholeRotation)))
		share.with(shares(name, i, r, ln1))
	}
	return slices.DeleteFunc([]*chart{angle, share, norm, rotation}, func(c *chart) bool { return c.whole() == nil })
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
		name := cmp.Or(r.Run, r.Model.Norm, r.Model.Name)
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

// trainingCharts plot what changes over the checkpoints of training runs:
// the angle with the uniform vector, its energy, the norm and the rotation,
// over all layers before LN1.
func trainingCharts(results []*geometry.Result) []*chart {
	groups := runs(results)
	var ticks []tick
	for _, g := range groups {
		for _, r := range g.results {
			ticks = append(ticks, tick{float64(*r.Step), strconv.Itoa(*r.Step)})
		}
	}
	training := func(name, title, unit, caption string) *chart {
		return &chart{Name: "training_" + name, Title: title, YLabel: unit, Caption: caption, XLabel: "training step", Steps: true, XTicks: thin(ticks)}
	}
	angle := training("angle", "Angle with the uniform vector over training", "angle with 1 (degrees)", "Before LN1, all layers. Bands are one standard deviation over tokens.")
	angle.Levels = []level{{90, "orthogonal"}}
	share := training("energy_share", "Energy of the mean over training", "energy along 1 (%)", "Before LN1, the mean over all layers and tokens.")
	share.LogY = true
	norm := training("norm", "L2 norm over training", "L2 norm", "Before LN1, all layers. Bands are one standard deviation over tokens.")
	norm.LogY = true
	rotation := training("rotation", "Rotation by LN1 over training", "rotation (degrees)", "From the input to the output of LN1, all layers. Bands are one standard deviation over tokens.")
	rotation.FromZero = true
	for i, g := range groups {
		for _, plot := range []struct {
			c    *chart
			pick func(*geometry.Result) *geometry.Entry
		}{
			{angle, func(r *geometry.Result) *geometry.Entry { return r.Tables.Angle.Hidden }},
			{norm, func(r *geometry.Result) *geometry.Entry { return r.Tables.Norm.Hidden }},
			{rotation, func(r *geometry.Result) *geometry.Entry { return r.Tables.Rotation.LN1 }},
		} {
			s := curve{Label: g.name, Color: i}
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
		s := curve{Label: g.name, Color: i}
		for _, r := range g.results {
			if v, ok := meanShare(&r.Figures); ok {
				s.X = append(s.X, float64(*r.Step))
				s.Y = append(s.Y, 100*v)
			}
		}
		share.with(s, len(s.X) > 0)
		if d := g.results[0].Model.Dim; d > 0 && share.Levels == nil {
			share.Levels = []level{{100 / float64(d), "random direction"}}
		}
	}
	return slices.DeleteFunc([]*chart{angle, share, norm, rotation}, func(c *chart) bool { return c.whole() == nil })
}

// meanShare is the mean energy along the uniform vector before LN1, over all
// layers.
func meanShare(r *geometry.Figures) (float64, bool) {
	var m mean
	for _, f := range r.Sites {
		if f.Role == ln1 && f.Stage == "in" && f.Angle.Count > 0 {
			m.add(f.Share.Mean)
		}
	}
	return m.value(), m.n > 0
}

// mean is the mean of numbers; NaN of none.
type mean struct {
	sum float64
	n   int
}

func (m *mean) add(x float64) { m.sum, m.n = m.sum+x, m.n+1 }

func (m *mean) value() float64 { return m.sum / float64(m.n) }

// thin drops ticks whose labels would run into one another on a step axis:
// of two steps within a factor of 1.4, the later keeps its place.
func thin(ticks []tick) []tick {
	slices.SortFunc(ticks, func(a, b tick) int { return cmp.Compare(a.Value, b.Value) })
	var out []tick
	for i := len(ticks) - 1; i >= 0; i-- {
		if len(out) == 0 || out[len(out)-1].Value > 1.4*ticks[i].Value {
			out = append(out, ticks[i])
		}
	}
	slices.Reverse(out)
	return out
}
