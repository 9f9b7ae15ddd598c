package report

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/normswap/normswap/geometry"
)

// modelCharts returns the plots of one model: the paper's Figures 3 to 5, their
// counterparts in the appendix, and the tails that the paper's means hide. A plot
// without data is left out.
func modelCharts(r *geometry.Result) []*chart {
	charts := []*chart{normByLayer(r), angleByLayer(r), rotationByLayer(r), rotationParts(r), shareByLayer(r)}
	charts = append(charts, angleHistograms(r)...)
	return slices.DeleteFunc(charts, func(c *chart) bool { return c == nil })
}

// The roles of geometry.json that have plots of their own.
const (
	ln1  = "ln1"
	ln2  = "ln2"
	post = "post"
)

// point is a figure of one layer.
type point struct {
	layer int
	s     geometry.Summary
}

// series lays points out by layer, with a band of one standard deviation.
func series(label string, color int, points []point) (s curve, ok bool) {
	s = curve{Label: label, Color: color}
	for _, p := range points {
		if p.s.Count > 0 && p.layer >= 0 {
			s.X = append(s.X, float64(p.layer))
			s.Y = append(s.Y, p.s.Mean)
			s.Lo = append(s.Lo, p.s.Mean-p.s.SD)
			s.Hi = append(s.Hi, p.s.Mean+p.s.SD)
		}
	}
	return s, len(s.X) > 0
}

func (c *chart) with(s curve, ok bool) {
	if ok {
		c.Series = append(c.Series, s)
	}
}

// whole returns the chart, or nil when it has nothing to show.
func (c *chart) whole() *chart {
	if len(c.Series) == 0 {
		return nil
	}
	return c
}

func stage(r *geometry.Result, role string, s string, pick func(*geometry.SiteFigures) geometry.Summary) []point {
	var out []point
	for i := range r.Sites {
		f := &r.Sites[i]
		if f.Role == role && f.Stage == s {
			out = append(out, point{f.Layer, pick(f)})
		}
	}
	return out
}

func normOf(f *geometry.SiteFigures) geometry.Summary  { return f.Norm }
func angleOf(f *geometry.SiteFigures) geometry.Summary { return f.Angle }

// normByLayer is the paper's Figure 4 (7, 8): the L2 norm before LN1, after
// LN1 and after LN2.
func normByLayer(r *geometry.Result) *chart {
	c := &chart{
		Name: "norm_by_layer", Title: "L2 norm of hidden vectors, " + r.Model.Name,
		Caption: "What enters the norms and what leaves them. Lines are means over tokens, bands one standard deviation (the paper's Figure 4).",
		XLabel:  "layer", YLabel: "L2 norm", FromZero: true,
	}
	c.with(series("before LN1", 0, stage(r, ln1, "in", normOf)))
	c.with(series("after LN1", 1, stage(r, ln1, "out", normOf)))
	c.with(series("after LN2", 2, stage(r, ln2, "out", normOf)))
	c.with(series("before post-norm", 3, stage(r, post, "in", normOf)))
	c.with(series("after post-norm", 4, stage(r, post, "out", normOf)))
	lo, hi := math.Inf(1), 0.0
	for _, s := range c.Series {
		for _, v := range s.Y {
			lo, hi = min(lo, v), max(hi, v)
		}
	}
	c.LogY = lo > 0 && hi > 20*lo
	return c.whole()
}

// angleByLayer is Table 2 by layer: the angle with the uniform vector. The
// band is one standard deviation; the dashed lines are the 1st and 99th
// percentiles before LN1.
func angleByLayer(r *geometry.Result) *chart {
	c := &chart{
		Name: "angle_by_layer", Title: "Angle with the uniform vector, " + r.Model.Name,
		XLabel: "layer", YLabel: "angle with 1 (degrees)",
		Levels: []level{{90, "orthogonal"}},
		Caption: fmt.Sprintf("At 90 degrees the mean is zero and the two norms agree. Bands are one standard deviation over tokens; random directions in %d dimensions have %.2f degrees. The dashed lines are the 1st and 99th percentile before LN1.",
			r.Model.Dim, geometry.NullAngleSD(max(r.Model.Dim, 1))),
	}
	before := stage(r, ln1, "in", angleOf)
	c.with(series("before LN1", 0, before))
	c.with(series("after LN1", 1, stage(r, ln1, "out", angleOf)))
	c.with(series("after LN2", 2, stage(r, ln2, "out", angleOf)))
	c.with(series("after post-norm", 4, stage(r, post, "out", angleOf)))
	for i, label := range []string{"1 % and 99 %", ""} {
		s := curve{Label: label, Dashed: true}
		for _, p := range before {
			if p.s.Count > 0 {
				s.X = append(s.X, float64(p.layer))
				s.Y = append(s.Y, []float64{p.s.P1, p.s.P99}[i])
			}
		}
		c.with(s, len(s.X) > 0)
	}
	return c.whole()
}

// rotationByLayer is the paper's Figure 3 (9, 10): the angle between what a
// norm reads and what it writes.
func rotationByLayer(r *geometry.Result) *chart {
	c := &chart{
		Name: "rotation_by_layer", Title: "Rotation by the norm, " + r.Model.Name,
		Caption: "The angle between a norm's input and its output, gain and bias included (the paper's Figure 3). Bands are one standard deviation over tokens.",
		XLabel:  "layer", YLabel: "rotation (degrees)", FromZero: true,
	}
	c.with(series("LN1", 0, rotations(r, ln1, wholeRotation)))
	c.with(series("LN2", 1, rotations(r, ln2, wholeRotation)))
	c.with(series("post-norms", 2, rotations(r, post, wholeRotation)))
	return c.whole()
}

func rotations(r *geometry.Result, role string, pick func(*geometry.RotationFigures) geometry.Summary) []point {
	var out []point
	for i := range r.Rotations {
		if f := &r.Rotations[i]; f.Role == role {
			out = append(out, point{f.Layer, pick(f)})
		}
	}
	return out
}

func wholeRotation(f *geometry.RotationFigures) geometry.Summary { return f.InOut }

// rotationParts splits the rotation of LN1 into its three steps.
func rotationParts(r *geometry.Result) *chart {
	c := &chart{
		Name: "rotation_parts", Title: "Where LN1's rotation comes from, " + r.Model.Name,
		Caption: "Standardising turns a vector by |90° − θ| under LayerNorm and not at all under RMSNorm; the rest is the learned gain and bias. The steps do not add up: each turns in its own plane.",
		XLabel:  "layer", YLabel: "rotation (degrees)", FromZero: true,
	}
	for i, part := range []struct {
		label string
		pick  func(*geometry.RotationFigures) geometry.Summary
	}{
		{"whole", wholeRotation},
		{"standardising", func(f *geometry.RotationFigures) geometry.Summary { return f.InStd }},
		{"gain", func(f *geometry.RotationFigures) geometry.Summary { return f.StdGain }},
		{"bias", func(f *geometry.RotationFigures) geometry.Summary { return f.GainBias }},
	} {
		s, ok := series(part.label, i, rotations(r, ln1, part.pick))
		s.Lo, s.Hi = nil, nil
		c.with(s, ok)
	}
	return c.whole()
}

// shareByLayer is the energy along the uniform vector before each norm of the
// blocks, beside that of a random direction.
func shareByLayer(r *geometry.Result) *chart {
	c := shareChart("Energy of the mean, " + r.Model.Name)
	for i, role := range []string{ln1, ln2, post} {
		c.with(shares([]string{"before LN1", "before LN2", "before post-norms"}[i], i, r, role))
	}
	if r.Model.Dim > 0 {
		c.Levels = []level{{100 / float64(r.Model.Dim), "random direction"}}
	}
	return c.whole()
}

func shareChart(title string) *chart {
	return &chart{
		Name: "energy_share", Title: title,
		Caption: "The share of a vector's energy that lies along the uniform vector, cos²θ: what LayerNorm removes and RMSNorm keeps. Means over tokens.",
		XLabel:  "layer", YLabel: "energy along 1 (%)", LogY: true,
	}
}

func shares(label string, color int, r *geometry.Result, role string) (curve, bool) {
	s := curve{Label: label, Color: color}
	for _, f := range r.Sites {
		if f.Role == role && f.Stage == "in" && f.Angle.Count > 0 {
			s.X = append(s.X, float64(f.Layer))
			s.Y = append(s.Y, 100*f.Share.Mean)
		}
	}
	return s, len(s.X) > 0
}

// angleHistograms are the paper's Figures 5 and 11 to 13: the angle with the
// uniform vector before and after LN1, in the layer three quarters of the way
// up and in the first and the last.
func angleHistograms(r *geometry.Result) []*chart {
	var layers []int
	for _, f := range r.Sites {
		if f.Role == ln1 && f.Stage == "in" && f.Angle.Count > 0 {
			layers = append(layers, f.Layer)
		}
	}
	if len(layers) == 0 {
		return nil
	}
	var out []*chart
	pick := []int{layers[len(layers)*3/4], layers[0], layers[len(layers)-1]}
	for i, layer := range pick {
		if !slices.Contains(pick[:i], layer) {
			out = append(out, angleHistogram(r, layer))
		}
	}
	return out
}

func angleHistogram(r *geometry.Result, layer int) *chart {
	c := &chart{
		Name: "angle_histogram_" + strconv.Itoa(layer), Title: fmt.Sprintf("Angle with the uniform vector in layer %d, %s", layer, r.Model.Name),
		Caption: "Before and after LN1 (the paper's Figure 5). The dashed curve is the density of random directions.",
		XLabel:  "angle with 1 (degrees)", YLabel: "share of tokens per degree (%)", FromZero: true,
	}
	var pair []*geometry.SiteFigures
	lo, hi := 90.0, 90.0
	null := 0.0
	for i := range r.Sites {
		f := &r.Sites[i]
		if f.Role == ln1 && f.Layer == layer && f.Stage != "std" && len(pair) < 2 { // of the first such norm
			pair = append(pair, f)
			lo, hi = min(lo, f.Angle.P1), max(hi, f.Angle.P99)
			null = f.NullSD
		}
	}
	lo, hi = min(lo, 90-3*null), max(hi, 90+3*null)
	lo, hi = max(lo-0.05*(hi-lo), 0), min(hi+0.05*(hi-lo), 180)
	for i, f := range pair {
		// The fine histogram covers 84 to 96 degrees only. Its bars are made a
		// quarter of the spread wide.
		b, width := f.Histogram.Coarse, 1.0
		if f.Angle.Min >= 84 && f.Angle.Max < 96 {
			b, width = f.Histogram.Fine, min(max(f.Angle.SD/4, 0.05), 1)
		}
		c.with(histogram([]string{"before LN1", "after LN1"}[i], i, b, width, lo, hi, f.Angle.Count))
	}
	density := curve{Label: "random directions", Dashed: true, Color: 2}
	for i := range 200 {
		x := lo + (hi-lo)*float64(i)/199
		z := (x - 90) / null
		density.X = append(density.X, x)
		density.Y = append(density.Y, 100*math.Exp(-z*z/2)/(null*math.Sqrt(2*math.Pi)))
	}
	c.with(density, null > 0)
	return c
}

// histogram regroups bars to a width and gives them in percent per degree,
// from the bar at lo to the one at hi.
func histogram(label string, color int, b geometry.Bars, width, lo, hi float64, count uint64) (curve, bool) {
	s := curve{Label: label, Color: color, Histogram: true}
	if len(b.Counts) == 0 {
		return s, false
	}
	per := max(int(math.Round(width/b.Width)), 1)
	width = float64(per) * b.Width
	start := math.Floor(lo/width) * width
	n := int(math.Ceil((hi - start) / width))
	s.Y = make([]float64, n)
	for i := range n + 1 {
		s.X = append(s.X, start+float64(i)*width)
	}
	for i, k := range b.Counts {
		at := b.From + (float64(i)+0.5)*b.Width
		if bar := int((at - start) / width); at >= start && bar < n {
			s.Y[bar] += 100 * float64(k) / (width * float64(count))
		}
	}
	return s, true
}
