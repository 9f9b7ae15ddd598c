package engine

import (
	"fmt"
	"sync"
	"testing"

	"github.com/normswap/normswap/internal/tales"
	"github.com/normswap/normswap/quant"
)

// BenchmarkSessions generates with the built-in model in some sessions at once.
func BenchmarkSessions(b *testing.B) {
	f, err := tales.Open()
	if err != nil {
		b.Fatal(err)
	}
	m, err := Load(b.Context(), f, Options{Threads: 2})
	if err != nil {
		b.Fatal(err)
	}
	defer m.Close()
	const tokens = 64
	for _, n := range []int{1, 2, 4, 8, 16} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				var wg sync.WaitGroup
				for i := range n {
					wg.Go(func() {
						s, err := m.NewSession(SessionOptions{Context: 128, KV: quant.F16})
						if err != nil {
							b.Error(err)
							return
						}
						for _, err := range s.Generate(b.Context(), []int32{int32(i + 5), 7, 9}, GenerateOptions{Max: tokens, IgnoreEOG: true}) {
							if err != nil {
								b.Error(err)
							}
						}
					})
				}
				wg.Wait()
			}
			b.ReportMetric(float64(n*tokens*b.N)/b.Elapsed().Seconds(), "tokens/s")
		})
	}
}
