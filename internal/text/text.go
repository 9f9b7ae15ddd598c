// Package text tells text from what is none.
package text

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// An Error says what bytes are that are no UTF-8 text.
type Error struct {
	What  string // such as "a GGUF file" or "UTF-16 text, little-endian"
	IConv string // the encoding by iconv's name, if it is text in another one
}

func (e *Error) Error() string { return "this is " + e.What + ", not UTF-8 text" }

// magics are how files begin that are often given for a text.
var magics = []struct{ begin, what string }{
	{"GGUF", "a GGUF file"},
	{"PK\x03\x04", "a ZIP archive"},
	{"\x1f\x8b", "a gzip archive"},
	{"\x28\xb5\x2f\xfd", "a Zstandard archive"},
	{"\xfd7zXZ\x00", "an xz archive"},
	{"BZh", "a bzip2 archive"},
	{"7z\xbc\xaf\x27\x1c", "a 7z archive"},
	{"%PDF-", "a PDF document"},
	{"\x7fELF", "a program"},
	{"MZ\x90\x00", "a program"},
	{"\x89PNG\r\n", "a PNG image"},
	{"\xff\xd8\xff", "a JPEG image"},
	{"\xd0\xcf\x11\xe0\xa1\xb1", "an old Office document"},
	{"PAR1", "a Parquet file"},
	{"SQLite format 3\x00", "an SQLite database"},
}

// marks are the byte order marks of other encodings, the longer ones first.
var marks = []struct{ begin, what, iconv string }{
	{"\xff\xfe\x00\x00", "UTF-32 text, little-endian", "UTF-32"},
	{"\x00\x00\xfe\xff", "UTF-32 text, big-endian", "UTF-32"},
	{"\xff\xfe", "UTF-16 text, little-endian", "UTF-16"},
	{"\xfe\xff", "UTF-16 text, big-endian", "UTF-16"},
}

// Check returns nil if the bytes are UTF-8 text, and an *Error otherwise. A
// text may be cut within its last character, and may hold a few control
// characters.
func Check(b []byte) error {
	for _, m := range marks {
		if bytes.HasPrefix(b, []byte(m.begin)) && !(len(m.begin) == 4 && len(b)%4 != 0) {
			return &Error{What: m.what + ", by its mark", IConv: m.iconv}
		}
	}
	for _, m := range magics {
		if bytes.HasPrefix(b, []byte(m.begin)) {
			return &Error{What: m.what}
		}
	}
	if err := wide(b); err != nil {
		return err
	}
	if crowded(b) {
		return &Error{What: "binary data"}
	}
	if at := Invalid(b); at >= 0 {
		return &Error{What: fmt.Sprintf("text in another encoding, or binary data (byte 0x%02x at offset %d)", b[at], at)}
	}
	return nil
}

// sample is how much of a file is looked at for what it is.
const sample = 64 << 10

// wide recognises UTF-16 and UTF-32 without a mark: of Latin text in them,
// every second byte, or three of four, are NUL.
func wide(b []byte) error {
	head := b[:min(len(b), sample)]
	var zeros [4]int // by offset modulo 4
	for i, c := range head {
		if c == 0 {
			zeros[i%4]++
		}
	}
	even, odd := zeros[0]+zeros[2], zeros[1]+zeros[3]
	switch n := len(head); {
	case n < 2 || even+odd == 0 || even+odd == n:
	case n%4 == 0 && zeros[0] == 0 && zeros[2]+zeros[3] == n/2:
		return &Error{What: "UTF-32 text, little-endian, without a mark", IConv: "UTF-32LE"}
	case n%4 == 0 && zeros[3] == 0 && zeros[0]+zeros[1] == n/2:
		return &Error{What: "UTF-32 text, big-endian, without a mark", IConv: "UTF-32BE"}
	case even == 0 && odd >= n/4:
		return &Error{What: "UTF-16 text, little-endian, without a mark", IConv: "UTF-16LE"}
	case odd == 0 && even >= n/4:
		return &Error{What: "UTF-16 text, big-endian, without a mark", IConv: "UTF-16BE"}
	}
	return nil
}

// crowded reports whether there are more control characters than a text has.
func crowded(b []byte) bool {
	head := b[:min(len(b), sample)]
	controls := 0
	for _, c := range head {
		if c < ' ' && (c < '\t' || '\r' < c) && c != '\x1b' {
			controls++
		}
	}
	return controls >= 16 && controls > len(head)/10
}

// Invalid is the offset of the first byte that is no UTF-8, or -1. A character
// that the end cuts off is none.
func Invalid(b []byte) int {
	for at := 0; at < len(b); {
		if b[at] < utf8.RuneSelf {
			at++
			continue
		}
		r, n := utf8.DecodeRune(b[at:])
		if r == utf8.RuneError && n == 1 {
			if !utf8.FullRune(b[at:]) {
				return -1
			}
			return at
		}
		at += n
	}
	return -1
}
