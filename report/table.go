// Package report turns results into what people read: tables as text,
// Markdown, CSV, JSON or JSON lines, plots as SVG and PNG, and the
// self-contained HTML report of a geometry run.
package report

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/normswap/normswap/internal/plain"
)

// Format is a way to write a table.
type Format string

// The formats of a table. Text and Markdown round as the columns say; CSV and
// JSON keep every digit.
const (
	Text     Format = "text"
	Markdown Format = "md"
	CSV      Format = "csv"
	JSON     Format = "json"  // one array of objects
	JSONL    Format = "jsonl" // one object a line
)

// Column describes the cells below it.
type Column struct {
	Key    string // name in CSV and JSON, such as angle_deg
	Name   string // heading for people; "" means Key
	Unit   string // shown after the heading in parentheses, when there is one
	Format string // verb for numbers in text, such as %.2f; "" means %v
	Spread string // the key of a Spread's second number is KEY_SPREAD; "" means sd
	Share  bool   // cells are shares of 1, of which people see percent
	Left   bool   // align left (text); the default suits numbers. Such columns in front are the keys of the rows
	Tied   bool   // it says something of the column before, such as its deviation: no line of text parts them
}

func (c Column) heading() string {
	name := cmp.Or(c.Name, c.Key)
	switch {
	case c.Share:
		name += " (%)"
	case c.Unit != "":
		name += " (" + c.Unit + ")"
	}
	return name
}

// second is the key of a Spread's second number.
func (c Column) second() string { return c.Key + "_" + cmp.Or(c.Spread, "sd") }

// Spread is a cell of two numbers, a mean and the deviation around it. People
// read "mean ± sd", or "mean ± ?" of one number; CSV and JSON get two fields, such
// as KEY and KEY_sd.
type Spread struct{ Mean, SD float64 }

// Table is a titled grid. A cell is a string, a bool, an integer, a float64,
// a Spread, or nil for a figure that does not exist; NaN and the infinities
// are shown to people and are null in JSON.
type Table struct {
	Title   string
	Columns []Column
	Rows    [][]any
	Notes   []string // lines below the table, for people

	// Width, if not 0, is how many characters a line of text may have. A wider
	// table is cut into several, each with the keys of the rows; a key that is the same
	// in all rows stands above them instead.
	Width int
}

// Add appends a row. It panics when the number of cells is not that of the
// columns.
func (t *Table) Add(cells ...any) {
	if len(cells) != len(t.Columns) {
		panic(fmt.Sprintf("report: a row of %d cells in a table of %d columns", len(cells), len(t.Columns)))
	}
	t.Rows = append(t.Rows, cells)
}

// Write writes the table in a format.
func (t *Table) Write(w io.Writer, f Format) error {
	var b bytes.Buffer
	var err error
	switch f {
	case Text:
		t.text(&b)
	case Markdown:
		t.markdown(&b)
	case CSV:
		err = t.csv(&b)
	case JSON:
		err = t.json(&b)
	case JSONL:
		err = t.jsonl(&b)
	default:
		err = fmt.Errorf("unknown format %q: want text, md, csv, json or jsonl", f)
	}
	if err == nil {
		out := b.Bytes()
		if f == JSON || f == JSONL {
			out = plain.EscapeJSON(out)
		}
		_, err = w.Write(out)
	}
	if err != nil {
		return fmt.Errorf("report: table %q: %w", t.Title, err)
	}
	return nil
}

// String returns the table as text.
func (t *Table) String() string {
	var b bytes.Buffer
	t.text(&b)
	return b.String()
}

func (t *Table) text(b *bytes.Buffer) {
	rows := t.shown()
	width := make([]int, len(t.Columns))
	for _, row := range rows {
		for i, s := range row {
			width[i] = max(width[i], utf8.RuneCountInString(s))
		}
	}
	if t.Title != "" {
		b.WriteString(Wrap(plain.Cell(t.Title), t.Width) + "\n\n")
	}
	same, keys := t.keys(rows, width)
	for _, i := range same {
		b.WriteString(Wrap(rows[0][i]+": "+rows[1][i], t.Width) + "\n\n")
	}
	for n, columns := range t.pages(width, same, keys) {
		if n > 0 {
			b.WriteByte('\n')
		}
		line := func(cell func(i int) string) {
			var out []string
			for _, i := range columns {
				s := cell(i)
				pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(s))
				if t.Columns[i].Left {
					s += pad
				} else {
					s = pad + s
				}
				out = append(out, s)
			}
			b.WriteString(strings.TrimRight(strings.Join(out, gap), " ") + "\n")
		}
		for i, row := range rows {
			line(func(j int) string { return row[j] })
			if i == 0 {
				line(func(j int) string { return strings.Repeat("─", width[j]) })
			}
		}
	}
	for _, n := range t.Notes {
		b.WriteString(Wrap(plain.Cell(n), t.Width) + "\n")
	}
}

// gap is what stands between two columns.
const gap = "  "

// keys returns the columns that say which row is which, and those among them that
// are the same in all rows, where the table is too wide to repeat these.
func (t *Table) keys(rows [][]string, width []int) (same, keys []int) {
	total := -len(gap)
	for _, n := range width {
		total += len(gap) + n
	}
	wide := t.Width > 0 && total > t.Width
	for i, c := range t.Columns {
		if i > 0 && !c.Left {
			break
		}
		keys = append(keys, i)
	}
	if !wide || len(keys) < 2 || len(rows) < 3 {
		return nil, keys
	}
	for _, i := range keys {
		if !slices.ContainsFunc(rows[1:], func(row []string) bool { return row[i] != rows[1][i] }) {
			same = append(same, i)
		}
	}
	return same, slices.DeleteFunc(keys, func(i int) bool { return slices.Contains(same, i) })
}

// pages divides the columns but those in same so that the lines of each page fit the
// width, where that can be. Each page begins with the keys, unless these alone would
// fill it: then with the first of them.
func (t *Table) pages(width, same, keys []int) (pages [][]int) {
	size := func(columns []int) int {
		n := -len(gap)
		for _, i := range columns {
			n += len(gap) + width[i]
		}
		return n
	}
	if t.Width > 0 && size(keys) > t.Width*2/3 {
		keys = keys[:1]
	}
	page := slices.Clone(keys)
	for i := 0; i < len(width); {
		if slices.Contains(same, i) || slices.Contains(page, i) {
			i++
			continue
		}
		group := []int{i}
		for i++; i < len(width) && t.Columns[i].Tied; i++ {
			group = append(group, i)
		}
		if t.Width > 0 && len(page) > len(keys) && size(page)+len(gap)+size(group) > t.Width {
			pages = append(pages, page)
			page = slices.Clone(keys)
		}
		page = append(page, group...)
	}
	return append(pages, page)
}

// Wrap breaks a text between words; 0 leaves it in one line.
func Wrap(text string, width int) string {
	if width == 0 {
		return text
	}
	var b strings.Builder
	column := 0
	for i, word := range strings.Split(text, " ") {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case column+1+n > width:
			b.WriteByte('\n')
			column = 0
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += n
	}
	return b.String()
}

func (t *Table) markdown(b *bytes.Buffer) {
	if t.Title != "" {
		b.WriteString("### " + markdownText(plain.Cell(t.Title)) + "\n\n")
	}
	for i, row := range t.shown() {
		b.WriteByte('|')
		for _, s := range row {
			b.WriteString(" " + markdownText(s) + " |")
		}
		b.WriteByte('\n')
		if i == 0 {
			b.WriteByte('|')
			for _, c := range t.Columns {
				if c.Left {
					b.WriteString("---|")
				} else {
					b.WriteString("---:|")
				}
			}
			b.WriteByte('\n')
		}
	}
	for _, n := range t.Notes {
		b.WriteString("\n" + markdownText(plain.Cell(n)) + "\n")
	}
}

// markdownText keeps a cell from ending its column or becoming markup.
func markdownText(s string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", "*", `\*`, "`", "\\`").Replace(s)
}

// shown returns the headings and the rows as people read them.
func (t *Table) shown() [][]string {
	head := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		head[i] = plain.Cell(c.heading())
	}
	rows := [][]string{head}
	for _, row := range t.Rows {
		out := make([]string, len(row))
		for i, cell := range row {
			if v, ok := cell.(float64); ok && t.Columns[i].Share {
				cell = 100 * v
			}
			out[i] = show(cell, t.Columns[i].Format)
		}
		rows = append(rows, out)
	}
	return rows
}

func show(cell any, format string) string {
	verb := func(v any) string {
		if format == "" {
			return fmt.Sprint(v)
		}
		return fmt.Sprintf(format, v)
	}
	switch v := cell.(type) {
	case nil:
		return "-"
	case string:
		return plain.Cell(v)
	case bool:
		return map[bool]string{true: "yes", false: "no"}[v]
	case float64:
		if math.IsNaN(v) {
			return "-"
		}
		if math.Abs(v) >= 1e6 && strings.HasSuffix(format, "f") && format != "%.0f" { // as plain.Fixed
			format = "%.4g"
		}
		return verb(v)
	case Spread:
		if math.IsNaN(v.SD) || math.IsInf(v.SD, 0) { // one number has no deviation
			return show(v.Mean, format) + " ± ?"
		}
		return show(v.Mean, format) + " ± " + show(v.SD, format)
	}
	return verb(cell)
}

// fields yields the keys and values of a row as machines read them; spreads
// are the columns with cells of two numbers.
func (t *Table) fields(row []any, spreads []bool, yield func(key string, v any)) {
	for i, cell := range row {
		c := t.Columns[i]
		s, two := cell.(Spread)
		switch {
		case two:
			yield(c.Key, s.Mean)
			yield(c.second(), s.SD)
		case spreads[i]:
			yield(c.Key, cell)
			yield(c.second(), nil)
		default:
			yield(c.Key, cell)
		}
	}
}

// spreads says which columns have cells of two numbers.
func (t *Table) spreads() []bool {
	out := make([]bool, len(t.Columns))
	for _, row := range t.Rows {
		for i, cell := range row {
			if _, ok := cell.(Spread); ok {
				out[i] = true
			}
		}
	}
	return out
}

func (t *Table) csv(b *bytes.Buffer) error {
	w := csv.NewWriter(b)
	spreads := t.spreads()
	var head []string
	for i, c := range t.Columns {
		head = append(head, c.Key)
		if spreads[i] {
			head = append(head, c.second())
		}
	}
	if err := w.Write(head); err != nil {
		return err
	}
	for _, row := range t.Rows {
		var out []string
		t.fields(row, spreads, func(_ string, v any) {
			switch v := v.(type) {
			case nil:
				out = append(out, "")
			case float64:
				out = append(out, strconv.FormatFloat(v, 'g', -1, 64))
			default:
				out = append(out, fmt.Sprint(v))
			}
		})
		if err := w.Write(out); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}

// object writes a row as a JSON object with the keys in column order.
func (t *Table) object(b *bytes.Buffer, row []any, spreads []bool) error {
	var err error
	sep := "{"
	t.fields(row, spreads, func(key string, v any) {
		if f, ok := v.(float64); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
			v = nil
		}
		k, e := json.Marshal(key)
		if e == nil {
			var j []byte
			j, e = json.Marshal(v)
			b.WriteString(sep)
			b.Write(k)
			b.WriteString(": ")
			b.Write(j)
		}
		if e != nil && err == nil {
			err = fmt.Errorf("column %s: %w", key, e)
		}
		sep = ", "
	})
	b.WriteByte('}')
	return err
}

func (t *Table) json(b *bytes.Buffer) error {
	sep := "[\n "
	spreads := t.spreads()
	for _, row := range t.Rows {
		b.WriteString(sep)
		if err := t.object(b, row, spreads); err != nil {
			return err
		}
		sep = ",\n "
	}
	if len(t.Rows) == 0 {
		b.WriteByte('[')
	}
	b.WriteString("\n]\n")
	return nil
}

func (t *Table) jsonl(b *bytes.Buffer) error {
	spreads := t.spreads()
	for _, row := range t.Rows {
		if err := t.object(b, row, spreads); err != nil {
			return err
		}
		b.WriteByte('\n')
	}
	return nil
}
