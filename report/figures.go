package report

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/normswap/normswap/geometry"
)

// Figures returns the plots of one model: the paper's Figures 3 to 5, their
// kin of the appendix, and the tails that the paper's means hide. A plot that
// the model has no data for is left out.
func Figures(r *geometry.Result) []*Chart {
	charts := []*Chart{NormByLayer(r), AngleByLayer(r), RotationByLayer(r), RotationParts(r), ShareByLayer(r)}
	charts = append(charts, AngleHistograms(r)...)
	return slices.DeleteFunc(charts, func(c *Chart) bool { return c == nil })
}

// point is a figure of one layer.
type point struct {
	layer int
	s     geometry.Summary
}

// series lays points out by layer, with a band of one standard deviation.
func series(label string, color int, points []point) (s Series, ok bool) {
	s = Series{Label: label, Color: color}
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

func (c *Chart) with(s Series, ok bool) {
	if ok {
		c.Series = append(c.Series, s)
	}
}

// whole returns the chart, or nil when it has nothing to show.
func (c *Chart) whole() *Chart {
	if len(c.Series) == 0 {
		return nil
	}
	return c
}

func stage(r *geometry.Result, role geometry.Role, s geometry.Stage, pick func(*geometry.SiteFigures) geometry.Summary) []point {
	var out []point
	for i := range r.Sites {
		f := &r.Sites[i]
		if f.Role == role && f.Stage == s.String() {
			out = append(out, point{f.Layer, pick(f)})
		}
	}
	return out
}

func normOf(f *geometry.SiteFigures) geometry.Summary  { return f.Norm }
func angleOf(f *geometry.SiteFigures) geometry.Summary { return f.Angle }

// NormByLayer is the paper's Figure 4 (7, 8): the L2 norm before LN1, after
// LN1 and after LN2.
func NormByLayer(r *geometry.Result) *Chart {
	c := &Chart{
		Name: "norm_by_layer", Title: "L2 norm of hidden vectors, " + r.Model.Name,
		Caption: "What enters the norms and what leaves them. Lines are means over tokens, bands one standard deviation (the paper's Figure 4).",
		XLabel:  "layer", YLabel: "L2 norm", FromZero: true,
	}
	c.with(series("before LN1", 0, stage(r, geometry.LN1, geometry.In, normOf)))
	c.with(series("after LN1", 1, stage(r, geometry.LN1, geometry.Out, normOf)))
	c.with(series("after LN2", 2, stage(r, geometry.LN2, geometry.Out, normOf)))
	c.with(series("before post-norm", 3, stage(r, geometry.Post, geometry.In, normOf)))
	c.with(series("after post-norm", 4, stage(r, geometry.Post, geometry.Out, normOf)))
	lo, hi := math.Inf(1), 0.0
	for _, s := range c.Series {
		for _, v := range s.Y {
			lo, hi = min(lo, v), max(hi, v)
		}
	}
	c.LogY = lo > 0 && hi > 20*lo
	return c.whole()
}

// AngleByLayer is Table 2 by layer: the angle with the uniform vector. The
// band is one standard deviation; the dashed lines are the 1st and 99th
// percentiles before LN1.
func AngleByLayer(r *geometry.Result) *Chart {
	c := &Chart{
		Name: "angle_by_layer", Title: "Angle with the uniform vector, " + r.Model.Name,
		XLabel: "layer", YLabel: "angle with 1 (degrees)",
		Levels: []Level{{90, "orthogonal"}},
		Caption: fmt.Sprintf("At 90 degrees the mean is zero and the two norms agree. Bands are one standard deviation over tokens; random directions in %d dimensions have %.2f degrees. The dashed lines are the 1st and 99th percentile before LN1.",
			r.Model.Dim, geometry.NullAngleSD(max(r.Model.Dim, 1))),
	}
	before := stage(r, geometry.LN1, geometry.In, angleOf)
	c.with(series("before LN1", 0, before))
	c.with(series("after LN1", 1, stage(r, geometry.LN1, geometry.Out, angleOf)))
	c.with(series("after LN2", 2, stage(r, geometry.LN2, geometry.Out, angleOf)))
	c.with(series("after post-norm", 4, stage(r, geometry.Post, geometry.Out, angleOf)))
	for i, label := range []string{"1 % and 99 %", ""} {
		s := Series{Label: label, Dashed: true}
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

// RotationByLayer is the paper's Figure 3 (9, 10): the angle between what a
// norm reads and what it writes.
func RotationByLayer(r *geometry.Result) *Chart {
	c := &Chart{
		Name: "rotation_by_layer", Title: "Rotation by the norm, " + r.Model.Name,
		Caption: "The angle between a norm's input and its output, gain and bias included (the paper's Figure 3). Bands are one standard deviation over tokens.",
		XLabel:  "layer", YLabel: "rotation (degrees)", FromZero: true,
	}
	c.with(series("LN1", 0, rotations(r, geometry.LN1, geometry.InOut)))
	c.with(series("LN2", 1, rotations(r, geometry.LN2, geometry.InOut)))
	c.with(series("post-norms", 2, rotations(r, geometry.Post, geometry.InOut)))
	return c.whole()
}

func rotations(r *geometry.Result, role geometry.Role, k geometry.Rotation) []point {
	var out []point
	for _, f := range r.Rotations {
		if f.Role == role {
			s := [...]geometry.Summary{f.InOut, f.InStd, f.StdGain, f.GainBias}[k]
			out = append(out, point{f.Layer, s})
		}
	}
	return out
}

// RotationParts splits the rotation of LN1 into its three steps.
func RotationParts(r *geometry.Result) *Chart {
	c := &Chart{
		Name: "rotation_parts", Title: "Where LN1's rotation comes from, " + r.Model.Name,
		Caption: "Standardising turns a vector by |90° − θ| under LayerNorm and not at all under RMSNorm; the rest is the learned gain and bias. The steps do not add up: each turns in its own plane.",
		XLabel:  "layer", YLabel: "rotation (degrees)", FromZero: true,
	}
	for i, part := range []struct {
		label string
		k     geometry.Rotation
	}{{"whole", geometry.InOut}, {"standardising", geometry.InStd}, {"gain", geometry.StdGain}, {"bias", geometry.GainBias}} {
		s, ok := series(part.label, i, rotations(r, geometry.LN1, part.k))
		s.Lo, s.Hi = nil, nil
		c.with(s, ok)
	}
	return c.whole()
}

// ShareByLayer is the energy along the uniform vector before each norm of the
// blocks, beside that of a random direction.
func ShareByLayer(r *geometry.Result) *Chart {
	c := shareChart("Energy of the mean, " + r.Model.Name)
	for i, role := range []geometry.Role{geometry.LN1, geometry.LN2, geometry.Post} {
		c.with(shares([]string{"before LN1", "before LN2", "before post-norms"}[i], i, r, role))
	}
	if r.Model.Dim > 0 {
		c.Levels = []Level{{100 / float64(r.Model.Dim), "random direction"}}
	}
	return c.whole()
}

func shareChart(title string) *Chart {
	return &Chart{
		Name: "energy_share", Title: title,
		Caption: "The share of a vector's energy that lies along the uniform vector, cos²θ: what LayerNorm removes and RMSNorm keeps. Means over tokens.",
		XLabel:  "layer", YLabel: "energy along 1 (%)", LogY: true,
	}
}

func shares(label string, color int, r *geometry.Result, role geometry.Role) (Series, bool) {
	s := Series{Label: label, Color: color}
	for _, f := range r.Sites {
		if f.Role == role && f.Stage == geometry.In.String() && f.Angle.Count > 0 {
			s.X = append(s.X, float64(f.Layer))
			s.Y = append(s.Y, 100*f.Share.Mean)
		}
	}
	return s, len(s.X) > 0
}

// AngleHistograms are the paper's Figures 5 and 11 to 13: the angle with the
// uniform vector before and after LN1, in the layer three quarters of the way
// up and in the first and the last.
func AngleHistograms(r *geometry.Result) []*Chart {
	var layers []int
	for _, f := range r.Sites {
		if f.Role == geometry.LN1 && f.Stage == geometry.In.String() && f.Angle.Count > 0 {
			layers = append(layers, f.Layer)
		}
	}
	if len(layers) == 0 {
		return nil
	}
	var out []*Chart
	pick := []int{layers[len(layers)*3/4], layers[0], layers[len(layers)-1]}
	for i, layer := range pick {
		if !slices.Contains(pick[:i], layer) {
			out = append(out, angleHistogram(r, layer))
		}
	}
	return out
}

func angleHistogram(r *geometry.Result, layer int) *Chart {
	c := &Chart{
		Name: "angle_histogram_" + strconv.Itoa(layer), Title: fmt.Sprintf("Angle with the uniform vector in layer %d, %s", layer, r.Model.Name),
		Caption: "Before and after LN1 (the paper's Figure 5). The dashed curve is the density of random directions.",
		XLabel:  "angle with 1 (degrees)", YLabel: "share of tokens per degree (%)", FromZero: true,
	}
	var pair []*geometry.SiteFigures
	lo, hi := 90.0, 90.0
	null := 0.0
	for i := range r.Sites {
		f := &r.Sites[i]
		if f.Role == geometry.LN1 && f.Layer == layer && f.Stage != geometry.Std.String() {
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
	curve := Series{Label: "random directions", Dashed: true, Color: 2}
	for i := range 200 {
		x := lo + (hi-lo)*float64(i)/199
		z := (x - 90) / null
		curve.X = append(curve.X, x)
		curve.Y = append(curve.Y, 100*math.Exp(-z*z/2)/(null*math.Sqrt(2*math.Pi)))
	}
	c.with(curve, null > 0)
	return c
}

// histogram regroups bars to a width and gives them in percent per degree,
// from the bar at lo to the one at hi.
func histogram(label string, color int, b geometry.Bars, width, lo, hi float64, count uint64) (Series, bool) {
	s := Series{Label: label, Color: color, Histogram: true}
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
