package eval

import (
	"strings"
	"testing"

	"github.com/normswap/normswap/engine"
)

// FuzzParse: whatever a part of a run says, it is refused, or merges with itself as
// another shard and is JSON again.
func FuzzParse(f *testing.F) {
	m, err := engine.Open(f.Context(), "../tests/testdata/archs/gpt2.gguf", engine.Options{})
	if err != nil {
		f.Fatal(err)
	}
	defer m.Close()
	naive, err := m.Variant(f.Context(), engine.Options{Norm: engine.RMSNaive})
	if err != nil {
		f.Fatal(err)
	}
	defer naive.Close()
	ids, _, err := Text(f.Context(), m, "", 64)
	if err != nil {
		f.Fatal(err)
	}
	r, err := Run(f.Context(), []*engine.Model{m, naive}, []string{"native", "rms-naive"}, ids, Options{Context: 16, Shards: 2})
	if err != nil {
		f.Fatal(err)
	}
	for _, r.Kind = range []string{Compare, Perplexity} {
		b, err := r.MarshalPart()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Parse(b)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "eval: ") {
				t.Errorf("the error is %v", err)
			}
			return
		}
		again, err := Parse(b)
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range again.Shards {
			again.Shards[i] = (s + 1) % r.Of
		}
		if err := r.Merge(again); err != nil && !strings.HasPrefix(err.Error(), "eval: ") {
			t.Errorf("the error is %v", err)
		}
		r.Missing()
		if out, err := r.MarshalPart(); err != nil {
			t.Errorf("the report is no JSON: %v", err)
		} else if _, err := Parse(out); err != nil {
			t.Errorf("what was read cannot be read again: %v", err)
		}
	})
}
