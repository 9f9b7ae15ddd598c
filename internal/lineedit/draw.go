package lineedit

import (
	"fmt"
	"strings"

	"github.com/normswap/normswap/internal/plain"
	"github.com/rivo/uniseg"
)

const (
	nextLine = "  "   // begins the lines of a text behind the first
	tabWidth = "    " // what a tab looks like
)

// draw shows the text and puts the cursor in its place. It leaves the last column
// of the terminal free: what happens behind it differs between terminals. Of a text
// with more rows than the screen has, it shows those around the cursor.
func (e *Editor) draw() error {
	columns, height := e.Size()
	width := max(columns-1, 1)
	rows := []string{""}
	column, atRow, atColumn := 0, 0, 0
	put := func(s string, w int) {
		if column+w > width && column > 0 {
			rows, column = append(rows, ""), 0
		}
		rows[len(rows)-1] += s
		column += w
	}
	put(e.Prompt, uniseg.StringWidth(e.Prompt))
	for i, c := range e.text {
		if i == e.at {
			atRow, atColumn = len(rows)-1, column
		}
		switch c {
		case "\n":
			rows, column = append(rows, nextLine), len(nextLine)
		case "\t":
			put(tabWidth, len(tabWidth))
		default:
			c = plain.Cell(c)
			put(c, uniseg.StringWidth(c))
		}
	}
	if e.at == len(e.text) {
		atRow, atColumn = len(rows)-1, column
	}
	if height < 1 {
		height = len(rows)
	}
	first := max(0, min(atRow-height/2, len(rows)-height))
	rows = rows[first:min(first+height, len(rows))]
	atRow -= first

	var b strings.Builder
	if e.row > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", e.row)
	}
	b.WriteString("\r\x1b[J")
	b.WriteString(strings.Join(rows, "\r\n"))
	if n := len(rows) - 1 - atRow; n > 0 {
		fmt.Fprintf(&b, "\x1b[%dA", n)
	}
	if atRow < len(rows)-1 || atColumn != column {
		b.WriteString("\r")
		if atColumn > 0 {
			fmt.Fprintf(&b, "\x1b[%dC", atColumn)
		}
	}
	e.row = atRow
	return e.write(b.String())
}
