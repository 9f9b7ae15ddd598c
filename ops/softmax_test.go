package ops

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestSoftmax(t *testing.T) {
	eachTier(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 2))
		for _, n := range []int{0, 1, 2, 15, 16, 17, 100, 1000, 50257} {
			x := randoms(r, n)
			if n > 2 {
				x[n/2] = float32(math.Inf(-1))
			}
			got := slices.Clone(x)
			Softmax(got)
			var sum, top float64
			for i := range x {
				top = max(top, float64(x[i]))
			}
			for i := range x {
				sum += math.Exp(float64(x[i]) - top)
			}
			for i := range x {
				// the difference, exp and its sum and the quotient round
				want := math.Exp(float64(x[i])-top) / sum
				tol := want * 0x1p-24 * (16 + math.Abs(float64(x[i])-top))
				if d := math.Abs(float64(got[i]) - want); want > 0 && !(d <= tol) || want == 0 && got[i] != 0 {
					t.Fatalf("n=%d, element %d: got %v, want %v", n, i, got[i], want)
				}
			}
		}
		bad := []float32{1, float32(math.NaN()), 2}
		Softmax(bad)
		if !math.IsNaN(float64(bad[0])) {
			t.Errorf("NaN in, %v out", bad)
		}
	})
}

func TestActivationsOnPool(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, n := range []int{0, 1, 1000, 100003} {
		x, y := randoms(r, n), randoms(r, n)
		for a := range Activation(len(activationNames)) {
			applied, gated := make([]float32, n), make([]float32, n)
			a.Apply(applied, x)
			a.Gate(gated, x, y)
			for _, threads := range []int{1, 2, 3} {
				p := NewPool(threads)
				got := make([]float32, n)
				p.Activate(a, got, x)
				if !slices.Equal(got, applied) {
					t.Errorf("%v of %d elements, %d threads: differs from Apply", a, n, threads)
				}
				p.Gate(a, got, x, y)
				if !slices.Equal(got, gated) {
					t.Errorf("gate %v of %d elements, %d threads: differs from Gate", a, n, threads)
				}
				p.Close()
			}
		}
	}
}

// Nothing of a token may allocate.
func TestNoAllocations(t *testing.T) {
	const width, rows, heads, headDim = 256, 20, 4, 64
	r := rand.New(rand.NewPCG(1, 2))
	x, y, dst := randoms(r, rows*width), randoms(r, rows*width), make([]float32, rows*width)
	n := &Norm{Gain: randoms(r, width), Eps: 1e-5, Center: true}
	rope := NewRoPE(RoPEConfig{Dims: headDim, Base: 10000})
	tables := make([]float32, rows*rope.Width())
	a := &Attention{Heads: heads, KVHeads: 1, HeadDim: headDim, Scale: 0.125}
	cache := NewKV(1, headDim, 1000, true)
	k := randoms(r, rows*headDim)
	var timelines []Timeline
	for range rows {
		timelines = append(timelines, Timeline{NewKV(1, headDim, 1000, true), 600, 1})
	}
	for _, threads := range []int{1, 2} {
		p := NewPool(threads)
		for name, f := range map[string]func(){
			"Norm":      func() { p.Norm(dst, x, width, n) },
			"Add":       func() { p.Add(x, y, width) },
			"Activate":  func() { p.Activate(GELU, dst, x) },
			"Gate":      func() { p.Gate(SiLU, dst, x, y) },
			"Tables":    func() { rope.Tables(tables, 5) },
			"RoPE":      func() { p.RoPE(rope, x, heads, headDim, tables) },
			"Store":     func() { p.Store(cache, 600, k, k) },
			"prefill":   func() { p.Attention(dst, x, cache, a, 600, rows) },
			"decode":    func() { p.Attention(dst[:width], x[:width], cache, a, 700, 1) },
			"tokens":    func() { p.CachedAttention(dst, x, k, k, a, timelines) },
			"softmax":   func() { Softmax(dst) },
			"short":     func() { p.Attention(dst[:width], x[:width], cache, a, 3, 1) },
			"LayerNorm": func() { LayerNorm(dst[:width], x[:width], nil, nil, 1e-5) },
		} {
			f()
			if got := testing.AllocsPerRun(20, f); got != 0 {
				t.Errorf("%s with %d threads: %v allocations", name, threads, got)
			}
		}
		p.Close()
	}
}
