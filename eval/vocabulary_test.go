package eval

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/internal/testdata"
)

// TestPadding: unused tokens may have any name; any other difference is named.
func TestPadding(t *testing.T) {
	const last, unused = 511, 5 // a type of tokens
	made := func(name string, kind int32) *engine.Model {
		t.Helper()
		f, err := gguf.Parse(testdata.Read(t, "trained/stories260K-F32.gguf"))
		if err != nil {
			t.Fatal(err)
		}
		tokens, err := gguf.Get[[]string](&f.Meta, "tokenizer.ggml.tokens")
		if err != nil {
			t.Fatal(err)
		}
		types, err := gguf.Get[[]int32](&f.Meta, "tokenizer.ggml.token_type")
		if err != nil {
			t.Fatal(err)
		}
		tokens, types = slices.Clone(tokens), slices.Clone(types)
		tokens[last], types[last] = name, kind
		var b bytes.Buffer
		for _, err := range []error{f.Meta.Set("tokenizer.ggml.tokens", tokens), f.Meta.Set("tokenizer.ggml.token_type", types), gguf.Write(&b, f)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		if f, err = gguf.Parse(b.Bytes()); err != nil {
			t.Fatal(err)
		}
		m, err := engine.Load(t.Context(), f, engine.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { m.Close() })
		return m
	}
	a, b, word, other := made("[PAD1]", unused), made("<pad>", unused), made("word", 1), made("other", 1)
	for _, c := range []struct {
		x, y *engine.Model
		want string
	}{
		{a, b, ""}, {b, a, ""}, {word, word, ""},
		{word, other, `token 511 is "word" in one and "other"`}, {a, word, `token 511 is padding in one and "word"`}, {word, a, `token 511 is "word" in one and padding`},
	} {
		_, err := Run(t.Context(), []*engine.Model{c.x, c.y}, []string{"x", "y"}, randomIDs(c.x, 32), Options{Context: 16})
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
}
