package report

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
)

// PlotFormats are the formats of plots, by the ends of file names.
var PlotFormats = []string{".svg", ".pdf", ".png"}

// A DepthPoint is a figure at a place of the x axis, such as a layer. SE is its standard
// error; NaN, or not above 0: none is drawn.
type DepthPoint struct {
	Series   string
	X, Y, SE float64
}

// WriteDepthPlot writes a plot of positive figures on a logarithmic axis, a line for
// each series with standard errors as bars, in one of PlotFormats.
func WriteDepthPlot(w io.Writer, title, x, y string, points []DepthPoint, format string) error {
	return writePlot(w, &chart{Name: "depth", Title: title, XLabel: x, YLabel: y, LogY: true}, points, format)
}

// WriteStepPlot is WriteDepthPlot over training steps, on an axis that is logarithmic
// behind 0.
func WriteStepPlot(w io.Writer, title, y string, points []DepthPoint, format string) error {
	c := &chart{Name: "steps", Title: title, XLabel: "training step", YLabel: y, LogY: true, Steps: true}
	var at []float64
	for _, p := range points {
		at = append(at, p.X)
	}
	slices.Sort(at)
	for _, x := range slices.Compact(at) {
		c.XTicks = append(c.XTicks, tick{x, strconv.Itoa(int(x))})
	}
	c.XTicks = thin(c.XTicks)
	return writePlot(w, c, points, format)
}

func writePlot(w io.Writer, c *chart, points []DepthPoint, format string) error {
	if len(points) == 0 {
		return errors.New("report: there is nothing above 0 to plot")
	}
	index := map[string]int{}
	points = slices.Clone(points)
	slices.SortStableFunc(points, func(a, b DepthPoint) int { return cmp.Compare(a.X, b.X) })
	for _, p := range points {
		i, ok := index[p.Series]
		if !ok {
			i = len(c.Series)
			index[p.Series] = i
			c.Series = append(c.Series, curve{Label: p.Series, Color: i, Bars: true})
		}
		s := &c.Series[i]
		if math.IsNaN(p.SE) {
			p.SE = 0
		}
		s.X, s.Y = append(s.X, p.X), append(s.Y, p.Y)
		s.Lo, s.Hi = append(s.Lo, max(p.Y-p.SE, p.Y/10)), append(s.Hi, p.Y+p.SE)
	}
	b, err := c.image(format)
	if err != nil {
		return err
	}
	if _, err := w.Write(b); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}
