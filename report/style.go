package report

import (
	"fmt"
	"html"
	"image/color"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/normswap/normswap/internal/plain"
	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// The palette is Okabe and Ito's, which people with any of the common colour
// deficiencies can tell apart. Dark pages lighten it.
var (
	paper     = color.NRGBA{0xff, 0xff, 0xff, 0xff}
	ink       = color.NRGBA{0x1c, 0x27, 0x33, 0xff}
	muted     = color.NRGBA{0x5a, 0x67, 0x75, 0xff}
	gridColor = color.NRGBA{0xe1, 0xe6, 0xeb, 0xff}
	palette   = []color.NRGBA{
		{0x00, 0x72, 0xb2, 0xff}, // blue
		{0xd5, 0x5e, 0x00, 0xff}, // vermillion
		{0x00, 0x9e, 0x73, 0xff}, // green
		{0xc4, 0x5a, 0x9a, 0xff}, // purple
		{0xb9, 0x7f, 0x00, 0xff}, // ochre
		{0x2f, 0x8f, 0xc7, 0xff}, // sky
	}
	darkPalette = []string{"#4cb0f0", "#ff9142", "#35d0a0", "#ea8fc6", "#f0bd3c", "#9bd4f7"}
)

func hue(i int) color.NRGBA { return palette[i%len(palette)] }

func band(i int) color.NRGBA {
	c := hue(i)
	c.A = 0x30
	return c
}

// Lines differ by dashes and markers too, for those who do not see the colors.
var (
	dashes  = [][]vg.Length{nil, {8, 4}, {2, 3}, {10, 3, 2, 3}, {14, 4}}
	markers = []draw.GlyphDrawer{draw.CircleGlyph{}, draw.BoxGlyph{}, draw.PyramidGlyph{}, draw.RingGlyph{}, draw.CrossGlyph{}, draw.SquareGlyph{}, draw.TriangleGlyph{}}
)

func lineStyle(s *curve) draw.LineStyle {
	l := draw.LineStyle{Color: hue(s.Color), Width: 2, Dashes: dashes[s.Color%len(dashes)]}
	if s.Histogram {
		l.Width = 1.4
	}
	if s.Dashed {
		l.Width, l.Dashes = 1.6, []vg.Length{6, 4}
	}
	return l
}

func marker(color int) draw.GlyphStyle {
	return draw.GlyphStyle{Color: hue(color), Radius: 3.2, Shape: markers[color%len(markers)]}
}

func style(size vg.Length, c color.Color, bold bool) text.Style {
	f := font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
	if bold {
		f.Weight = xfont.WeightBold
	}
	return text.Style{Color: c, Font: f, Handler: plot.DefaultTextHandler}
}

// align gives s the place and turn that the library gave a label.
func align(s, from text.Style) text.Style {
	s.Rotation, s.XAlign, s.YAlign = from.Rotation, from.XAlign, from.YAlign
	return s
}

// fonts names stand-ins of the same metrics for where Liberation is missing.
func fonts(svg string) string {
	return strings.ReplaceAll(svg, "font-family:Liberation Sans", "font-family:'Liberation Sans',Arial,Helvetica,sans-serif")
}

var hexColor = regexp.MustCompile(`#[0-9A-Fa-f]{6}\b`)

// themed replaces the colours of the palette by the variables of the page.
func themed(svg string) string {
	return hexColor.ReplaceAllStringFunc(svg, func(s string) string {
		v, err := strconv.ParseUint(s[1:], 16, 32)
		if err != nil {
			return s
		}
		is := func(c color.NRGBA) bool {
			near := func(a, b uint8) bool { return max(a, b)-min(a, b) <= 2 } // colours with alpha lose a bit
			return near(uint8(v>>16), c.R) && near(uint8(v>>8), c.G) && near(uint8(v), c.B)
		}
		for name, c := range map[string]color.NRGBA{"ink": ink, "muted": muted, "grid": gridColor} {
			if is(c) {
				return "var(--" + name + ")"
			}
		}
		if i := slices.IndexFunc(palette, is); i >= 0 {
			return fmt.Sprintf("var(--c%d)", i)
		}
		return s
	})
}

func hex(c color.NRGBA) string { return fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B) }

func escape(s string) string { return html.EscapeString(plain.Cell(s)) }

func (c *chart) ticks() []plot.Tick {
	var out []plot.Tick
	for _, t := range c.XTicks {
		out = append(out, plot.Tick{Value: t.Value, Label: t.Label})
	}
	return out
}

func yTicks(lo, hi float64) []plot.Tick { return niceTicks(lo, hi, 6) }

// xTicks are whole numbers where the values are, such as layers.
func (c *chart) xTicks(lo, hi float64) []plot.Tick {
	most := 12
	for _, s := range c.Series {
		if !s.Histogram && !slices.ContainsFunc(s.X, func(x float64) bool { return x != math.Trunc(x) }) {
			most = min(most, max(int(hi-lo), 1))
		}
	}
	return niceTicks(lo, hi, most)
}

// niceTicks chooses multiples of 1, 2 or 5 times a power of ten.
func niceTicks(lo, hi float64, most int) []plot.Tick {
	if !(hi > lo) {
		return nil
	}
	step := math.Pow(10, math.Floor(math.Log10((hi-lo)/float64(most))))
	for _, m := range []float64{1, 2, 5, 10} {
		if (hi-lo)/(step*m) <= float64(most) {
			step *= m
			break
		}
	}
	decimals := int(max(0, -math.Floor(math.Log10(step)+1e-9)))
	var out []plot.Tick
	for k := math.Ceil(lo/step - 1e-9); k*step <= hi+1e-9*step; k++ {
		out = append(out, plot.Tick{Value: k * step, Label: strings.Replace(strconv.FormatFloat(k*step+0, 'f', decimals, 64), "-", "−", 1)})
	}
	return out
}

// logTicks are 1, 2 and 5 times powers of ten, more where there is room, or
// the powers alone when there are many.
func logTicks(lo, hi float64) []plot.Tick {
	digits := []float64{1, 2, 5}
	switch {
	case hi/lo > 2000:
		digits = digits[:1]
	case hi/lo < 6:
		digits = []float64{1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8}
	}
	var out []plot.Tick
	for e := math.Floor(math.Log10(lo)); e <= math.Log10(hi); e++ {
		for _, m := range digits {
			if v := m * math.Pow(10, e); v >= lo && v <= hi {
				out = append(out, plot.Tick{Value: v, Label: strconv.FormatFloat(v, 'g', 4, 64)})
			}
		}
	}
	return out
}

// stepScale is a logarithmic axis that reaches 0: linear up to the first
// positive step, logarithmic beyond.
type stepScale struct{ first float64 }

func (s stepScale) Normalize(lo, hi, x float64) float64 {
	f := func(v float64) float64 { return math.Log1p(v / s.first) }
	return (f(x) - f(lo)) / (f(hi) - f(lo))
}

func (c *chart) firstStep() float64 {
	first := math.Inf(1)
	for _, s := range c.Series {
		for _, x := range s.X {
			if x > 0 {
				first = min(first, x)
			}
		}
	}
	if math.IsInf(first, 1) {
		return 1
	}
	return first
}
