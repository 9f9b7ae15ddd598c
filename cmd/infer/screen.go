package main

import (
	"io"
	"strings"

	"github.com/normswap/normswap/internal/plain"
	"github.com/normswap/normswap/report"
	"github.com/rivo/uniseg"
)

// A screen writes text that a model made up to a terminal. It breaks lines
// between words, and leaves out unsafe characters.
type screen struct {
	w      io.Writer
	width  int
	column int    // of the terminal, where the next character goes
	spaces int    // held back until it is known what follows
	word   string // held back until it is known to fit
}

// writeTable writes a table, on a terminal no wider than that.
func writeTable(w io.Writer, t *report.Table, f report.Format) error {
	t.Width = screenWidth(w)
	return t.Write(w, f)
}

// newScreen returns what writes text to c: c itself if it is no terminal.
func newScreen(c *console) io.Writer {
	if width := screenWidth(c); width > 0 {
		return &screen{w: c, width: width}
	}
	return c
}

func (s *screen) Write(p []byte) (int, error) {
	var out strings.Builder
	for _, r := range string(p) {
		switch {
		case r == '\n':
			s.place(&out)
			out.WriteByte('\n')
			s.column, s.spaces = 0, 0
		case r == ' ' || r == '\t':
			s.place(&out)
			s.spaces++
		case plain.Unsafe(r):
		default:
			s.word += string(r)
			// Lines may be broken behind a wide character, as Chinese has them.
			if uniseg.StringWidth(string(r)) > 1 || uniseg.StringWidth(s.word) >= s.width {
				s.place(&out)
			}
		}
	}
	if _, err := io.WriteString(s.w, out.String()); err != nil {
		return 0, err
	}
	return len(p), nil
}

// place moves the word to out, on a new line if this one has no room.
func (s *screen) place(out *strings.Builder) {
	if s.word == "" {
		return
	}
	n := uniseg.StringWidth(s.word)
	if s.column > 0 && s.column+s.spaces+n > s.width {
		out.WriteByte('\n')
		s.column, s.spaces = 0, 0
	}
	out.WriteString(strings.Repeat(" ", s.spaces) + s.word)
	s.column += s.spaces + n
	s.spaces, s.word = 0, ""
}

// Flush writes the last word.
func (s *screen) Flush() error {
	var out strings.Builder
	s.place(&out)
	_, err := io.WriteString(s.w, out.String())
	return err
}
