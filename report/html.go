package report

import (
	"bytes"
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/normswap/normswap/geometry"
	"github.com/normswap/normswap/internal/plain"
)

//go:embed page.html
var pageSource string

//go:embed page.css
var pageStyle string

// page is what the template shows.
type page struct {
	Title, Subtitle string
	Style           template.CSS
	Across          []figure
	AcrossTables    []*Table
	Models          []section
	Paper           []*Table
	Swaps           *Table
	SwapSites       *Table
	Causes          []*Table
	Details         []*Table
	Text, Command   string
}

// section is one model.
type section struct {
	Name, Facts string
	Lead, Rest  string // the verdict, cut after its first sentence
	Cards       []card
	Figures     []figure
	Extremes    *Table
}

// card is a figure in large type.
type card struct{ Value, Label, Note string }

type figure struct {
	SVG     template.HTML
	Caption string
}

// HTML writes the report as one page that needs nothing else: no network, no
// scripts, light and dark.
func (b *Bundle) HTML(w io.Writer) error {
	if len(b.Results) == 0 {
		return fmt.Errorf("report: nothing to report")
	}
	p := page{
		Title: b.title(), Style: template.CSS(colors() + pageStyle), Command: b.Command,
		Paper: []*Table{table2(b.Results...), table3(b.Results...), table4(b.Results...)},
		Swaps: swapTable(b.Results...), SwapSites: swapSiteTable(b.detailed()...),
		Causes: causeTables(b.detailed()...),
		Text:   b.Results[0].Text,
		Details: []*Table{
			angleTable(b.detailed()...), normTable(b.detailed()...), rotationTable(b.detailed()...), effectTable(b.detailed()...),
		},
	}
	for i, t := range p.Paper {
		if i < len(p.Paper)-1 {
			t.Notes = nil
		}
	}
	if len(p.Swaps.Rows) == 0 {
		p.Swaps = embeddingSwapTable(b.Results...)
	}
	var err error
	if p.Across, err = inlined(b.across()); err != nil {
		return err
	}
	if len(b.Results) > 1 {
		p.AcrossTables = []*Table{comparisonTable(b.Results...), modelTable(b.Results...)}
	}
	for _, r := range b.detailed() {
		lead, rest, _ := strings.Cut(r.Verdict, ". ")
		s := section{Name: r.Model.Name, Facts: facts(r), Lead: strings.TrimSuffix(lead, ".") + ".", Rest: rest, Cards: cards(r), Extremes: extremeTable(r)}
		if s.Figures, err = inlined(modelCharts(r)); err != nil {
			return err
		}
		p.Models = append(p.Models, s)
	}
	page, err := template.New("page").Funcs(template.FuncMap{
		"left":      func(t *Table, i int) bool { return t.Columns[i].Left },
		"shown":     (*Table).shown,
		"published": func(row []string) bool { return strings.HasSuffix(row[0], " *") },
	}).Parse(pageSource)
	var text bytes.Buffer
	if err == nil {
		err = page.Execute(&text, p)
	}
	if err == nil {
		_, err = io.WriteString(w, plain.Text(text.String()))
	}
	if err != nil {
		return fmt.Errorf("report: page: %w", err)
	}
	return nil
}

func inlined(charts []*chart) ([]figure, error) {
	var out []figure
	for _, c := range charts {
		svg, err := c.inline()
		if err != nil {
			return nil, err
		}
		out = append(out, figure{template.HTML(svg), c.Caption})
	}
	return out, nil
}

// colors are the chart's colours as CSS variables, for light and dark pages.
func colors() string {
	var b strings.Builder
	b.WriteString(":root{")
	for i, c := range palette {
		fmt.Fprintf(&b, "--c%d:light-dark(%s,%s);", i, hex(c), darkPalette[i])
	}
	b.WriteString("}\n")
	return b.String()
}

func facts(r *geometry.Result) string {
	m := r.Model
	norm := map[string]string{"layernorm": "LayerNorm", "rmsnorm": "RMSNorm"}[m.Norm]
	parts := []string{m.Architecture, cmp.Or(norm, m.Norm), fmt.Sprintf("d = %d", m.Dim), fmt.Sprintf("%d layers", m.Layers)}
	if m.Parameters > 0 {
		parts = append(parts, count(m.Parameters)+" parameters")
	}
	if m.Quantization != "" {
		parts = append(parts, m.Quantization)
	}
	parts = append(parts, fmt.Sprintf("ε = %.4g", m.Eps), thousands(r.Tokens)+" tokens")
	if r.Step != nil {
		parts = append(parts, fmt.Sprintf("training step %d", *r.Step))
	}
	var out []string
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, " · ")
}

func count(n int64) string {
	f := float64(n)
	for _, u := range []struct {
		size float64
		name string
	}{{1e9, "B"}, {1e6, "M"}, {1e3, "K"}} {
		if f >= u.size {
			return strconv.FormatFloat(f/u.size, 'g', 3, 64) + " " + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}

func thousands(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// cards are the figures one remembers.
func cards(r *geometry.Result) []card {
	var out []card
	t := r.Tables
	if e := t.Angle.Hidden; e != nil {
		out = append(out, card{fmt.Sprintf("%.2f°", e.Mean), "angle with the uniform vector before LN1",
			fmt.Sprintf("sd %.2f° over tokens; random directions 90° ± %.2f°", e.SDTokens, geometry.NullAngleSD(r.Model.Dim))})
	}
	if v, ok := meanShare(&r.Figures); ok {
		out = append(out, card{fmt.Sprintf("%.2g %%", 100*v), "of the energy lies along the mean",
			fmt.Sprintf("random directions: %.2g %%", 100/float64(r.Model.Dim))})
	}
	if e := t.Rotation.LN1; e != nil {
		c := card{fmt.Sprintf("%.1f°", e.Mean), "rotation by LN1", ""}
		if e2 := t.Rotation.LN2; e2 != nil {
			c = card{fmt.Sprintf("%.1f / %.1f°", e.Mean, e2.Mean), "rotation by LN1 / LN2", ""}
		}
		c.Note = fmt.Sprintf("sd %.1f° over tokens", e.SDTokens)
		out = append(out, c)
	}
	reduction, swap := meanEffects(&r.Figures)
	if !math.IsNaN(reduction) {
		out = append(out, card{fmt.Sprintf("÷ %.3g", reduction), "spread of norms, by LN1", "sd before over sd after, mean over layers"})
	}
	if !math.IsNaN(swap) {
		out = append(out, card{fmt.Sprintf("%.2g %%", 100*swap), "change of a norm's output by a naive swap", fmt.Sprintf("predicted by identity 1, mean over norms; random directions: %.2g %%", 100*geometry.NullSwapError(r.Model.Dim))})
	}
	return out
}
