package main

import (
	"slices"
	"testing"

	"github.com/normswap/normswap/internal/tales"
)

// Two models never have one name.
func TestModelNames(t *testing.T) {
	for _, c := range []struct{ paths, want []string }{
		{[]string{""}, []string{tales.Name}},
		{[]string{"x/m.gguf"}, []string{"m"}},
		{[]string{"d1/m.gguf", "d2/m.gguf"}, []string{"d1/m", "d2/m"}},
		{[]string{"d1/m.gguf", "d2/m.gguf", "n.gguf"}, []string{"d1/m", "d2/m", "n"}},
		{[]string{"a/x/m.gguf", "b/x/m.gguf"}, []string{"a/x/m", "b/x/m"}},
		{[]string{"m.gguf", "d/m.gguf"}, []string{"m", "d/m"}},
		{[]string{"/d/m.gguf", "/d/m.gguf", "/d/../d/m.gguf"}, []string{"m", "m (2)", "m (3)"}},
		{[]string{"m", "m.gguf", "d/m"}, []string{"m", "m (2)", "d/m"}},
		{[]string{"", ""}, []string{tales.Name, tales.Name + " (2)"}},
	} {
		if got := modelNames(c.paths); !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, want %q", c.paths, got, c.want)
		}
	}
}
