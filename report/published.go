package report

import (
	"slices"

	"github.com/normswap/normswap/geometry"
)

// figureOf is a published figure: a mean, the paper's "+-" (0: none is given) and,
// for norms, the largest value seen.
type figureOf struct{ mean, se, max float64 }

// publishedModel is a model's row in the paper's tables; nil where the paper
// has no entry or where it is not transcribed here.
type publishedModel struct {
	name, norm  string
	dim, layers int
	angle       [3]*figureOf // Table 2: hidden, post-LN1, post-LN2; degrees
	length      [3]*figureOf // Table 3, the same
	rotation    [2]*figureOf // Table 4: LN1, LN2; degrees
}

// publishedSource names where the figures of published stand.
const publishedSource = "Gupta, Ozdemir, Anumanchipalli: Geometric Interpretation of Layer Normalization and a Comparative Analysis with RMSNorm, arXiv 2409.12951 v2, Tables 2 to 4 (one million Wikipedia tokens per model)"

// published returns the paper's figures, for the rows of a comparison.
func published() []publishedModel {
	s := func(mean, se float64) *figureOf { return &figureOf{mean: mean, se: se} }
	m := func(mean, se, max float64) *figureOf { return &figureOf{mean, se, max} }
	return []publishedModel{
		{"GPT-2 XL", "layernorm", 1600, 48,
			[3]*figureOf{s(101.48, 3.20), s(89.95, 1.30), s(89.63, 1.30)},
			[3]*figureOf{m(236.85, 37.02, 7186.44), m(21.42, 0.47, 37.42), m(23.79, 0.49, 38.51)},
			[2]*figureOf{s(30.46, 1.68), s(32.68, 1.60)}},
		{"GPT-Neo 1.3B", "layernorm", 2048, 24,
			[3]*figureOf{s(89.63, 1.84), s(88.85, 1.82), s(89.47, 1.84)},
			[3]*figureOf{m(811.84, 40.29, 5961.95), nil, nil}, [2]*figureOf{s(49.09, 0), s(52.82, 0)}},
		{"Pythia-1.4B", "layernorm", 2048, 24,
			[3]*figureOf{s(89.88, 1.84), s(88.74, 1.81), s(89.39, 1.83)},
			[3]*figureOf{m(77.94, 13.17, 1373.85), nil, nil}, [2]*figureOf{s(12.35, 0), s(21.70, 0)}},
		{"GPT-J 6B", "layernorm", 4096, 28,
			[3]*figureOf{s(88.74, 1.68), s(89.59, 1.69), nil},
			[3]*figureOf{m(110.88, 30.02, 4757.86), nil, nil}, [2]*figureOf{s(19.55, 0), nil}},
		{"Pythia-6.9B", "layernorm", 4096, 32,
			[3]*figureOf{s(89.27, 1.58), s(89.02, 1.57), s(88.97, 1.57)},
			[3]*figureOf{m(216.04, 24.61, 3119.49), m(79.65, 1.56, 133.55), m(42.18, 1.03, 65.39)},
			[2]*figureOf{s(11.02, 0), s(28.66, 0)}},
		{"Llama-2-7B", "rmsnorm", 4096, 32,
			[3]*figureOf{s(89.47, 0.15), s(89.48, 0.14), s(89.72, 0.15)},
			[3]*figureOf{m(44.30, 19.55, 3287.86), nil, nil}, [2]*figureOf{s(17.13, 0), s(23.48, 0)}},
		{"Llama-3-8B", "rmsnorm", 4096, 32,
			[3]*figureOf{s(90.01, 0.15), s(90.15, 0.15), s(89.97, 0.15)},
			[3]*figureOf{m(12.12, 3.15, 549.19), m(29.46, 0.59, 46.21), m(21.30, 0.49, 39.67)},
			[2]*figureOf{s(19.64, 0), s(24.55, 0)}},
	}
}

// publishedCharts put the means of models beside those of the paper's Tables 2 to 4: a
// place of the x axis for each model.
func publishedCharts(results []*geometry.Result) []*chart {
	angle := &chart{Name: "published_angle", Title: "Angle with the uniform vector, beside the paper's", YLabel: "angle with 1 (degrees)", Levels: []level{{90, "orthogonal"}}}
	length := &chart{Name: "published_norm", Title: "L2 norm, beside the paper's", YLabel: "L2 norm", LogY: true}
	rotation := &chart{Name: "published_rotation", Title: "Rotation by the norm, beside the paper's", YLabel: "rotation (degrees)", FromZero: true}
	type quantity struct {
		c         *chart
		measured  func(t *geometry.Tables) []*geometry.Entry
		published func(p *publishedModel) []*figureOf
		labels    []string
	}
	stages := []string{"before LN1", "after LN1", "after LN2"}
	charts := []*chart{angle, length, rotation}
	for _, q := range []quantity{
		{angle, func(t *geometry.Tables) []*geometry.Entry {
			return []*geometry.Entry{t.Angle.Hidden, t.Angle.PostLN1, t.Angle.PostLN2}
		}, func(p *publishedModel) []*figureOf { return p.angle[:] }, stages},
		{length, func(t *geometry.Tables) []*geometry.Entry {
			return []*geometry.Entry{t.Norm.Hidden, t.Norm.PostLN1, t.Norm.PostLN2}
		}, func(p *publishedModel) []*figureOf { return p.length[:] }, stages},
		{rotation, func(t *geometry.Tables) []*geometry.Entry { return []*geometry.Entry{t.Rotation.LN1, t.Rotation.LN2} }, func(p *publishedModel) []*figureOf { return p.rotation[:] }, []string{"LN1", "LN2"}},
	} {
		q.c.Caption = "Means over layers and tokens; bars are se_layers, as in the paper's tables. Models marked * are as published: " + publishedSource + "."
		for i, label := range q.labels {
			s := curve{Label: label, Color: i, Bars: true, Points: true}
			add := func(at int, mean, se float64) {
				x := float64(at) + 0.14*(float64(i)-float64(len(q.labels)-1)/2)
				s.X, s.Y, s.Lo, s.Hi = append(s.X, x), append(s.Y, mean), append(s.Lo, mean-se), append(s.Hi, mean+se)
			}
			for at, r := range results {
				if e := q.measured(&r.Tables)[i]; e != nil {
					add(at, e.Mean, e.SELayers)
				}
			}
			if len(s.X) == 0 {
				continue
			}
			for at, p := range published() {
				if f := q.published(&p)[i]; f != nil {
					add(len(results)+at, f.mean, f.se)
				}
			}
			q.c.Series = append(q.c.Series, s)
		}
		for at, r := range results {
			q.c.XTicks = append(q.c.XTicks, tick{float64(at), short(r.Model.Name)})
		}
		for at, p := range published() {
			q.c.XTicks = append(q.c.XTicks, tick{float64(len(results) + at), p.name + " *"})
		}
	}
	return slices.DeleteFunc(charts, func(c *chart) bool { return c.whole() == nil })
}

// short is the beginning of a name, for a place on an axis.
func short(name string) string {
	const most = 14
	if r := []rune(name); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return name
}
