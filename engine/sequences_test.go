package engine

import (
	"math"
	"slices"
	"testing"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/internal/testdata"
)

// TestSequences: the hidden vectors of whole sequences, side by side, are each one's alone,
// to the last bit, and give the logits of a session, where layers keep states, and where
// some read the keys and values of others.
func TestSequences(t *testing.T) {
	for _, name := range []string{"lfm2", "plamo2", "gemma3n"} {
		m := open(t, "archs/"+name+".gguf", Options{Threads: 2})
		tokens := testdata.Tokens()
		none := arch.PoolNone
		o := EmbedOptions{Pooling: &none}
		all, err := m.Embed(t.Context(), [][]int32{tokens[:5], tokens, tokens[3:4]}, o)
		if err != nil {
			t.Fatal(err)
		}
		for i, part := range [][]int32{tokens[:5], tokens, tokens[3:4]} {
			alone, err := m.Embed(t.Context(), [][]int32{part}, o)
			if err != nil || !slices.Equal(alone[0], all[i]) {
				t.Errorf("%s: sequence %d differs from itself alone (%v)", name, i, err)
			}
		}
		e := &definition{t: t, f: m.File}
		head := e.tensor("output.weight")
		if head == nil {
			head = e.tensor("token_embd.weight")
		}
		var logits []float64
		for i := range tokens {
			x := make([]float64, m.Arch.Dim)
			for j, v := range row(all[1], i, m.Arch.Dim) {
				x[j] = float64(v)
			}
			for _, v := range product(head, nil, x) {
				if c := float64(m.Arch.LogitSoftcap); c > 0 {
					v = c * math.Tanh(v/c)
				}
				logits = append(logits, v)
			}
		}
		byDefinition(t, name, allLogits(t, m, tokens), logits, 1e-11)
	}
}
