package report

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/vgpdf"
	"gonum.org/v1/plot/vg/vgsvg"
)

// pdfCanvas draws text as outlines, so that a document needs no fonts.
type pdfCanvas struct{ *vgpdf.Canvas }

func (c pdfCanvas) FillString(face font.Face, at vg.Point, text string) {
	var outline vg.Path
	var buf sfnt.Buffer
	em := fixed.I(int(face.Face.UnitsPerEm()))
	scale := face.Font.Size / vg.Length(face.Face.UnitsPerEm())
	for _, r := range text {
		glyph, err := face.Face.GlyphIndex(&buf, r)
		if err != nil {
			continue // no glyph: a gap
		}
		point := func(p fixed.Point26_6) vg.Point {
			return vg.Point{X: at.X + scale*vg.Length(p.X)/64, Y: at.Y - scale*vg.Length(p.Y)/64}
		}
		segments, err := face.Face.LoadGlyph(&buf, glyph, em, nil)
		if err == nil {
			for i, s := range segments {
				switch s.Op {
				case sfnt.SegmentOpMoveTo:
					if i > 0 {
						outline.Close()
					}
					outline.Move(point(s.Args[0]))
				case sfnt.SegmentOpLineTo:
					outline.Line(point(s.Args[0]))
				case sfnt.SegmentOpQuadTo:
					outline.QuadTo(point(s.Args[0]), point(s.Args[1]))
				case sfnt.SegmentOpCubeTo:
					outline.CubeTo(point(s.Args[0]), point(s.Args[1]), point(s.Args[2]))
				}
			}
			if len(segments) > 0 {
				outline.Close()
			}
		}
		if advance, err := face.Face.GlyphAdvance(&buf, glyph, em, 0); err == nil {
			at.X += scale * vg.Length(advance) / 64
		}
	}
	if len(outline) > 0 {
		c.Fill(outline)
	}
}

// svgCanvas notes the width of each text, so that viewers without the font give it the
// same.
type svgCanvas struct {
	*vgsvg.Canvas
	widths []vg.Length
}

func (c *svgCanvas) FillString(face font.Face, at vg.Point, text string) {
	c.widths = append(c.widths, face.Width(text))
	c.Canvas.FillString(face, at, text)
}

// svg draws a chart as SVG, with the widths of its texts and the names of fonts that may
// stand in for the one meant.
func (c *chart) svg(background bool) (string, error) {
	canvas := &svgCanvas{Canvas: vgsvg.New(chartWidth, chartHeight)}
	var b strings.Builder
	err := c.draw(canvas, background)
	if err == nil {
		_, err = canvas.WriteTo(&b)
	}
	if err != nil {
		return "", fmt.Errorf("report: chart %s: %w", c.Name, err)
	}
	parts := strings.Split(b.String(), "<text ")
	for i, w := range canvas.widths {
		parts[1+i] = fmt.Sprintf(`<text textLength="%.2f" lengthAdjust="spacingAndGlyphs" `, w.Points()) + parts[1+i]
	}
	return fonts(strings.Join(parts, "")), nil
}

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
