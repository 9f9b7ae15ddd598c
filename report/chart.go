package report

import (
	"bytes"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/normswap/normswap/internal/plain"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgpdf"
)

// chart is a plot of lines over a common x axis.
type chart struct {
	Name           string // file name without extension
	Title          string
	Caption        string // a sentence or two for below the plot
	XLabel, YLabel string // with the unit
	XTicks         []tick // nil for a choice by the values
	LogY           bool
	Steps          bool // x is a count that starts at 0 and grows by factors
	FromZero       bool // y cannot be negative and its axis begins at 0
	Series         []curve
	Levels         []level
}

// tick is a labelled place on an axis.
type tick struct {
	Value float64
	Label string
}

// A curve is a line, with a band around it where Lo and Hi are given, or with bars from
// Lo to Hi. As a histogram, Y[i] is the height of the bar from X[i] to X[i+1], and X has
// one value more than Y.
type curve struct {
	Label     string
	X, Y      []float64
	Lo, Hi    []float64
	Bars      bool
	Points    bool // without a line between them
	Histogram bool
	Dashed    bool // and without markers: a bound, or a calculated curve
	Color     int  // index of the color, the dashes and the markers
}

// level is a horizontal reference line.
type level struct {
	Y     float64
	Label string
}

const (
	chartWidth  = 720 * vg.Length(1) // points
	chartHeight = 405 * vg.Length(1)
	pngDPI      = 192 // 1920 x 1080 pixels
)

// image returns the chart in one of PlotFormats.
func (c *chart) image(format string) ([]byte, error) {
	switch format {
	case ".svg":
		return c.SVG()
	case ".pdf":
		return c.PDF()
	case ".png":
		return c.PNG()
	}
	return nil, fmt.Errorf("report: no plots are written as %q; want %s", format, strings.Join(PlotFormats, ", "))
}

// PDF returns the chart as a PDF document of one page.
func (c *chart) PDF() ([]byte, error) {
	canvas := vgpdf.New(chartWidth, chartHeight)
	if err := c.draw(pdfCanvas{canvas}, true); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return nil, fmt.Errorf("report: chart %s: %w", c.Name, err)
	}
	return pdfDate.ReplaceAll(b.Bytes(), []byte("(D:20000101000000")), nil
}

// pdfDate is a date in a PDF document, which would make each run's another. What takes its
// place is as long: the document has offsets.
var pdfDate = regexp.MustCompile(`\(D:[0-9]{14}`)

// SVG returns the chart as an SVG document.
func (c *chart) SVG() ([]byte, error) {
	s, err := c.svg(true)
	return []byte(plain.Text(s)), err
}

// PNG returns the chart as a PNG image of 1920 x 1080 pixels.
func (c *chart) PNG() ([]byte, error) {
	canvas := vgimg.NewWith(vgimg.UseWH(chartWidth, chartHeight), vgimg.UseDPI(pngDPI), vgimg.UseBackgroundColor(paper))
	if err := c.draw(canvas, true); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if _, err := (vgimg.PngCanvas{Canvas: canvas}).WriteTo(&b); err != nil {
		return nil, fmt.Errorf("report: chart %s: %w", c.Name, err)
	}
	return b.Bytes(), nil
}

// inline returns the chart as an element for an HTML page, in the page's own
// colours: transparent, and with CSS variables in place of the palette.
func (c *chart) inline() (string, error) {
	s, err := c.svg(false)
	if err != nil {
		return "", err
	}
	s = plain.Text(s)
	// What stands before the first group is the prelude and the svg tag.
	_, body, ok := strings.Cut(s, ">\n<g ")
	if !ok {
		return "", fmt.Errorf("report: chart %s: unexpected SVG", c.Name)
	}
	head := fmt.Sprintf(`<svg viewBox="0 0 %g %g" role="img" aria-label="%s">`, chartWidth.Points(), chartHeight.Points(), escape(c.Title))
	return head + "\n<g " + themed(body), nil
}

func (c *chart) draw(canvas vg.CanvasSizer, background bool) error {
	dc := draw.New(canvas)
	if background {
		dc.FillPolygon(paper, []vg.Point{
			dc.Min, {X: dc.Max.X, Y: dc.Min.Y}, dc.Max, {X: dc.Min.X, Y: dc.Max.Y},
		})
	}
	p, err := c.plot()
	if err != nil {
		return fmt.Errorf("report: chart %s: %w", c.Name, err)
	}
	side := vg.Length(0)
	if background {
		side = 14
	}
	dc = draw.Crop(dc, side, -side, 8, -14)
	top := c.header(dc)
	p.Draw(draw.Crop(dc, 0, 0, 0, -top))
	return nil
}

// header draws the title and the legend, and returns their height.
func (c *chart) header(dc draw.Canvas) vg.Length {
	title := style(17, ink, true)
	y := dc.Max.Y - title.Font.Size
	dc.FillText(title, vg.Point{X: dc.Min.X, Y: y}, c.Title)
	label := style(12.5, muted, false)
	const swatch, gap, column vg.Length = 22, 6, 22
	x := dc.Min.X
	y -= 24
	for _, s := range c.Series {
		if s.Label == "" {
			continue
		}
		w := swatch + gap + label.Width(s.Label)
		if x+w > dc.Max.X && x > dc.Min.X {
			x, y = dc.Min.X, y-18
		}
		mid := y + label.Font.Size*0.33
		if s.Lo != nil && !s.Bars || s.Histogram {
			dc.FillPolygon(band(s.Color), []vg.Point{
				{X: x, Y: mid - 5}, {X: x + swatch, Y: mid - 5}, {X: x + swatch, Y: mid + 5}, {X: x, Y: mid + 5},
			})
		}
		if !s.Points {
			dc.StrokeLine2(lineStyle(&s), x, mid, x+swatch, mid)
		}
		if s.marked() {
			dc.DrawGlyph(marker(s.Color), vg.Point{X: x + swatch/2, Y: mid})
		}
		dc.FillText(label, vg.Point{X: x + swatch + gap, Y: y}, s.Label)
		x += w + column
	}
	return dc.Max.Y - y + 14
}

func (c *chart) plot() (*plot.Plot, error) {
	p := plot.New()
	p.BackgroundColor = nil
	p.X.Label.Text, p.Y.Label.Text = c.XLabel, c.YLabel
	if c.LogY {
		p.Y.Label.Text += ", log scale"
	}
	if c.Steps {
		p.X.Label.Text += ", log scale"
	}
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Label.TextStyle = align(style(13, ink, false), a.Label.TextStyle)
		a.Label.Padding = 6
		a.Tick.Label = align(style(12, muted, false), a.Tick.Label)
		a.Tick.Length = 0
		a.Padding = 4
		a.LineStyle.Width = 0
	}
	p.X.LineStyle = draw.LineStyle{Color: muted, Width: 1}
	p.X.Tick.Label.YAlign = -1.3 // air between axis and label
	p.X.Label.Padding = 9
	p.Y.Tick.Marker = plot.TickerFunc(yTicks)
	if c.LogY {
		p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, plot.TickerFunc(logTicks)
	}
	p.X.Tick.Marker = plot.TickerFunc(c.xTicks)
	if c.Steps {
		p.X.Scale = stepScale{c.firstStep()}
	}
	if c.XTicks != nil {
		p.X.Tick.Marker = plot.ConstantTicks(c.ticks())
	}
	grid := plotter.NewGrid()
	grid.Vertical.Color = nil
	grid.Horizontal = draw.LineStyle{Color: gridColor, Width: 0.8}
	p.Add(grid)
	// Bands first: no line may lie under a band.
	for _, add := range []func(*plot.Plot, *curve) error{c.addBand, c.addLine} {
		for i := range c.Series {
			if err := add(p, &c.Series[i]); err != nil {
				return nil, err
			}
		}
	}
	lo, hi, err := c.rangeY()
	if err != nil {
		return nil, err
	}
	p.Y.Min, p.Y.Max = lo, hi
	for _, l := range c.Levels {
		if err := c.level(p, l); err != nil {
			return nil, err
		}
	}
	if p.X.Min == p.X.Max || slices.ContainsFunc(c.Series, func(s curve) bool { return s.Points }) { // a single layer, or places
		p.X.Min, p.X.Max = p.X.Min-0.5, p.X.Max+0.5
	}
	return p, nil
}

func (c *chart) addBand(p *plot.Plot, s *curve) error {
	switch {
	case s.Histogram:
		return addFill(p, steps(s), s.Color)
	case s.Lo == nil:
		return nil
	case s.Bars:
		for i, x := range s.X {
			if s.Hi[i] > s.Lo[i] {
				ends := plotter.XYs{{X: x, Y: c.floor(s.Lo[i])}, {X: x, Y: s.Hi[i]}}
				if err := addLine(p, ends, draw.LineStyle{Color: hue(s.Color), Width: 1.2}); err != nil {
					return err
				}
			}
		}
		return nil
	}
	var outline plotter.XYs
	for i, x := range s.X {
		outline = append(outline, plotter.XY{X: x, Y: c.floor(s.Lo[i])})
	}
	for i := len(s.X) - 1; i >= 0; i-- {
		outline = append(outline, plotter.XY{X: s.X[i], Y: s.Hi[i]})
	}
	return addFill(p, outline, s.Color)
}

func (c *chart) addLine(p *plot.Plot, s *curve) error {
	if s.Histogram {
		return addLine(p, steps(s), lineStyle(s))
	}
	var line plotter.XYs
	for i, x := range s.X {
		line = append(line, plotter.XY{X: x, Y: c.floor(s.Y[i])})
	}
	if !s.Points {
		if err := addLine(p, line, lineStyle(s)); err != nil {
			return err
		}
	}
	if !s.marked() {
		return nil
	}
	dots, err := plotter.NewScatter(line)
	if err != nil {
		return err
	}
	dots.GlyphStyle = marker(s.Color)
	p.Add(dots)
	return nil
}

// marked reports whether the values of a curve are seen one by one.
func (s *curve) marked() bool { return !s.Dashed && !s.Histogram && len(s.X) <= 64 }

// steps is the outline of a histogram.
func steps(s *curve) plotter.XYs {
	outline := plotter.XYs{{X: s.X[0]}}
	for i, y := range s.Y {
		outline = append(outline, plotter.XY{X: s.X[i], Y: y}, plotter.XY{X: s.X[i+1], Y: y})
	}
	return append(outline, plotter.XY{X: s.X[len(s.Y)]})
}

// floor keeps v on an axis that ends below.
func (c *chart) floor(v float64) float64 {
	switch {
	case c.LogY:
		return max(v, c.leastPositive()/2)
	case c.FromZero:
		return max(v, 0)
	}
	return v
}

func addFill(p *plot.Plot, outline plotter.XYs, color int) error {
	fill, err := plotter.NewPolygon(outline)
	if err != nil {
		return err
	}
	fill.Color = band(color)
	fill.LineStyle.Width = 0
	p.Add(fill)
	return nil
}

func addLine(p *plot.Plot, points plotter.XYs, s draw.LineStyle) error {
	line, err := plotter.NewLine(points)
	if err != nil {
		return err
	}
	line.LineStyle = s
	p.Add(line)
	return nil
}

// level draws a reference line with its label to the right of the plot.
func (c *chart) level(p *plot.Plot, l level) error {
	ends := plotter.XYs{{X: p.X.Min, Y: l.Y}, {X: p.X.Max, Y: l.Y}}
	s := draw.LineStyle{Color: muted, Width: 1.2, Dashes: []vg.Length{5, 4}}
	if err := addLine(p, ends, s); err != nil {
		return err
	}
	labels, err := plotter.NewLabels(plotter.XYLabels{XYs: ends[1:], Labels: []string{l.Label}})
	if err != nil {
		return err
	}
	t := style(11.5, muted, false)
	t.YAlign = -0.4
	labels.TextStyle[0] = t
	labels.Offset = vg.Point{X: 6}
	p.Add(labels)
	return nil
}

// rangeY is the extent of the lines and bands, with some air.
func (c *chart) rangeY() (lo, hi float64, err error) {
	lo, hi = math.Inf(1), math.Inf(-1)
	c.values(func(v float64) { lo, hi = min(lo, v), max(hi, v) })
	if lo > hi {
		return 0, 0, fmt.Errorf("no values")
	}
	if c.LogY {
		return c.leastPositive() / 1.3, hi * 1.3, nil
	}
	if c.FromZero {
		return 0, 1.06 * max(hi, 1e-6), nil
	}
	air := 0.06 * (hi - lo)
	if air == 0 {
		air = max(math.Abs(hi)*0.01, 1e-6)
	}
	return lo - air, hi + air, nil
}

func (c *chart) values(yield func(v float64)) {
	for _, s := range c.Series {
		for _, list := range [][]float64{s.Y, s.Lo, s.Hi} {
			for _, v := range list {
				yield(v)
			}
		}
	}
	for _, l := range c.Levels {
		yield(l.Y)
	}
}

// leastPositive is the smallest value a logarithmic axis can show. Bands that
// reach below it, and below a tenth of the smallest line, are cut.
func (c *chart) leastPositive() float64 {
	line, bands := math.Inf(1), math.Inf(1)
	least := func(m float64, list []float64) float64 {
		for _, v := range list {
			if v > 0 {
				m = min(m, v)
			}
		}
		return m
	}
	for _, s := range c.Series {
		line, bands = least(line, s.Y), least(bands, s.Lo)
	}
	for _, l := range c.Levels {
		line = least(line, []float64{l.Y})
	}
	if math.IsInf(line, 1) {
		return 1
	}
	return min(line, max(bands, line/4))
}
