package ops

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/normswap/normswap/quant"
)

// BenchmarkMatMul measures a product on the pool: with one row, weights that
// are not in the cache (GB/s of weights), with more, arithmetic (Gmac/s).
// Choose with -bench, as in 'MatMul/Q8_0/2048x2048/rows=1/threads=1$'.
func BenchmarkMatMul(b *testing.B) {
	for _, typ := range fastTypes {
		for _, shape := range [][2]int{{768, 768}, {2304, 768}, {3072, 768}, {768, 3072}, {2048, 2048}, {8192, 2048}, {2048, 8192}} {
			for _, n := range []int{1, 2, 4, 8, 16, 32, 512} {
				for _, threads := range []int{1, 2} {
					name := fmt.Sprintf("%v/%dx%d/rows=%d/threads=%d", typ, shape[0], shape[1], n, threads)
					b.Run(name, func(b *testing.B) { benchMatMul(b, typ, shape[0], shape[1], n, threads) })
				}
			}
		}
	}
}

// benchBytes is more than a last-level cache holds.
const benchBytes = 200 << 20

func benchMatMul(b *testing.B, typ quant.Type, outputs, cols, n, threads int) {
	r := rand.New(rand.NewPCG(1, 2))
	p := NewPool(threads)
	defer p.Close()
	f, _ := typ.Format()
	size := outputs * cols / f.Items * f.Bytes
	// A few random rows, many times over: only the place in memory counts.
	few := randomMatrix(b, typ, 8, cols, r)
	copies := 1
	if n == 1 {
		copies = max(1, benchBytes/size)
	}
	data := make([]byte, copies*size)
	for i := 0; i < len(data); {
		i += copy(data[i:], few.Data)
	}
	ws := make([]Matrix, copies)
	for i := range ws {
		m, err := NewMatrix(typ, outputs, cols, data[i*size:][:size])
		if err != nil {
			b.Fatal(err)
		}
		ws[i] = m
	}
	x, in := randomFloats(n*cols, r), new(Input)
	forms := FormsOf(false, &ws[0])
	dst := make([]float32, n*outputs)
	i := 0
	for b.Loop() {
		p.Prepare(in, x, cols, forms)
		p.MatMul(in, Product{Dst: dst, W: &ws[i%copies]})
		i++
	}
	perSecond := float64(b.N) / b.Elapsed().Seconds() / 1e9
	b.ReportMetric(float64(outputs*cols*n)*perSecond, "Gmac/s")
	b.ReportMetric(float64(size)*perSecond, "GB/s")
}
