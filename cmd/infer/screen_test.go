package main

import (
	"strings"
	"testing"
)

func TestScreen(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"one two three four", "one two\nthree four"},
		{"  an indent", "  an\nindent"},
		{"ends here. ", "ends here."},
		{"tab\tand\nbreak", "tab and\nbreak"},
		{"exactly ten chars", "exactly\nten chars"},
		{"1234567890 x", "1234567890\nx"},
		{"much-too-long-a-word x", "much-too-l\nong-a-word\nx"},
		{"éàü çöë x", "éàü çöë x"},
		{"\x1b[31mred\a\r\b", "[31mred"},
		{"", ""},
		{"日本語は東", "日本語は東"},
		{"日本語は東京", "日本語は東\n京"},
		{"a日本語は東京", "a日本語は\n東京"},
		{"e\u0301e\u0301e\u0301e\u0301 e\u0301e\u0301e\u0301e\u0301e\u0301", "e\u0301e\u0301e\u0301e\u0301 e\u0301e\u0301e\u0301e\u0301e\u0301"},
	} {
		for _, step := range []int{1, 2, 100} { // characters a write
			var b strings.Builder
			s := &screen{w: &b, width: 10}
			for rest := []rune(c.text); len(rest) > 0; rest = rest[min(step, len(rest)):] {
				if _, err := s.Write([]byte(string(rest[:min(step, len(rest))]))); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.Flush(); err != nil {
				t.Fatal(err)
			}
			if b.String() != c.want {
				t.Errorf("%q, %d characters a time: %q, want %q", c.text, step, b.String(), c.want)
			}
		}
	}
}

func TestNearest(t *testing.T) {
	names := []string{"temp", "top-k", "top-p", "tokens", "threads", "n"}
	for word, want := range map[string]string{
		"tmp": "temp", "tempp": "temp", "temperature": "temp", "topk": "top-k", "token": "tokens", "thread": "threads",
		"zebra": "", "": "", "q": "",
	} {
		if got := nearest(word, names); got != want {
			t.Errorf("nearest(%q) = %q, want %q", word, got, want)
		}
	}
}

func TestCut(t *testing.T) {
	for _, c := range []struct {
		text  string
		width int
		want  string
	}{
		{"\rone two\rthree", 5, "\rone t\rthree"},
		{"éàüçöë", 3, "éàü"},
		{"as it is", 0, "as it is"},
		{"as it is", -1, "as it is"},
	} {
		if got := cut(c.text, c.width); got != c.want {
			t.Errorf("%q cut to %d: %q, want %q", c.text, c.width, got, c.want)
		}
	}
}
