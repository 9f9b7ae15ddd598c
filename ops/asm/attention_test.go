package asm

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// equal compares results that round the same way on every instruction set.
func equal(what string, got, want []float32) error {
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) && (got[i] == got[i] || want[i] == want[i]) {
			return fmt.Errorf("%s[%d]: got %v, want %v", what, i, got[i], want[i])
		}
	}
	return nil
}

// halves returns n half-precision values between fences.
func (o *operands) halves(n int) []uint16 {
	return fenced(o, n, uint16(0x7e01), func() uint16 { return narrow16(float32(o.r.NormFloat64())) })
}

// panelsTest multiplies with sums of n terms, held against float64 and, on
// vectors, against a chain of fused multiply-adds bit for bit.
func panelsTest[T float32 | uint16](values func(o *operands, n int) []T, widen func(T) float32,
	mul func(c, a []float32, b []T, rows, k, panels, ldc, lda, stride int)) func(o *operands, n int) (func(), func() error) {
	return func(o *operands, n int) (func(), func() error) {
		n = min(n, 130)
		rows, panels := 1+(n+o.off)%13, 1+(n+3*o.off)%9
		ldc, lda, stride := PanelCols*panels+o.off, n+o.off, PanelCols*n+o.off
		c := o.floats((rows-1)*ldc + PanelCols*panels)
		a, b := o.floats((rows-1)*lda+n), values(o, (panels-1)*stride+PanelCols*n)
		old := slices.Clone(c)
		return func() { mul(c, a, b, rows, n, panels, ldc, lda, stride) }, func() error {
			for r := range rows - 1 {
				if err := equal("between the rows of c", c[r*ldc+PanelCols*panels:(r+1)*ldc], old[r*ldc+PanelCols*panels:(r+1)*ldc]); err != nil {
					return err
				}
			}
			for r := range rows {
				for j := range PanelCols * panels {
					var chain float32
					var sum, size float64
					for i := range n {
						x, y := a[r*lda+i], widen(b[j/PanelCols*stride+PanelCols*i+j%PanelCols])
						chain = fma(x, y, chain)
						sum += float64(x) * float64(y)
						size += math.Abs(float64(x) * float64(y))
					}
					if got := c[r*ldc+j]; Active() != generic && got != chain {
						return fmt.Errorf("row %d, column %d: got %v, want %v", r, j, got, chain)
					}
					if err := within(fmt.Sprintf("row %d, column %d", r, j), float64(c[r*ldc+j]), sum, 2*float64(n)*0x1p-24*size); err != nil {
						return err
					}
				}
			}
			return nil
		}
	}
}

// rotateTest holds a rotation of three heads against the definition.
func rotateTest(pairwise bool, rotate func(x, own, other []float32, heads, headDim int)) func(o *operands, n int) (func(), func() error) {
	return func(o *operands, n int) (func(), func() error) {
		const heads = 3
		dims := n &^ 1
		headDim := dims + o.off
		x, own, other := o.floats(heads*headDim), o.floats(dims), o.floats(dims)
		old := slices.Clone(x)
		return func() { rotate(x, own, other, heads, headDim) }, func() error {
			for j := range x {
				h, i := 0, j
				if headDim > 0 {
					h, i = j/headDim, j%headDim
				}
				var want, tol float64
				if i < dims {
					partner := (i + dims/2) % dims
					if pairwise {
						partner = i ^ 1
					}
					u, v := float64(old[j])*float64(own[i]), float64(old[h*headDim+partner])*float64(other[i])
					want, tol = u+v, 0x1p-23*(math.Abs(u)+math.Abs(v))
				} else {
					want = float64(old[j])
				}
				if err := within(fmt.Sprintf("x[%d]", j), float64(x[j]), want, tol); err != nil {
					return err
				}
			}
			return nil
		}
	}
}

var attentionTests = []kernelTest{
	{"MulPanels32", panelsTest((*operands).floats, widen32, MulPanels32)},
	{"MulPanels16", panelsTest((*operands).halves, widen16, MulPanels16)},
	{"Bias", func(o *operands, n int) (func(), func() error) {
		x := o.floats(n)
		old := slices.Clone(x)
		return func() { Bias(x, 0.25, -7) }, func() error {
			biasGeneric(old, 0.25, -7)
			return equal("x", x, old)
		}
	}},
	{"Exp2Sums", func(o *operands, n int) (func(), func() error) {
		rows := 1 + (n+o.off)%7
		ld := n + o.off
		x, top, got := o.floats((rows-1)*ld+n), o.floats(rows), make([]float64, rows)
		if n > 5 {
			x[n/2], x[n/3], x[n/5] = 5.25, -130, -119.5
		}
		each := make([]int, rows)
		for r := range each { // rows end one after the other, as those of a prompt
			each[r] = max(0, n-(rows-1-r)/2)
		}
		old := slices.Clone(x)
		return func() { copy(x, old); Exp2Sums(x, ld, each, top, got) }, func() error {
			for r, n := range each {
				x, old := x[r*ld:], old[r*ld:]
				if want := math.RoundToEven(float64(maxGeneric(old[:n]))); float64(top[r]) != want {
					return fmt.Errorf("largest of row %d: got %v, want %v", r, top[r], want)
				}
				var sum float64
				for i, v := range old[:n] {
					want := math.Exp2(float64(max(v-top[r], exp2Low)))
					if err := within(fmt.Sprintf("row %d: 2^%v", r, v-top[r]), float64(x[i]), want, 2*ulp(want)); err != nil {
						return err
					}
					sum += float64(x[i])
				}
				if err := within("sum", got[r], sum, sumTolerance(sum)); err != nil {
					return err
				}
				for i := n; i < ld && r < rows-1; i++ {
					if x[i] != old[i] {
						return fmt.Errorf("row %d: element %d behind its end has changed", r, i)
					}
				}
				alone, top1, sum1 := slices.Clone(old[:n]), []float32{0}, []float64{0}
				if Exp2Sums(alone, n, []int{n}, top1, sum1); !slices.Equal(alone, x[:n]) || top1[0] != top[r] || sum1[0] != got[r] {
					return fmt.Errorf("row %d of %d is another alone", r, rows)
				}
			}
			return nil
		}
	}},
	{"Softcap", func(o *operands, n int) (func(), func() error) {
		x := o.floats(n)
		old := slices.Clone(x)
		return func() { Softcap(x, 0.5, 30) }, func() error {
			for i, v := range old {
				if err := within(fmt.Sprintf("x[%d]", i), float64(x[i]), 30*math.Tanh(float64(v)*0.5), 4*0x1p-24*30); err != nil {
					return err
				}
			}
			return nil
		}
	}},
	{"ScaleAdd", func(o *operands, n int) (func(), func() error) {
		x, y := o.floats(n), o.floats(n)
		old := slices.Clone(x)
		return func() { ScaleAdd(x, y, 0.75, 0.3) }, func() error {
			scaleAddGeneric(old, y, 0.75, 0.3)
			return equal("x", x, old)
		}
	}},
	{"RotateHalves", rotateTest(false, rotateHalves)},
	{"RotatePairs", rotateTest(true, rotatePairs)},
	{"Spread16", func(o *operands, n int) (func(), func() error) {
		const stride = 3 * PanelCols
		x, dst := o.floats(n), o.halves(n/PanelCols*stride+n%PanelCols)
		want := slices.Clone(dst)
		return func() { Spread16(dst, x, stride) }, func() error {
			spread16Generic(want, x, stride)
			if !slices.Equal(dst, want) {
				return fmt.Errorf("got %x, want %x", dst, want)
			}
			return nil
		}
	}},
	{"Scatter16", func(o *operands, n int) (func(), func() error) {
		x, dst := o.floats(n), o.halves(n*PanelCols)
		want := slices.Clone(dst)
		return func() { Scatter16(dst, x) }, func() error {
			scatter16Generic(want, x)
			if !slices.Equal(dst, want) {
				return fmt.Errorf("got %x, want %x", dst, want)
			}
			return nil
		}
	}},
}

func FuzzMulPanels32(f *testing.F)  { fuzzKernel(f, "MulPanels32") }
func FuzzMulPanels16(f *testing.F)  { fuzzKernel(f, "MulPanels16") }
func FuzzBias(f *testing.F)         { fuzzKernel(f, "Bias") }
func FuzzExp2Sums(f *testing.F)     { fuzzKernel(f, "Exp2Sums") }
func FuzzSoftcap(f *testing.F)      { fuzzKernel(f, "Softcap") }
func FuzzScaleAdd(f *testing.F)     { fuzzKernel(f, "ScaleAdd") }
func FuzzRotateHalves(f *testing.F) { fuzzKernel(f, "RotateHalves") }
func FuzzRotatePairs(f *testing.F)  { fuzzKernel(f, "RotatePairs") }
func FuzzSpread16(f *testing.F)     { fuzzKernel(f, "Spread16") }
func FuzzScatter16(f *testing.F)    { fuzzKernel(f, "Scatter16") }

// BenchmarkMulPanels multiplies rows with the keys of 256 positions, n long.
func BenchmarkMulPanels(b *testing.B) {
	defer Reset()
	for _, rows := range []int{1, 2, 4, 6, 48} {
		for _, n := range []int{64, 128} {
			o := &operands{r: newRand(1)}
			c, a, h, f := o.floats(rows*256), o.floats(rows*n), o.halves(256*n), o.floats(256*n)
			for _, tier := range Tiers()[1:] {
				if err := Select(tier); err != nil {
					b.Fatal(err)
				}
				for name, mul := range map[string]func(){
					"f16": func() { MulPanels16(c, a, h, rows, n, 256/PanelCols, 256, n, PanelCols*n) },
					"f32": func() { MulPanels32(c, a, f, rows, n, 256/PanelCols, 256, n, PanelCols*n) },
				} {
					b.Run(fmt.Sprintf("kv=%s/rows=%d/n=%d/impl=%s", name, rows, n, tier), func(b *testing.B) {
						for b.Loop() {
							mul()
						}
						b.ReportMetric(2*float64(b.N*rows*n*256)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
					})
				}
			}
		}
	}
}
func BenchmarkBias(b *testing.B)         { benchKernel(b, "Bias", 256) }
func BenchmarkExp2Sums(b *testing.B)     { benchKernel(b, "Exp2Sums", 256) }
func BenchmarkSoftcap(b *testing.B)      { benchKernel(b, "Softcap", 256) }
func BenchmarkScaleAdd(b *testing.B)     { benchKernel(b, "ScaleAdd", 128) }
func BenchmarkRotateHalves(b *testing.B) { benchKernel(b, "RotateHalves", 64, 128) }
func BenchmarkRotatePairs(b *testing.B)  { benchKernel(b, "RotatePairs", 64, 128) }
func BenchmarkSpread16(b *testing.B)     { benchKernel(b, "Spread16", 64, 128) }
func BenchmarkScatter16(b *testing.B)    { benchKernel(b, "Scatter16", 64, 128) }
