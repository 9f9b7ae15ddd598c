package text

import (
	"errors"
	"os"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/normswap/normswap/internal/testdata"
)

// utf16Of encodes a text, little-endian or not.
func utf16Of(text string, little bool) string {
	var b strings.Builder
	for _, u := range utf16.Encode([]rune(text)) {
		hi, lo := byte(u>>8), byte(u)
		if little {
			hi, lo = lo, hi
		}
		b.WriteByte(hi)
		b.WriteByte(lo)
	}
	return b.String()
}

func utf32Of(text string, little bool) string {
	var b strings.Builder
	for _, r := range text {
		c := []byte{byte(r >> 24), byte(r >> 16), byte(r >> 8), byte(r)}
		if little {
			c[0], c[1], c[2], c[3] = c[3], c[2], c[1], c[0]
		}
		b.Write(c)
	}
	return b.String()
}

func TestCheck(t *testing.T) {
	const prose = "Once upon a time there was a king, and the café was closed.\n"
	for _, c := range []struct{ name, text, want, iconv string }{
		{"nothing", "", "", ""},
		{"prose", prose, "", ""},
		{"a UTF-8 mark", "\ufeff" + prose, "", ""},
		{"cut within a character", prose + "\xe4\xb8", "", ""},
		{"a few control characters", "a\x00b\x1b[1m\x07 \x1e" + prose, "", ""},
		{"Latin-1", "caf\xe9 au lait", "byte 0xe9 at offset 3", ""},
		{"overlong", "a\xc0\xafb", "byte 0xc0 at offset 1", ""},
		{"a surrogate", "a\xed\xa0\x80b", "byte 0xed at offset 1", ""},
		{"UTF-16LE", "\xff\xfe" + utf16Of(prose, true), "UTF-16 text, little-endian, by its mark", "UTF-16"},
		{"UTF-16BE", "\xfe\xff" + utf16Of(prose, false), "UTF-16 text, big-endian, by its mark", "UTF-16"},
		{"UTF-16LE, odd", "\xff\xfe" + utf16Of(prose, true) + "x", "UTF-16 text, little-endian", "UTF-16"},
		{"UTF-16LE without a mark", utf16Of(prose, true), "UTF-16 text, little-endian, without a mark", "UTF-16LE"},
		{"UTF-16BE without a mark", utf16Of(prose, false), "UTF-16 text, big-endian, without a mark", "UTF-16BE"},
		{"UTF-16 of Chinese", "\xff\xfe" + utf16Of("中文字符，没有空格。", true), "UTF-16 text", "UTF-16"},
		{"UTF-16 of Chinese without a mark", utf16Of("中文字符，没有空格。", true), "another encoding", ""},
		{"UTF-32LE", "\xff\xfe\x00\x00" + utf32Of(prose, true), "UTF-32 text, little-endian", "UTF-32"},
		{"UTF-32BE", "\x00\x00\xfe\xff" + utf32Of(prose, false), "UTF-32 text, big-endian", "UTF-32"},
		{"UTF-32LE without a mark", utf32Of(prose, true), "UTF-32 text, little-endian, without", "UTF-32LE"},
		{"UTF-32BE without a mark", utf32Of(prose, false), "UTF-32 text, big-endian, without", "UTF-32BE"},
		{"GGUF", "GGUF\x03\x00\x00\x00", "a GGUF file", ""},
		{"gzip", "\x1f\x8b\x08\x00abc", "a gzip archive", ""},
		{"a tar archive", "file.txt" + strings.Repeat("\x00", 504) + prose, "binary data", ""},
		{"zeros", strings.Repeat("\x00", 4096), "binary data", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := Check([]byte(c.text))
			var e *Error
			switch {
			case c.want == "" && err != nil:
				t.Errorf("%v", err)
			case c.want != "" && (!errors.As(err, &e) || !strings.Contains(e.What, c.want) || e.IConv != c.iconv):
				t.Errorf("%v (%+v), want %s", err, e, c.want)
			}
		})
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	if Check(b) == nil || Check(b[1000:100000]) == nil {
		t.Error("a program passes for text")
	}
}

// TestCases holds real files.
func TestCases(t *testing.T) {
	for name, want := range map[string]string{
		"cases/round2/utf16le.txt":     "UTF-16 text, little-endian",
		"cases/round2/utf8.txt":        "",
		"cases/round2/words.txt":       "",
		"cases/round2/samesize-a.gguf": "GGUF",
		"text/wiki.test.raw":           "",
		"blocks/source.f32":            "binary data",
	} {
		b := testdata.Read(t, name)
		err := Check(b)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}

// FuzzCheck demands that what passes is UTF-8, but for a last character that
// is cut off.
func FuzzCheck(f *testing.F) {
	f.Add([]byte("a\xffb"))
	f.Add([]byte("a\x00b\x00"))
	f.Add([]byte("a\xe4\xb8"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if Check(b) != nil {
			return
		}
		for cut := range min(utf8.UTFMax, len(b)+1) {
			if utf8.Valid(b[:len(b)-cut]) {
				return
			}
		}
		t.Errorf("%q passes", b)
	})
}
