package ops

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/normswap/normswap/ops/asm"
	"github.com/normswap/normswap/quant"
)

// randomMatrix returns a matrix of random blocks of moderate size.
func randomMatrix(t testing.TB, typ quant.Type, rows, cols int, r *rand.Rand) *Matrix {
	t.Helper()
	f, _ := typ.Format()
	n, err := typ.RowBytes(cols)
	if err != nil {
		t.Fatal(err)
	}
	data := make([]byte, n*rows)
	if f.Items == 1 {
		x := make([]float32, rows*cols)
		for i := range x {
			x[i] = float32(r.NormFloat64())
		}
		if typ == quant.F64 {
			for i, v := range x {
				binary.LittleEndian.PutUint64(data[8*i:], math.Float64bits(float64(v)))
			}
		} else if !typ.CanEncode() { // integers
			for i := range data {
				data[i] = byte(r.Uint32())
			}
		} else if err := quant.Encode(data, typ, x); err != nil {
			t.Fatal(err)
		}
	}
	x := make([]float32, f.Items)
	for i := 0; i < len(data) && f.Items > 1; i += f.Bytes {
		for top := float32(0); !(top > 0.01 && top < 10); {
			block := data[i:][:f.Bytes]
			for k := range block {
				block[k] = byte(r.Uint32())
			}
			if err := quant.Decode(x, typ, block); err != nil {
				t.Fatal(err)
			}
			top = max(slices.Max(x), -slices.Min(x))
		}
	}
	m, err := NewMatrix(typ, rows, cols, data)
	if err != nil {
		t.Fatal(err)
	}
	return &m
}

// prepared returns the rows of x, cols wide, as products with weights of a
// type read them, with what [Pool.ColumnDot] reads.
func prepared(p *Pool, x []float32, cols int, floats bool, t quant.Type) *Input {
	in := new(Input)
	p.Prepare(in, x, cols, FormsOf(floats, &Matrix{Type: t})|Dots)
	return in
}

func randomFloats(n int, r *rand.Rand) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// fastTypes are those that are not decoded.
var fastTypes = func() (all []quant.Type) {
	for _, t := range quant.Types() {
		if storageOf(t).route != decode {
			all = append(all, t)
		}
	}
	return all
}()

// matmulShapes are outputs, columns and rows of the batch around the edges of
// panels, tiles and the way small batches go. Types whose blocks do not divide
// the columns skip a shape.
var matmulShapes = [][3]int{
	{1, 1, 1}, {3, 7, 2}, {16, 31, 5}, {17, 100, 16}, {5, 32, 33},
	{1, 256, 1}, {15, 256, 3}, {16, 256, 5}, {17, 512, 17}, {33, 768, 4}, {50, 1280, 16}, {33, 288, 7},
	{17, 64, 18}, {18, 128, 6}, {17, 192, 5}, {16, 320, 3}, {17, 448, 17},
}

// effective returns a row as products with weights of type t see it.
func effective(x []float32, floats bool, t quant.Type) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	if !floats && storageOf(t).route == integer {
		a := asm.NewQ8(len(x) / asm.Group)
		asm.Quantize(a, x)
		for i := range y {
			y[i] = float64(a.Q[i]) * float64(a.Scale[i/asm.Group])
		}
	}
	return y
}

func TestMatMul(t *testing.T) {
	eachTier(t, func(t *testing.T) {
		for _, typ := range quant.Types() {
			t.Run(typ.String(), func(t *testing.T) { testMatMul(t, typ) })
		}
	})
}

func testMatMul(t *testing.T, typ quant.Type) {
	p := NewPool(2)
	defer p.Close()
	shapes := matmulShapes
	if testing.Short() && !slices.Contains(fastTypes, typ) { // no kernels of their own
		shapes = [][3]int{{1, 1, 1}, {15, 256, 3}, {17, 512, 17}}
	}
	for _, shape := range shapes {
		outputs, cols, n := shape[0], shape[1], shape[2]
		if _, err := typ.RowBytes(cols); err != nil {
			continue
		}
		r := rand.New(rand.NewPCG(uint64(cols), uint64(typ)))
		w := randomMatrix(t, typ, outputs, cols, r)
		x := randomFloats(n*cols, r)
		bias, mean := randomFloats(outputs, r), randomFloats(n, r)
		for _, floats := range []bool{false, true} {
			in := prepared(p, x, cols, floats, typ)
			full, plain := make([]float32, n*outputs), make([]float32, n*outputs)
			p.MatMul(in, Product{Dst: full, W: w, Bias: bias, Mean: mean}, Product{Dst: plain, W: w})
			sum := slices.Clone(full)
			p.MatMul(in, Product{Dst: sum, W: w, Add: true})
			weights := make([]float32, cols)
			for o := range outputs {
				w.Row(weights, o)
				for i := range n {
					var want, size float64
					for k, a := range effective(row(x, i, cols), floats, typ) {
						want += a * float64(weights[k])
						size += math.Abs(a * float64(weights[k]))
					}
					at := i*outputs + o
					whole := want + float64(bias[o]) - float64(mean[i])
					size += math.Abs(float64(bias[o])) + math.Abs(float64(mean[i]))
					tol := float64(cols+4) * 0x1p-24 * size * 2
					for k, e := range [][2]float64{{float64(plain[at]), want}, {float64(full[at]), whole}, {float64(sum[at]), whole + want}} {
						if !(math.Abs(e[0]-e[1]) <= tol) {
							t.Fatalf("%dx%d, row %d of %d, float %v, output %d, variant %d: got %v want %v, tolerance %v",
								outputs, cols, i, n, floats, o, k, e[0], e[1], tol)
						}
					}
				}
			}
		}
	}
}

// Outputs are the same to the last bit for any number of threads, and with
// quantized activations also for any number of rows and instruction set.
func TestMatMulIsExactlyRepeatable(t *testing.T) {
	for _, typ := range fastTypes {
		t.Run(typ.String(), func(t *testing.T) {
			defer asm.Reset()
			const outputs, cols, n = 83, 768, 21
			r := rand.New(rand.NewPCG(3, uint64(typ)))
			w, x := randomMatrix(t, typ, outputs, cols, r), randomFloats(n*cols, r)
			var want []float32
			for _, tier := range asm.Tiers() {
				if err := asm.Select(tier); err != nil {
					t.Fatal(err)
				}
				integers := storageOf(typ).route == integer
				if !integers {
					want = nil // each instruction set has its own order of summation
				}
				for _, threads := range []int{1, 2, 3} {
					p := NewPool(threads)
					got := make([]float32, n*outputs)
					p.MatMul(prepared(p, x, cols, false, typ), Product{Dst: got, W: w})
					if want == nil {
						want = got
					}
					requireSame(t, fmt.Sprint(tier, ", threads ", threads), got, want)
					if integers {
						for i := range n {
							p.MatMul(prepared(p, row(x, i, cols), cols, false, typ), Product{Dst: got[i*outputs:][:outputs], W: w})
						}
						requireSame(t, fmt.Sprint(tier, ", row by row"), got, want)
					}
					p.Close()
				}
			}
		})
	}
}

func requireSame(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("%s: element %d is %v, not %v", what, i, got[i], want[i])
		}
	}
}

// Whatever is not a number in an activation row is not lost in its outputs,
// and does not touch other rows.
func TestMatMulKeepsNaN(t *testing.T) {
	p := NewPool(1)
	defer p.Close()
	eachTier(t, func(t *testing.T) {
		for _, typ := range fastTypes {
			for _, n := range []int{2, 20} {
				for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
					r := rand.New(rand.NewPCG(1, uint64(typ)))
					w, x := randomMatrix(t, typ, 20, 256, r), randomFloats(n*256, r)
					x[256+77] = float32(bad)
					dst := make([]float32, n*20)
					p.MatMul(prepared(p, x, 256, false, typ), Product{Dst: dst, W: w})
					for i, v := range dst {
						finite := math.Abs(float64(v)) <= math.MaxFloat32
						if finite != (i/20 != 1) {
							t.Fatalf("%v, %v in row 1 of %d: output %d of row %d is %v", typ, bad, n, i%20, i/20, v)
						}
					}
				}
			}
		}
	})
}

func TestMatMulPanics(t *testing.T) {
	p := NewPool(1)
	defer p.Close()
	r := rand.New(rand.NewPCG(1, 2))
	w, x := randomMatrix(t, quant.F32, 4, 8, r), randomFloats(2*8, r)
	dst := make([]float32, 8)
	for name, d := range map[string]Product{
		"columns": {Dst: dst, W: randomMatrix(t, quant.F32, 4, 9, r)},
		"dst":     {Dst: dst[:7], W: w},
		"bias":    {Dst: dst, W: w, Bias: make([]float32, 3)},
		"mean":    {Dst: dst, W: w, Mean: make([]float32, 3)},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("no panic for a wrong length of %s", name)
				}
			}()
			p.MatMul(prepared(p, x, 8, true, quant.F32), d)
		}()
	}
}

func TestMatMulDoesNotAllocate(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	p := NewPool(2)
	defer p.Close()
	for _, typ := range []quant.Type{quant.F16, quant.Q8_0, quant.IQ4_NL} {
		for _, n := range []int{1, 20} {
			w := randomMatrix(t, typ, 600, 512, r)
			x, in := randomFloats(n*512, r), new(Input)
			forms := FormsOf(false, w) | Dots
			dst, dst2, dot, mean := make([]float32, n*600), make([]float32, n*600), make([]float32, n), make([]float32, 512)
			f := func() {
				p.Prepare(in, x, 512, forms)
				p.MatMul(in, Product{Dst: dst, W: w}, Product{Dst: dst2, W: w})
				p.ColumnDot(dot, in, mean, typ)
			}
			for range 10 { // both workers have taken their scratch
				f()
			}
			if a := testing.AllocsPerRun(20, f); a > 0 {
				t.Errorf("%v, %d rows: %v allocations in a product", typ, n, a)
			}
		}
	}
}

func TestColumnMeans(t *testing.T) {
	pools := []*Pool{NewPool(1), NewPool(3)} // for all types: what one leaves in scratch must not matter
	for _, typ := range quant.Types() {
		t.Run(typ.String(), func(t *testing.T) {
			const rows, cols = 37, 1280
			r := rand.New(rand.NewPCG(1, uint64(typ)))
			w := randomMatrix(t, typ, rows, cols, r)
			want, size, row := make([]float64, cols), make([]float64, cols), make([]float32, cols)
			for o := range rows {
				w.Row(row, o)
				for i, v := range row {
					want[i] += float64(v) / rows
					size[i] += math.Abs(float64(v)) / rows
				}
			}
			var first []float32
			for _, p := range pools {
				got := make([]float32, cols)
				ColumnMeans(p, got, w)
				for i, v := range got {
					if tol := 4 * 0x1p-24 * size[i]; !(math.Abs(float64(v)-want[i]) <= tol) {
						t.Fatalf("column %d: %v, want %v, tolerance %v", i, v, want[i], tol)
					}
				}
				if first == nil {
					first = got
				}
				requireSame(t, fmt.Sprint("threads ", p.Threads()), got, first)
			}
		})
	}
	for _, p := range pools {
		p.Close()
	}
}

// The product with the column means is the mean of the products: what the
// activations lost when they were quantized, both lost.
func TestColumnDotCancelsTheMean(t *testing.T) {
	p := NewPool(2)
	defer p.Close()
	for _, typ := range []quant.Type{quant.Q8_0, quant.Q4_K, quant.F16, quant.IQ4_NL} {
		const rows, cols, n = 40, 512, 7
		r := rand.New(rand.NewPCG(1, uint64(typ)))
		w := randomMatrix(t, typ, rows, cols, r)
		in := prepared(p, randomFloats(n*cols, r), cols, false, typ)
		dst, mean, dot := make([]float32, n*rows), make([]float32, cols), make([]float32, n)
		ColumnMeans(p, mean, w)
		p.MatMul(in, Product{Dst: dst, W: w})
		p.ColumnDot(dot, in, mean, typ)
		for i := range n {
			var s, size float64
			for _, v := range dst[i*rows:][:rows] {
				s += float64(v) / rows
				size += math.Abs(float64(v)) / rows
			}
			if tol := cols * 0x1p-24 * size; !(math.Abs(s-float64(dot[i])) <= tol) {
				t.Errorf("%v row %d: mean of the outputs %v, product with the means %v, tolerance %v", typ, i, s, dot[i], tol)
			}
		}
	}
}

func TestMatrixErrors(t *testing.T) {
	for _, c := range []struct {
		typ        quant.Type
		rows, cols int
		bytes      int
	}{{quant.Q8_0, 2, 33, 68}, {quant.Q8_0, 2, 32, 67}, {quant.Q8_0, -1, 32, 0}, {quant.Type(99), 1, 1, 1}, {quant.F32, math.MaxInt/2 + 1, 1, 4}} {
		if _, err := NewMatrix(c.typ, c.rows, c.cols, make([]byte, c.bytes)); err == nil {
			t.Errorf("NewMatrix(%v, %d, %d, %d bytes) gave no error", c.typ, c.rows, c.cols, c.bytes)
		}
	}
}

func TestMatrixSlice(t *testing.T) {
	w := randomMatrix(t, quant.Q8_0, 9, 64, rand.New(rand.NewPCG(1, 2)))
	s := w.Slice(3, 7)
	want, got := make([]float32, 64), make([]float32, 64)
	for i := range s.Rows {
		w.Row(want, i+3)
		s.Row(got, i)
		requireSame(t, fmt.Sprint("row ", i), got, want)
	}
	if e := w.Slice(9, 9); e.Rows != 0 || len(e.Data) != 0 {
		t.Errorf("empty slice has %d rows, %d bytes", e.Rows, len(e.Data))
	}
}
