package ollama

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/normswap/normswap/internal/testdata"
	"github.com/normswap/normswap/ops"
	"github.com/ollama/ollama/ml"
)

const eps = 1e-5

// kinds are the two norms, in ggml's graphs and in ours.
var kinds = []struct {
	name string
	ggml func(ctx ml.Context, x, gain, bias ml.Tensor) ml.Tensor
	ours func(dst, x, gain, bias []float32)
}{
	{"LayerNorm",
		func(ctx ml.Context, x, gain, bias ml.Tensor) ml.Tensor { return x.LayerNorm(ctx, gain, bias, eps) },
		func(dst, x, gain, bias []float32) { ops.LayerNorm(dst, x, gain, bias, eps) }},
	{"RMSNorm",
		func(ctx ml.Context, x, gain, _ ml.Tensor) ml.Tensor { return x.RMSNorm(ctx, gain, eps) },
		func(dst, x, gain, _ []float32) { ops.RMSNorm(dst, x, gain, nil, eps) }},
}

// rows returns n rows of width d: a normal spread around the given mean.
func rows(d, n int, mean, spread float64, seed uint64) []float32 {
	r := rand.New(rand.NewPCG(seed, uint64(d)))
	x := make([]float32, d*n)
	for i := range x {
		x[i] = float32(mean + spread*r.NormFloat64())
	}
	return x
}

// eachRow applies one of our norms to rows of width len(gain).
func eachRow(norm func(dst, x, gain, bias []float32), dst, x, gain, bias []float32) {
	d := len(gain)
	for i := 0; i < len(x); i += d {
		norm(dst[i:i+d], x[i:i+d], gain, bias)
	}
}

// Our norms and ggml's agree on rows of any width and mean. The bound is 1e-10
// relative to the outputs; where the mean m is much larger than the spread s,
// ggml's float32 sums keep the mean to about 2^-24 m, and the bound is that
// error over the spread, squared.
func TestNorms(t *testing.T) {
	backend := open(t, testdata.Path(t, "archs/gpt2.gguf"))
	for _, kind := range kinds {
		for _, d := range []int{1, 7, 32, 100, 768, 2048, 4096, 8192} {
			for _, mean := range []float64{0, 0.3, 100} {
				t.Run(fmt.Sprintf("%s/d=%d/mean=%g", kind.name, d, mean), func(t *testing.T) {
					const n = 5
					x, gain, bias := rows(d, n, mean, 1, 1), rows(d, 1, 1, 0.1, 2), rows(d, 1, 0, 0.5, 3)
					ctx := backend.NewContext()
					defer ctx.Close()
					in := ctx.Input()
					want := compute(ctx, kind.ggml(ctx, in.FromFloats(x, d, n), in.FromFloats(gain, d), in.FromFloats(bias, d)))
					got := make([]float32, len(x))
					eachRow(kind.ours, got, x, gain, bias)
					e := testdata.NMSE(got, want)
					t.Logf("NMSE %.2g", e)
					bound := 1e-10
					if rounding := mean / (1 << 24); rounding*rounding > bound {
						bound = rounding * rounding
					}
					if !(e <= bound) {
						t.Errorf("NMSE %.2g, want at most %.2g", e, bound)
					}
				})
			}
		}
	}
}

// The first norm of a model, on embeddings that Ollama's back end fetched from
// the file.
func TestModelNorm(t *testing.T) {
	backend := open(t, testdata.Path(t, "archs/gpt2.gguf"))
	ctx := backend.NewContext()
	defer ctx.Close()
	tokens := []int32{3, 8, 13, 18}
	embeddings := backend.Get("token_embd.weight").Rows(ctx, ctx.Input().FromInts(tokens, len(tokens)))
	gain, bias := backend.Get("blk.0.attn_norm.weight"), backend.Get("blk.0.attn_norm.bias")
	y := embeddings.LayerNorm(ctx, gain, bias, eps)
	ctx.Forward(embeddings, y).Compute(embeddings, y, gain, bias)
	x, want := embeddings.Floats(), y.Floats()

	got := make([]float32, len(x))
	eachRow(kinds[0].ours, got, x, gain.Floats(), bias.Floats())
	if e := testdata.NMSE(got, want); !(e <= 1e-10) {
		t.Errorf("NMSE %.2g, want at most 1e-10", e)
	}
}

// BenchmarkNorms times ggml's norms and ours in turn on rows that stay in the
// cache, one thread, and reports the medians in nanoseconds per row and their
// ratio. ggml's graphs are chains of norms, so that the cost of starting a graph
// is shared by all of them.
func BenchmarkNorms(b *testing.B) {
	backend := open(b, testdata.Path(b, "archs/gpt2.gguf"))
	for _, kind := range kinds {
		for _, d := range []int{768, 2048, 4096, 8192} {
			b.Run(fmt.Sprintf("%s/d=%d", kind.name, d), func(b *testing.B) {
				const links = 16
				n := 32768 / d
				x, gain, bias := rows(d, n, 0.3, 1, 1), rows(d, 1, 1, 0.1, 2), rows(d, 1, 0, 0.5, 3)
				ctx := backend.NewContext()
				defer ctx.Close()
				in := ctx.Input()
				y, g, o := in.FromFloats(x, d, n), in.FromFloats(gain, d), in.FromFloats(bias, d)
				for range links {
					y = kind.ggml(ctx, y, g, o)
				}
				ctx.Forward(y)

				pool := ops.NewPool(1)
				defer pool.Close()
				norm := &ops.Norm{Gain: gain, Eps: eps, Center: kind.name == "LayerNorm"}
				if norm.Center {
					norm.Bias = bias
				}
				// As ggml's graph, each chain begins with x: gains multiplied
				// over and over would end in subnormal numbers, which are slow.
				var to [2][]float32
				for i := range to {
					to[i] = make([]float32, len(x))
				}
				var theirs, ours []float64
				for b.Loop() {
					start := time.Now()
					ctx.Compute(y)
					middle := time.Now()
					from := x
					for i := range links {
						pool.Norm(to[i%2], from, d, norm)
						from = to[i%2]
					}
					ours = append(ours, float64(time.Since(middle).Nanoseconds())/float64(n*links))
					theirs = append(theirs, float64(middle.Sub(start).Nanoseconds())/float64(n*links))
				}
				slices.Sort(theirs)
				slices.Sort(ours)
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(theirs[len(theirs)/2], "ggml-ns/row")
				b.ReportMetric(ours[len(ours)/2], "ours-ns/row")
				b.ReportMetric(theirs[len(theirs)/2]/ours[len(ours)/2], "ratio")
			})
		}
	}
}
