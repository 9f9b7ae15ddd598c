package ops

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/normswap/normswap/quant"
)

// Rows with an element far above the others lose no more in products of
// integers than rows without one, however many they are, and whatever the tier;
// rows without one are as without Outliers.
func TestOutliers(t *testing.T) {
	const cols, outputs, most = 256, 37, 40
	for _, typ := range []quant.Type{quant.Q8_0, quant.Q4_K, quant.Q4_1} {
		r := rand.New(rand.NewPCG(1, uint64(typ)))
		w := randomMatrix(t, typ, outputs, cols, r)
		columns := ColumnsOf(w)
		x := randomFloats(most*cols, r)
		for i := range most / 2 {
			x[2*i*cols+r.IntN(cols)] = float32(100 * r.NormFloat64())
		}
		bias := randomFloats(outputs, r)
		var want []float32 // of the first tier
		eachTier(t, func(t *testing.T) {
			p := NewPool(2)
			defer p.Close()
			products := func(rows int, f Forms) []float32 {
				var in Input
				dst := make([]float32, rows*outputs)
				p.Prepare(&in, x[:rows*cols], cols, f)
				p.MatMul(&in, Product{Dst: dst, W: w, Bias: bias, Columns: columns})
				return dst
			}
			got, plain, exact := products(most, Quantized|Outliers), products(most, Quantized), products(most, Floats)
			if want == nil {
				want = got
			}
			requireSame(t, fmt.Sprint(typ), got, want)
			for _, rows := range []int{1, 2, 3, 5, 17} {
				requireSame(t, fmt.Sprint(typ, ", ", rows, " rows"), products(rows, Quantized|Outliers), got[:rows*outputs])
			}
			errs := func(a []float32) (with, without float64) {
				for i, v := range a {
					d := float64(v - exact[i])
					if i/outputs%2 == 0 {
						with += d * d
					} else {
						without += d * d
					}
				}
				return with, without
			}
			with, without := errs(got)
			if lost, _ := errs(plain); !(with < 1.5*without && lost > 50*with) {
				t.Errorf("%v: squared error %g with outliers, %g without any, %g if they stay", typ, with, without, lost)
			}
			for i := outputs; i < len(got); i += 2 * outputs {
				requireSame(t, fmt.Sprint(typ, ", a row without"), got[i:][:outputs], plain[i:][:outputs])
			}
		})
	}
}

// What cancels the mean of the products cancels that of the outliers' part.
func TestOutliersColumnDot(t *testing.T) {
	const cols, outputs, rows = 128, 40, 21
	p := NewPool(1)
	defer p.Close()
	r := rand.New(rand.NewPCG(3, 4))
	w := randomMatrix(t, quant.Q8_0, outputs, cols, r)
	x, mean := randomFloats(rows*cols, r), make([]float32, cols)
	for i := range rows {
		x[i*cols+7] = 300
	}
	ColumnMeans(p, mean, w)
	var in Input
	dst, dot := make([]float32, rows*outputs), make([]float32, rows)
	p.Prepare(&in, x, cols, Quantized|Outliers|Dots)
	p.ColumnDot(dot, &in, mean, quant.Q8_0)
	p.MatMul(&in, Product{Dst: dst, W: w, Mean: dot, Columns: ColumnsOf(w)})
	for i := range rows {
		var sum, size float64
		for _, v := range dst[i*outputs:][:outputs] {
			sum += float64(v) / outputs
			size += math.Abs(float64(v)) / outputs
		}
		if !(math.Abs(sum) <= 1e-5*size) {
			t.Errorf("row %d: mean %g of outputs of %g", i, sum, size)
		}
	}
}

// A column is what the rows decode to, also when more are asked for than are kept.
func TestColumns(t *testing.T) {
	w := randomMatrix(t, quant.Q4_K, 5, 512, rand.New(rand.NewPCG(5, 6)))
	c := ColumnsOf(w)
	row := make([]float32, w.Cols)
	for o := range w.Rows {
		w.Row(row, o)
		for i, v := range row {
			if got := c.at(i)[o]; got != v {
				t.Fatalf("row %d column %d: %v, want %v", o, i, got, v)
			}
		}
	}
}

// An infinity or a NaN reaches the outputs of its row, and no others.
func TestOutliersNotFinite(t *testing.T) {
	p := NewPool(1)
	defer p.Close()
	w := randomMatrix(t, quant.Q8_0, 16, 64, rand.New(rand.NewPCG(7, 8)))
	for _, bad := range []float32{float32(math.Inf(1)), float32(math.NaN())} {
		x := randomFloats(3*64, rand.New(rand.NewPCG(9, 10)))
		x[64+5], x[3] = bad, 1000
		var in Input
		dst := make([]float32, 3*16)
		p.Prepare(&in, x, 64, Quantized|Outliers)
		p.MatMul(&in, Product{Dst: dst, W: w, Columns: ColumnsOf(w)})
		for i, v := range dst {
			if finite := v-v == 0; finite != (i/16 != 1) {
				t.Errorf("output %d of a row with %v: %v", i, bad, v)
			}
		}
	}
}
