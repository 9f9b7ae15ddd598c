package ops

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/normswap/normswap/quant"
)

// readers returns random matrices of the given types.
func readers(t testing.TB, r *rand.Rand, cols int, types ...quant.Type) []*Matrix {
	var all []*Matrix
	for _, typ := range types {
		const outputs = 40
		size, err := typ.RowBytes(outputs * cols)
		if err != nil {
			t.Fatal(err)
		}
		data := make([]byte, size)
		if err := quant.Encode(data, typ, randoms(r, outputs*cols)); err != nil {
			t.Fatal(err)
		}
		w, err := NewMatrix(typ, outputs, cols, data)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, &w)
	}
	return all
}

// A norm into a batch must give the products that a norm followed by a product
// gives: the same ones, or, where the scalar of a norm without weights waits
// for the end, those that differ by the rounding of the codes.
func TestNormBatch(t *testing.T) {
	const cols = 256
	r := rand.New(rand.NewPCG(1, 2))
	gain := randoms(r, cols)
	for _, rows := range []int{1, 4, 5, 37, 200} {
		x := randoms(r, rows*cols)
		for _, types := range [][]quant.Type{{quant.Q8_0}, {quant.Q4_0, quant.Q8_0}, {quant.F16}, {quant.Q8_0, quant.F32}} {
			ws := readers(t, r, cols, types...)
			for _, n := range []*Norm{{Eps: 1e-5, Center: true}, {Eps: 1e-5}, {Gain: gain, Eps: 1e-5}} {
				for _, threads := range []int{1, 3} {
					t.Run(fmt.Sprintf("rows=%d/%v/center=%v/gain=%v/threads=%d", rows, types, n.Center, n.Gain != nil, threads), func(t *testing.T) {
						p := NewPool(threads)
						defer p.Close()
						plain, fused := NewBatch(rows, cols), NewBatch(rows, cols)
						plain.Resize(rows)
						p.Norm(plain.Data(), x, cols, n)
						plain.Touch()
						p.NormBatch(fused, x, n, ws...)
						deferred := fused.bare && fused.have&sides == 0 && !n.Center && n.Gain == nil
						for _, w := range ws {
							want, got := make([]float32, rows*w.Rows), make([]float32, rows*w.Rows)
							p.MatMul(plain, Product{Dst: want, W: w})
							p.MatMul(fused, Product{Dst: got, W: w})
							if !deferred {
								if !slices.Equal(got, want) {
									t.Fatalf("%v: differs from norm, then product", w.Type)
								}
								continue
							}
							weights := make([]float32, cols)
							for i := range got {
								// a code is off by half a step, of which a group has 127
								w.Row(weights, i%w.Rows)
								var tol float64
								for _, v := range weights {
									tol += math.Abs(float64(v)) * 4 / 127
								}
								if d := math.Abs(float64(got[i] - want[i])); !(d <= tol/10) {
									t.Fatalf("%v, output %d: got %v, want %v", w.Type, i, got[i], want[i])
								}
							}
						}
					})
				}
			}
		}
	}
}

// Codes do not feel a common factor, so that the deferred scalar costs no
// accuracy: both ways are equally far from the exact product.
func TestDeferredScalarIsAsExact(t *testing.T) {
	const cols, rows = 512, 64
	r := rand.New(rand.NewPCG(3, 4))
	p := NewPool(1)
	defer p.Close()
	w := readers(t, r, cols, quant.Q8_0)[0]
	n := &Norm{Eps: 1e-5}
	x := randoms(r, rows*cols)
	plain, fused, exact := NewBatch(rows, cols), NewBatch(rows, cols), NewBatch(rows, cols)
	exact.Float = true
	for _, b := range []*Batch{plain, exact} {
		b.Resize(rows)
		p.Norm(b.Data(), x, cols, n)
		b.Touch()
	}
	p.NormBatch(fused, x, n, w)
	out := map[*Batch][]float32{}
	for _, b := range []*Batch{plain, fused, exact} {
		out[b] = make([]float32, rows*w.Rows)
		p.MatMul(b, Product{Dst: out[b], W: w})
	}
	err := func(b *Batch) (sum float64) {
		for i, v := range out[exact] {
			d := float64(out[b][i] - v)
			sum += d * d
		}
		return math.Sqrt(sum)
	}
	switch a, b := err(plain), err(fused); {
	case a == b:
		t.Error("the scalar was not deferred")
	case math.Abs(a-b) > 0.05*a:
		t.Errorf("error %g with the scalar first, %g with the scalar last", a, b)
	}
}

func TestBareBatchRefusesFloatReaders(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	p := NewPool(1)
	defer p.Close()
	ws := readers(t, r, 64, quant.Q8_0, quant.F32)
	b := NewBatch(1, 64)
	p.NormBatch(b, randoms(r, 64), &Norm{Eps: 1e-5}, ws[0])
	defer func() {
		if recover() == nil {
			t.Error("a product read rows that are not there")
		}
	}()
	p.MatMul(b, Product{Dst: make([]float32, ws[1].Rows), W: ws[1]})
}

// BenchmarkNormBatch prepares rows for a Q8_0 product: norm, then quantise;
// both in one task; and with the scalar of a norm without weights deferred.
func BenchmarkNormBatch(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, cols := range []int{768, 2048, 4096} {
		w := readers(b, r, cols, quant.Q8_0)[0]
		for _, rows := range []int{1, 512} {
			for _, threads := range []int{1, 2} {
				p := NewPool(threads)
				x, batch := randoms(r, rows*cols), NewBatch(rows, cols)
				rms, weighted := &Norm{Eps: 1e-5}, &Norm{Eps: 1e-5, Gain: randoms(r, cols)}
				for _, way := range []struct {
					name string
					run  func()
				}{
					{"apart", func() {
						batch.Resize(rows)
						p.Norm(batch.Data(), x, cols, weighted)
						batch.Touch()
						batch.require(p, batch.formsFor(w.Type))
					}},
					{"together", func() { p.NormBatch(batch, x, weighted, w) }},
					{"deferred", func() { p.NormBatch(batch, x, rms, w) }},
				} {
					b.Run(fmt.Sprintf("n=%d/rows=%d/threads=%d/way=%s", cols, rows, threads, way.name), func(b *testing.B) {
						for b.Loop() {
							way.run()
						}
						b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rows), "ns/row")
					})
				}
				p.Close()
			}
		}
	}
}
