package ops

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/normswap/normswap/quant"
)

// randomMatrix returns a matrix of random blocks whose scales are moderate.
func randomMatrix(t testing.TB, typ quant.Type, rows, cols int, r *rand.Rand) *Matrix {
	t.Helper()
	n, err := typ.RowBytes(cols)
	if err != nil {
		t.Fatal(err)
	}
	data := make([]byte, n*rows)
	if typ.CanEncode() {
		x := make([]float32, rows*cols)
		for i := range x {
			x[i] = float32(r.NormFloat64()) * 0.1
		}
		if err := quant.Encode(data, typ, x); err != nil {
			t.Fatal(err)
		}
	}
	m, err := NewMatrix(typ, rows, cols, data)
	if err != nil {
		t.Fatal(err)
	}
	return &m
}

func randomBatch(rows, cols int, r *rand.Rand) *Batch {
	b := NewBatch(rows, cols)
	b.Resize(rows)
	for i := range b.Data() {
		b.Data()[i] = float32(r.NormFloat64())
	}
	b.Touch()
	return b
}

var matmulTypes = []quant.Type{quant.F32, quant.F16, quant.BF16, quant.Q8_0, quant.Q4_0, quant.Q4_1,
	quant.Q5_0, quant.Q5_1, quant.Q4_K, quant.Q5_K, quant.Q6_K}

func TestMatMul(t *testing.T) {
	p := NewPool(2)
	defer p.Close()
	for _, typ := range matmulTypes {
		for _, s := range []struct{ rows, cols, n int }{{1, 256, 1}, {5, 256, 3}, {33, 512, 1}, {49, 768, 17}} {
			t.Run(fmt.Sprintf("%v/%dx%dx%d", typ, s.rows, s.cols, s.n), func(t *testing.T) {
				if !typ.CanEncode() {
					t.Skip("quant cannot encode", typ)
				}
				r := rand.New(rand.NewPCG(1, uint64(typ)))
				w := randomMatrix(t, typ, s.rows, s.cols, r)
				b := randomBatch(s.n, s.cols, r)
				b.Float = true
				dst := make([]float32, s.n*s.rows)
				bias, shift := make([]float32, s.rows), make([]float32, s.n)
				for i := range bias {
					bias[i] = float32(r.NormFloat64())
				}
				for i := range shift {
					shift[i] = float32(r.NormFloat64())
				}
				p.MatMul(b, Product{Dst: dst, W: w, Bias: bias, Shift: shift})
				plain := make([]float32, len(dst))
				twice := slices.Clone(dst)
				p.MatMul(b, Product{Dst: plain, W: w}, Product{Dst: twice, W: w, Add: true})
				row := make([]float32, s.cols)
				for o := range s.rows {
					w.Row(row, o)
					for n := range s.n {
						var want, size float64
						for i, a := range b.Row(n) {
							want += float64(a) * float64(row[i])
							size += math.Abs(float64(a) * float64(row[i]))
						}
						i := n*s.rows + o
						tol := float64(s.cols) * 0x1p-24 * (size + math.Abs(float64(bias[o])) + math.Abs(float64(shift[n])) + math.Abs(float64(twice[i])))
						full := want + float64(bias[o]) - float64(shift[n])
						for k, e := range [][2]float64{{float64(plain[i]), want}, {float64(dst[i]), full}, {float64(twice[i]), full + want}} {
							if !(math.Abs(e[0]-e[1]) <= tol) {
								t.Fatalf("variant %d row %d output %d: got %v want %v, tolerance %v", k, n, o, e[0], e[1], tol)
							}
						}
					}
				}
			})
		}
	}
}

func TestMatMulDoesNotAllocate(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	p := NewPool(2)
	defer p.Close()
	w := randomMatrix(t, quant.Q8_0, 600, 512, r)
	b := randomBatch(1, 512, r)
	dst, dst2 := make([]float32, 600), make([]float32, 600)
	f := func() {
		b.Touch()
		p.MatMul(b, Product{Dst: dst, W: w}, Product{Dst: dst2, W: w})
	}
	f()
	if a := testing.AllocsPerRun(20, f); a > 0 {
		t.Errorf("%v allocations in a product", a)
	}
}

func TestColumnMeansAndDot(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	p := NewPool(2)
	defer p.Close()
	w := randomMatrix(t, quant.Q8_0, 40, 256, r)
	mean := make([]float32, 256)
	ColumnMeans(p, mean, w)
	b := randomBatch(3, 256, r)
	dst, dot := make([]float32, 3*40), make([]float32, 3)
	p.MatMul(b, Product{Dst: dst, W: w})
	p.ColumnDot(dot, b, mean, w.Type)
	for n := range 3 {
		var s, size float64
		for _, v := range dst[n*40 : n*40+40] {
			s += float64(v) / 40
			size += math.Abs(float64(v)) / 40
		}
		if tol := 256 * 0x1p-24 * size * 4; !(math.Abs(s-float64(dot[n])) <= tol) {
			t.Errorf("row %d: mean of the outputs %v, product with the mean %v, tolerance %v", n, s, dot[n], tol)
		}
	}
}

func TestMatrixErrors(t *testing.T) {
	for _, c := range []struct {
		typ        quant.Type
		rows, cols int
		bytes      int
	}{{quant.Q8_0, 2, 33, 68}, {quant.Q8_0, 2, 32, 67}, {quant.Q8_0, -1, 32, 0}, {quant.Type(99), 1, 1, 1}, {quant.F32, 1 << 62, 1, 4}} {
		if _, err := NewMatrix(c.typ, c.rows, c.cols, make([]byte, c.bytes)); err == nil {
			t.Errorf("NewMatrix(%v, %d, %d, %d bytes) gave no error", c.typ, c.rows, c.cols, c.bytes)
		}
	}
}
