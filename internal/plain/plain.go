// Package plain makes text that is safe to show and agrees with its numbers.
package plain

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Unsafe reports whether a terminal may take a character for a command, or show
// what follows in another place: controls (C0, DEL, C1), the characters that
// change the direction of text, and the separators of lines and paragraphs; and
// noncharacters, which XML does not allow. Line feeds and tabs are controls too.
func Unsafe(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp, unicode.Noncharacter_Code_Point)
}

// Text replaces the unsafe characters of a text, and bytes that are not UTF-8,
// with U+FFFD. Line feeds and tabs stay.
func Text(s string) string {
	return strings.Map(func(r rune) rune {
		if Unsafe(r) && r != '\n' && r != '\t' {
			return utf8.RuneError
		}
		return r
	}, s)
}

// Line is Text on one line: every run of white space becomes a space.
func Line(s string) string { return Text(strings.Join(strings.Fields(s), " ")) }

// Cell is Text with line feeds and tabs replaced too, for a cell of a table or
// an attribute: nothing in it moves.
func Cell(s string) string {
	return strings.Map(func(r rune) rune {
		if Unsafe(r) {
			return utf8.RuneError
		}
		return r
	}, s)
}

// WriteJSON writes v as JSON, indented if indent is not empty, in one write. Unsafe
// characters are escaped, and no others that need not be, so that <|im_start|>
// stays legible.
func WriteJSON(w io.Writer, v any, indent string) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := w.Write(EscapeJSON(b.Bytes()))
	return err
}

// EscapeJSON escapes the unsafe characters of JSON. All of them but line feeds
// stand in its strings.
func EscapeJSON(b []byte) []byte {
	var out []byte // nil: nothing to escape so far
	for i, r := range string(b) {
		if !Unsafe(r) || r == '\n' {
			if out != nil {
				out = utf8.AppendRune(out, r)
			}
			continue
		}
		if out == nil {
			out = append(make([]byte, 0, len(b)+len(b)/8), b[:i]...)
		}
		if high, low := utf16.EncodeRune(r); high != utf8.RuneError {
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		} else {
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	if out == nil {
		return b
	}
	return out
}

// Percent writes a share in percent, to two significant digits and without an
// exponent down to 0.0001 %. Only a whole share is written as 100 %, and only
// no share as 0 %.
func Percent(share float64) string {
	v := 100 * share
	switch size := math.Abs(v); {
	case v == 0 || math.IsNaN(v) || math.IsInf(v, 0):
		return fmt.Sprintf("%.0f %%", v)
	case size < 1e-4:
		return fmt.Sprintf("%.2g %%", v)
	case size < 100:
		digits := max(0, 1-int(math.Floor(math.Log10(size))))
		s := strconv.FormatFloat(v, 'f', digits, 64)
		for strings.Trim(s, "-0.") == "1" && digits < 9 && size > 99 { // not yet 100
			digits++
			s = strconv.FormatFloat(v, 'f', digits, 64)
		}
		return s + " %"
	}
	return fmt.Sprintf("%.0f %%", v)
}

// Fixed writes a number with some decimals, and from a million on with four digits: a
// perplexity may be 1e200.
func Fixed(v float64, decimals int) string {
	if math.Abs(v) >= 1e6 {
		return fmt.Sprintf("%.4g", v)
	}
	return strconv.FormatFloat(v, 'f', decimals, 64)
}

// Count writes a number of things, whose plural ends in s.
func Count(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return strconv.Itoa(n) + " " + thing
}
