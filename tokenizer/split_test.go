package tokenizer

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// tricky are the characters that the split patterns tell apart, and bytes that
// are no UTF-8.
var tricky = strings.Split("a e s t r v m l d S T R E L A Z é É ʰ 中 か ǅ ſ к 0 1 9 ² Ⅳ ٣ ' ’ ! . , - $ + ` ~ ( [ _ € 、 ۔ \u0301 \U0001F600 "+
	"\u200b \xff \xc3 \xe4\xb8 \x00 \x85", " ")

var trickySpace = []string{" ", " ", " ", "\t", "\n", "\n", "\r", "\r\n", "\u00a0", "\u3000", "\u0085", "\v", "\x1c", "\u2028"}

// randomText strings n characters together.
func randomText(rng *rand.Rand, n int) string {
	var b strings.Builder
	for range n {
		from := tricky
		if rng.IntN(3) == 0 {
			from = trickySpace
		}
		b.WriteString(from[rng.IntN(len(from))])
	}
	return b.String()
}

func split(s splitter, text string) []string {
	var pieces []string
	s.split(text, func(piece string) bool {
		pieces = append(pieces, piece)
		return true
	})
	return pieces
}

// scannerCheck holds what is written by hand against its pattern.
func scannerCheck() func(t *testing.T, text string) {
	definitions := make(map[string]splitter)
	for pattern := range scanners {
		definitions[pattern] = splitter{{all: newRegexpStage(pattern)}}
	}
	for pattern := range cutters {
		definitions[pattern] = splitter{{all: newRegexpStage(pattern)}}
	}
	return func(t *testing.T, text string) {
		t.Helper()
		for pattern, definition := range definitions {
			got, want := split(newSplitter([]string{pattern}), text), split(definition, text)
			if !slices.Equal(got, want) {
				t.Fatalf("%s\n%q:\n got %q\nwant %q", pattern, text, got, want)
			}
		}
	}
}

func TestScanners(t *testing.T) {
	check := scannerCheck()
	for _, text := range readReference(t).Texts {
		check(t, text)
	}
	for r := range rune(utf8.MaxRune) { // every character beside a space and a letter
		if r%61 == 0 || r < 0x3100 {
			check(t, "a "+string(r)+"a "+string(r)+string(r))
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		check(t, randomText(rng, 1+rng.IntN(12)))
	}
	for range 40 { // long runs
		var b strings.Builder
		for range 1 + rng.IntN(4) {
			b.WriteString(strings.Repeat(randomText(rng, 1), 1+rng.IntN(600)))
		}
		check(t, b.String())
	}
}

func FuzzScanners(f *testing.F) {
	for _, text := range readReference(f).Texts {
		f.Add(text)
	}
	check := scannerCheck()
	f.Fuzz(func(t *testing.T, text string) { check(t, text) })
}

// TestSplitters demands of every pre-tokenizer that its pieces are the text,
// and that it stops when told to.
func TestSplitters(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	texts := readReference(t).Texts
	for range 200 {
		texts = append(texts, randomText(rng, 40))
	}
	for name, rule := range preTokenizers {
		s := newSplitter(rule.stages)
		for _, text := range texts {
			pieces := split(s, text)
			if strings.Join(pieces, "") != text || slices.Contains(pieces, "") {
				t.Fatalf("%s: %q is cut into %q", name, text, pieces)
			}
			n := 0
			s.split(text, func(string) bool { n++; return n < 2 })
			if n != min(2, len(pieces)) {
				t.Fatalf("%s: %q: %d pieces after being told to stop at 2", name, text, n)
			}
		}
	}
}
