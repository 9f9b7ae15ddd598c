package ops

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/normswap/normswap/ops/asm"
)

// BenchmarkAttention measures causal attention of a prompt over a cache in F16, by the
// multiply-adds of visible pairs alone, beside what the machine can do of those. Choose with
// -bench, as in 'Attention/12x64/12/n=512/threads=1$'.
func BenchmarkAttention(b *testing.B) {
	for _, a := range []Attention{
		{Heads: 12, KVHeads: 12, HeadDim: 64, Scale: 0.125},
		{Heads: 32, KVHeads: 8, HeadDim: 64, Scale: 0.125},
		{Heads: 8, KVHeads: 2, HeadDim: 128, Scale: 0.088},
	} {
		for _, n := range []int{512, 1024, 2048, 8192} {
			for _, threads := range []int{1, 2} {
				b.Run(fmt.Sprintf("%dx%d/%d/n=%d/threads=%d", a.Heads, a.HeadDim, a.KVHeads, n, threads), func(b *testing.B) {
					benchAttention(b, &a, n, threads)
				})
			}
		}
	}
}

func benchAttention(b *testing.B, a *Attention, n, threads int) {
	r := rand.New(rand.NewPCG(1, 2))
	p := NewPool(threads)
	defer p.Close()
	q := randoms(r, n*a.Heads*a.HeadDim)
	k, v := randoms(r, n*a.KVHeads*a.HeadDim), randoms(r, n*a.KVHeads*a.HeadDim)
	c := NewKV(a.KVHeads, a.HeadDim, n, true)
	c.Store(0, k, v)
	dst := make([]float32, len(q))
	best := 0.0 // flops per ns of the fastest round
	for b.Loop() {
		from := time.Now()
		p.Attention(dst, q, c, a, 0, n)
		best = max(best, float64(2*n*(n+1)*a.Heads*a.HeadDim)/float64(time.Since(from)))
	}
	peak := 0.0
	for range 200 {
		from := time.Now()
		flops, _ := asm.Peak(10_000)
		peak = max(peak, float64(flops)/float64(time.Since(from)))
	}
	b.ReportMetric(best, "GFLOP/s")
	b.ReportMetric(100*best/(peak*float64(threads)), "%ofFMA")
}
