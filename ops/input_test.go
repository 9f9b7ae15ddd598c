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

// A norm that prepares must give the products that a norm followed by a product
// gives: the same ones, or, where the scalar of a norm without weights waits
// for the end, those that differ by the rounding of the codes.
func TestPrepareNorm(t *testing.T) {
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
						forms := FormsOf(false, ws...)
						plain, fused, y := new(Input), new(Input), make([]float32, len(x))
						p.Norm(y, x, cols, n)
						p.Prepare(plain, y, cols, forms)
						p.PrepareNorm(fused, x, cols, n, forms)
						deferred := forms == Quantized && !n.Center && n.Gain == nil
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
	y := make([]float32, len(x))
	p.Norm(y, x, cols, n)
	plain, fused, exact := new(Input), new(Input), new(Input)
	p.Prepare(plain, y, cols, Quantized)
	p.Prepare(exact, y, cols, Floats)
	p.PrepareNorm(fused, x, cols, n, Quantized)
	out := map[*Input][]float32{}
	for _, in := range []*Input{plain, fused, exact} {
		out[in] = make([]float32, rows*w.Rows)
		p.MatMul(in, Product{Dst: out[in], W: w})
	}
	err := func(in *Input) (sum float64) {
		for i, v := range out[exact] {
			d := float64(out[in][i] - v)
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

// Whatever was not prepared cannot be read.
func TestInputRefuses(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	p := NewPool(1)
	defer p.Close()
	w := readers(t, r, 64, quant.F32)[0]
	for name, read := range map[string]func(in *Input){
		"a product of floats": func(in *Input) { p.MatMul(in, Product{Dst: make([]float32, w.Rows), W: w}) },
		"a column dot":        func(in *Input) { p.ColumnDot(make([]float32, 1), in, make([]float32, 64), quant.Q8_0) },
		"a row":               func(in *Input) { in.Row(0) },
	} {
		var in Input
		p.PrepareNorm(&in, randoms(r, 64), 64, &Norm{Eps: 1e-5}, Quantized)
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s read what was not prepared", name)
				}
			}()
			read(&in)
		}()
	}
}

// Rows that were asked for are there, normalized, beside every other form.
func TestInputKeepsRows(t *testing.T) {
	const cols = 64
	r := rand.New(rand.NewPCG(1, 2))
	p := NewPool(1)
	defer p.Close()
	for _, rows := range []int{1, 20} {
		x, want := randoms(r, rows*cols), make([]float32, rows*cols)
		n := &Norm{Eps: 1e-5}
		p.Norm(want, x, cols, n)
		var in Input
		p.PrepareNorm(&in, x, cols, n, Quantized|Rows)
		for i := range rows {
			requireSame(t, fmt.Sprint("row ", i, " of ", rows), in.Row(i), row(want, i, cols))
		}
	}
}

// BenchmarkPrepareNorm prepares rows for a Q8_0 product: norm, then quantize;
// both in one task; and with the scalar of a norm without weights deferred.
func BenchmarkPrepareNorm(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, cols := range []int{768, 2048, 4096} {
		for _, rows := range []int{1, 512} {
			for _, threads := range []int{1, 2} {
				p := NewPool(threads)
				x, y, in := randoms(r, rows*cols), make([]float32, rows*cols), new(Input)
				rms, weighted := &Norm{Eps: 1e-5}, &Norm{Eps: 1e-5, Gain: randoms(r, cols)}
				for _, way := range []struct {
					name string
					run  func()
				}{
					{"apart", func() {
						p.Norm(y, x, cols, weighted)
						p.Prepare(in, y, cols, Quantized)
					}},
					{"together", func() { p.PrepareNorm(in, x, cols, weighted, Quantized) }},
					{"deferred", func() { p.PrepareNorm(in, x, cols, rms, Quantized) }},
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
