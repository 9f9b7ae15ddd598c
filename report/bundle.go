package report

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/normswap/normswap/geometry"
	"github.com/normswap/normswap/internal/plain"
	"github.com/normswap/normswap/internal/whole"
)

// Bundle is everything a geometry run has to show.
type Bundle struct {
	Title   string // "" for one made from the models' names
	Command string // that made it, shown at the foot
	Results []*geometry.Result
	Width   int // of the lines of Text; 0: as long as they come
}

func (b *Bundle) title() string {
	if b.Title != "" {
		return b.Title
	}
	if len(b.Results) == 1 {
		return "Geometry of " + b.Results[0].Model.Name
	}
	if len(runs(b.Results)) > 0 {
		return "Geometry over training"
	}
	return fmt.Sprintf("Geometry of %d models", len(b.Results))
}

// Text writes what a terminal shows: the paper's tables, the comparison when
// there are several models, and the verdicts.
func (b *Bundle) Text(w io.Writer) error {
	tables := []*Table{modelTable(b.Results...), table2(b.Results...), table3(b.Results...), table4(b.Results...)}
	for _, t := range tables {
		t.Notes = nil
	}
	if len(b.Results) > 1 {
		tables = append(tables, comparisonTable(b.Results...))
	}
	for _, t := range []*Table{swapTable(b.Results...), embeddingSwapTable(b.Results...)} {
		if len(t.Rows) > 0 {
			tables = append(tables, t)
		}
	}
	if t := swapSiteTable(b.Results...); len(t.Rows) > 0 && len(b.Results) <= 2 {
		tables = append(tables, t)
	}
	for _, t := range tables {
		t.Width = b.Width
		if _, err := io.WriteString(w, t.String()+"\n"); err != nil {
			return fmt.Errorf("report: %w", err)
		}
	}
	text := Wrap(deviations, b.Width) + "\n"
	for _, r := range b.Results {
		text += "\n" + Wrap(plain.Cell(r.Model.Name)+": "+plain.Cell(r.Verdict), b.Width) + "\n"
	}
	if _, err := io.WriteString(w, text); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}

// tables returns the tables of the bundle by file name.
func (b *Bundle) tables() map[string]*Table {
	out := map[string]*Table{
		"table2_angle":    table2(b.Results...),
		"table3_norm":     table3(b.Results...),
		"table4_rotation": table4(b.Results...),
		"models":          modelTable(b.Results...),
		"comparison":      comparisonTable(b.Results...),
		"site_angles":     angleTable(b.Results...),
		"site_norms":      normTable(b.Results...),
		"rotations":       rotationTable(b.Results...),
		"effects":         effectTable(b.Results...),
		"extremes":        extremeTable(b.Results...),
		"histograms":      histogramTable(b.Results...),
		"swaps":           swapTable(b.Results...),
		"embedding_swaps": embeddingSwapTable(b.Results...),
		"swap_sites":      swapSiteTable(b.Results...),
	}
	for i, t := range causeTables(b.Results...) {
		out[fmt.Sprintf("causes_%d", i+1)] = t
	}
	for name, t := range out {
		if len(t.Rows) == 0 {
			delete(out, name)
		}
	}
	return out
}

// detailed are the models whose own plots are shown: all of them, or the last
// checkpoint of each training run.
func (b *Bundle) detailed() []*geometry.Result {
	var out []*geometry.Result
	for _, g := range runs(b.Results) {
		out = append(out, g.results[len(g.results)-1])
	}
	for _, r := range b.Results {
		if r.Step == nil {
			out = append(out, r)
		}
	}
	return out
}

// across are the plots over several models.
func (b *Bundle) across() []*chart {
	var out []*chart
	if len(runs(b.Results)) > 0 {
		out = append(out, trainingCharts(b.Results)...)
	}
	d := b.detailed()
	if len(d) > 1 {
		out = append(out, comparisonCharts(d)...)
	}
	return append(out, publishedCharts(d)...)
}

// charts returns all plots, with file names that differ.
func (b *Bundle) charts() []*chart {
	out := b.across()
	for i, r := range b.detailed() {
		for _, c := range modelCharts(r) {
			if len(b.detailed()) > 1 {
				c.Name = fmt.Sprintf("%d_%s_%s", i+1, fileName(r.Model.Name), c.Name)
			}
			out = append(out, c)
		}
	}
	return out
}

// fileName keeps letters, digits, dots, dashes and underscores of s.
func fileName(s string) string {
	return strings.Map(func(r rune) rune {
		if r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("._-", r)) {
			return r
		}
		return '-'
	}, s)
}

// manifest is the file of a report that is written last.
const manifest = "geometry.json"

// WriteDir writes geometry.json, a CSV for every table, an SVG, a PDF and a PNG for
// every plot, and report.html into the folder dir, which it creates. A report is
// whole or as it was before: as long as geometry.json is there, the other files
// belong to it. Files of other names in dir stay.
func (b *Bundle) WriteDir(ctx context.Context, dir string) error {
	if len(b.Results) == 0 {
		return errors.New("report: nothing to report")
	}
	files := map[string]func(w io.Writer) error{
		manifest:      func(w io.Writer) error { return geometry.WriteJSON(w, b.Results...) },
		"report.html": b.HTML,
		"tidy.csv":    func(w io.Writer) error { return WriteTidy(w, Records(b.Results...)) },
	}
	for name, t := range b.tables() {
		files[name+".csv"] = func(w io.Writer) error { return t.Write(w, CSV) }
	}
	for _, c := range b.charts() {
		for _, format := range PlotFormats {
			files[c.Name+format] = func(w io.Writer) error {
				image, err := c.image(format)
				if err == nil {
					_, err = w.Write(image)
				}
				return err
			}
		}
	}
	err := whole.Files(ctx, dir, manifest, func(temp string) error {
		for name, write := range files {
			var buf bytes.Buffer
			err := ctx.Err()
			if err == nil {
				err = write(&buf)
			}
			if err == nil {
				err = os.WriteFile(filepath.Join(temp, name), buf.Bytes(), 0o666)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
}
