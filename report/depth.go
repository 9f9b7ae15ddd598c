package report

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
)

// A DepthPoint is a figure at a place of the x axis, such as a layer.
type DepthPoint struct {
	Series string
	X, Y   float64
}

// WriteDepthPlot writes a plot of positive figures on a logarithmic axis, a line for
// each series, as SVG or PNG.
func WriteDepthPlot(w io.Writer, title, x, y string, points []DepthPoint, png bool) error {
	if len(points) == 0 {
		return errors.New("report: there is nothing above 0 to plot")
	}
	c := &chart{Name: "depth", Title: title, XLabel: x, YLabel: y, LogY: true}
	index := map[string]int{}
	points = slices.Clone(points)
	slices.SortStableFunc(points, func(a, b DepthPoint) int { return cmp.Compare(a.X, b.X) })
	for _, p := range points {
		i, ok := index[p.Series]
		if !ok {
			i = len(c.Series)
			index[p.Series] = i
			c.Series = append(c.Series, curve{Label: p.Series, Color: i, Dashed: i%2 == 1})
		}
		s := &c.Series[i]
		s.X, s.Y = append(s.X, p.X), append(s.Y, p.Y)
	}
	b, err := c.SVG()
	if png {
		b, err = c.PNG()
	}
	if err != nil {
		return err
	}
	if _, err := w.Write(b); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}
