package engine

import (
	"slices"
	"testing"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/internal/toy"
	"github.com/normswap/normswap/internal/toytest"
	"github.com/normswap/normswap/ops"
)

// TestBF16Activations: rounded activations stay close, do not depend on threads nor on what
// shares a pass, and are refused where they cannot be.
func TestBF16Activations(t *testing.T) {
	load := func(name string, o Options) (*Model, error) {
		shape := toy.Tiny(name, func(tensor string) bool { return tensor != "experts" })
		m, err := Load(t.Context(), toytest.Parse(t, toytest.Bytes(t, shape, "BF16", 1)), o)
		if err == nil {
			t.Cleanup(func() { m.Close() })
		}
		return m, err
	}
	if _, err := load("llama", Options{BF16Activations: true}); err == nil {
		t.Error("a decoder takes activations in BF16")
	}
	if !ops.BF16() {
		if _, err := load("bert", Options{BF16Activations: true}); err == nil {
			t.Error("a machine without instructions for BF16 takes them")
		}
		return
	}
	pooling := arch.PoolMean
	o := EmbedOptions{Pooling: &pooling, Normalize: true}
	texts := [][]int32{{1, 2, 3}, {4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21}, {22}, slices.Repeat([]int32{7, 3}, 20)}
	for _, name := range []string{"bert", "nomic-bert", "modern-bert", "nomic-bert-moe"} {
		exact, err := load(name, Options{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		want, err := exact.Embed(t.Context(), texts, o)
		if err != nil {
			t.Fatal(err)
		}
		var first [][]float32
		for _, threads := range []int{1, 3} {
			m, err := load(name, Options{Threads: threads, BF16Activations: true})
			if err != nil {
				t.Fatal(err)
			}
			got, err := m.Embed(t.Context(), texts, o)
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range got {
				if c, _ := cosines([][]float32{v}, want[i]); c < 0.999 || c == 1 {
					t.Errorf("%s: text %d has a cosine of %v with float32 activations", name, i, c)
				}
				alone, err := m.Embed(t.Context(), texts[i:i+1], o)
				if err != nil || !slices.Equal(alone[0], v) || first != nil && !slices.Equal(first[i], v) {
					t.Errorf("%s: text %d differs alone, or with %d threads (%v)", name, i, threads, err)
				}
			}
			first = got
		}
	}
}
