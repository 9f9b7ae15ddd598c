package engine

import (
	"path"
	"strings"
	"testing"

	"github.com/normswap/normswap/internal/testdata"
)

// TestParts: the stream behind a block is the stream before it and what the two branches
// add, where no norm follows the sums and there is one stream; a tap changes no logit; and what the next norm
// reads is the stream.
func TestParts(t *testing.T) {
	for _, file := range testdata.Fixtures(t, "archs") {
		name := strings.TrimSuffix(path.Base(file), ".gguf")
		m := open(t, file, Options{FloatActivations: true})
		tokens := testdata.Tokens()
		var before, sum []float32
		seen := map[Part]int{}
		tap := &Tap{Blocks: func(w Written) {
			seen[w.Part]++
			if len(w.Rows) != len(w.Tokens)*m.Arch.Dim {
				t.Fatalf("%s: %d values of %d tokens", name, len(w.Rows), len(w.Tokens))
			}
			switch {
			case w.Part != Stream:
				for i, v := range w.Rows {
					sum[i] += v
				}
			case w.Layer >= 0 && m.Arch.AltUp == nil:
				if e := testdata.NMSE(sum, w.Rows); !(e <= 1e-11) {
					t.Errorf("%s: the stream behind block %d is off by %.2g from the sum of its parts", name, w.Layer, e)
				}
			}
			if w.Part == Stream {
				before = append(before[:0], w.Rows...)
				sum = append(sum[:0], before...)
			}
		}}
		logits := func(tap *Tap) (all []float32) {
			s, err := m.NewSession(SessionOptions{Tap: tap})
			if err != nil {
				t.Fatal(err)
			}
			err = s.EvalAll(t.Context(), tokens, func(_ int, l []float32) error {
				all = append(all, l...)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			return all
		}
		want := logits(nil)
		if e := testdata.NMSE(logits(tap), want); !(e <= 1e-11) {
			t.Errorf("%s: with a tap the logits are off by %.2g", name, e)
		}
		if n := m.Arch.Layers; seen[Attention] != n || seen[FFN] != n || seen[Stream] != n+1 {
			t.Errorf("%s: %v of %d layers", name, seen, n)
		}
	}
}
