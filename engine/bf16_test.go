package engine

import (
	"math"
	"slices"
	"testing"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/internal/toy"
	"github.com/normswap/normswap/internal/toytest"
	"github.com/normswap/normswap/ops"
)

func loadTiny(t *testing.T, name, typ string, o Options) (*Model, error) {
	shape := toy.Tiny(name, func(tensor string) bool { return tensor != "experts" })
	m, err := Load(t.Context(), toytest.Parse(t, toytest.Bytes(t, shape, typ, 1)), o)
	if err == nil {
		t.Cleanup(func() { m.Close() })
	}
	return m, err
}

// TestBF16Decoders: rounded activations move logits little, and by the same whatever the
// number of threads and what shares a pass; weights of other types are refused.
func TestBF16Decoders(t *testing.T) {
	if _, err := loadTiny(t, "llama", "F32", Options{BF16Activations: true}); err == nil {
		t.Error("weights in F32 take activations in BF16")
	}
	if !ops.BF16() {
		return
	}
	for _, name := range []string{"llama", "gpt2", "qwen2moe"} {
		var want, first [][]float32
		for _, o := range []Options{{Threads: 1}, {Threads: 1, BF16Activations: true}, {Threads: 3, BF16Activations: true}} {
			m, err := loadTiny(t, name, "BF16", o)
			if err != nil {
				t.Fatal(err)
			}
			var got [][]float32
			if err := newSession(t, m, SessionOptions{}).EvalAll(t.Context(), []int32{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, func(_ int, l []float32) error {
				got = append(got, slices.Clone(l))
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			switch {
			case want == nil:
				want = got
			case first == nil:
				first = got
				for i := range got {
					if c := cosine(got[i], want[i]); c < 0.999 || c == 1 {
						t.Errorf("%s: logits %d have a cosine of %v with those of float32 activations", name, i, c)
					}
				}
				testShared(t, name, m)
			case !slices.EqualFunc(first, got, slices.Equal):
				t.Errorf("%s: 3 threads give other logits than 1", name)
			}
		}
	}
}

// TestBF16Activations: rounded activations of encoders stay close, do not depend on threads nor
// on what shares a pass, and are refused where they cannot be.
func TestBF16Activations(t *testing.T) {
	load := func(name string, o Options) (*Model, error) { return loadTiny(t, name, "BF16", o) }
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

func cosine(x, y []float32) float64 {
	var xy, xx, yy float64
	for i := range x {
		xy, xx, yy = xy+float64(x[i])*float64(y[i]), xx+float64(x[i])*float64(x[i]), yy+float64(y[i])*float64(y[i])
	}
	return xy / math.Sqrt(xx*yy)
}
