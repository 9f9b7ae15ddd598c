package asm

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
)

// sumTolerance bounds the error of a sum in float32 chains of 12 and a tree of
// a few more: 17 roundings of the sum of magnitudes, and one of each
// difference.
func sumTolerance(magnitudes float64) float64 { return 18 * 0x1p-24 * magnitudes }

var normTests = []kernelTest{
	{"Sums", func(o *operands, n int) (func(), func() error) {
		x := o.floats(n)
		const pivot = 0.25
		var sum, squares float64
		return func() { sum, squares = sums(x, pivot) }, func() error { return checkSums(x, pivot, sum, squares) }
	}},
	{"Squares", func(o *operands, n int) (func(), func() error) {
		x := o.floats(n)
		var squares float64
		return func() { squares = sumSquares(x) }, func() error {
			sum, _ := sumsGeneric(x, 0)
			return checkSums(x, 0, sum, squares)
		}
	}},
	{"Normalize", normalizeTest(false, false)},
	{"NormalizeGain", normalizeTest(true, false)},
	{"NormalizeGainBias", normalizeTest(true, true)},
	{"NormalizeBias", normalizeTest(false, true)},
	{"LayerNorm", rowsTest(true, LayerNorm)},
	{"RMSNorm", rowsTest(false, RMSNorm)},
}

// checkSums wants the bits of the definition, and the definition near the sums in
// float64.
func checkSums(x []float32, pivot float32, sum, squares float64) error {
	wantSum, wantSquares := sumsGeneric(x, pivot)
	var exact, exactSquares, size float64
	for _, v := range x {
		d := float64(v) - float64(pivot)
		exact += d
		exactSquares += d * d
		size += math.Abs(d)
	}
	return errors.Join(
		within("sum", sum, wantSum, 0),
		within("squares", squares, wantSquares, 0),
		within("definition of the sum", wantSum, exact, sumTolerance(size)),
		within("definition of the squares", wantSquares, exactSquares, 2*sumTolerance(exactSquares)))
}

func normalizeTest(withGain, withBias bool) func(o *operands, n int) (func(), func() error) {
	return func(o *operands, n int) (func(), func() error) {
		dst, x := o.floats(n), o.floats(n)
		var gain, bias []float32
		if withGain {
			gain = o.floats(n)
		}
		if withBias {
			bias = o.floats(n)
		}
		c, scale, offset := float32(0.25), float32(1.75), float32(-0.01)
		return func() { normalize(dst, x, gain, bias, c, scale, offset) }, func() error {
			want := make([]float32, n)
			normalizeGeneric(want, x, gain, bias, c, scale, offset)
			for i := range want {
				if dst[i] != want[i] {
					return fmt.Errorf("dst[%d]: got %v, want %v", i, dst[i], want[i])
				}
			}
			inPlace := slices.Clone(x)
			normalize(inPlace, inPlace, gain, bias, c, scale, offset)
			for i := range want {
				if inPlace[i] != want[i] {
					return fmt.Errorf("in place, dst[%d]: got %v, want %v", i, inPlace[i], want[i])
				}
			}
			return nil
		}
	}
}

// rowsTest holds some rows against the definition in float64, and their bits
// against those of plain Go, for each choice of gain and bias. Two rows are far
// from zero.
func rowsTest(center bool, norm func(dst, x, gain, bias []float32, width int, eps float64)) func(o *operands, n int) (func(), func() error) {
	return func(o *operands, n int) (func(), func() error) {
		const rows, eps = 7, 1e-5
		n = max(n, 1)
		dst, x, gain, bias := o.floats(rows*n), o.floats(rows*n), o.floats(n), o.floats(n)
		for _, far := range []int{3, 6} {
			for i := far * n; i < (far+1)*n; i++ {
				x[i] += 4 * max(x[0], -x[0])
			}
		}
		run := func() { norm(dst, x, gain, bias, n, eps) }
		return run, func() error {
			var errs []error
			for choice := range 4 {
				g, b := gain, bias
				if choice&1 == 0 {
					g = nil
				}
				if choice&2 == 0 {
					b = nil
				}
				norm(dst, x, g, b, n, eps)
				got, tier := slices.Clone(dst), Active()
				_ = Select(generic) // there is always this one
				norm(dst, x, g, b, n, eps)
				_ = Select(tier)
				for i, v := range dst {
					errs = append(errs, within(fmt.Sprintf("bits of dst[%d]", i), float64(got[i]), float64(v), 0))
				}
				for r := range rows {
					errs = append(errs, checkRow(dst[r*n:][:n], x[r*n:][:n], g, b, center, eps))
				}
			}
			run()
			return errors.Join(errs...)
		}
	}
}

// checkRow allows 4 ulp of the largest standardised element, as package ops
// promises, and the rounding of gain and bias.
func checkRow(dst, x, gain, bias []float32, center bool, eps float64) error {
	var mean, squares, size float64
	n := float64(len(x))
	for _, v := range x {
		if center {
			mean += float64(v) / n
		}
	}
	for _, v := range x {
		d := float64(v) - mean
		squares += d * d
		size = max(size, math.Abs(d))
	}
	scale := 1 / math.Sqrt(squares/n+eps)
	for i, v := range x {
		want, tol := (float64(v)-mean)*scale, 4*0x1p-23*size*scale
		if gain != nil {
			want, tol = want*float64(gain[i]), tol*math.Abs(float64(gain[i]))
		}
		if bias != nil {
			want += float64(bias[i])
		}
		tol += 0x1p-23*math.Abs(want) + 0x1p-149
		if err := within(fmt.Sprintf("dst[%d]", i), float64(dst[i]), want, tol); err != nil {
			return err
		}
	}
	return nil
}

func FuzzLayerNorm(f *testing.F) { fuzzKernel(f, "LayerNorm") }
func FuzzRMSNorm(f *testing.F)   { fuzzKernel(f, "RMSNorm") }
func FuzzSums(f *testing.F)      { fuzzKernel(f, "Sums") }
func FuzzSquares(f *testing.F)   { fuzzKernel(f, "Squares") }
func FuzzNormalize(f *testing.F) { fuzzKernel(f, "NormalizeGainBias") }

var normSizes = []int{768, 2048, 4096, 8192}

func BenchmarkSums(b *testing.B)      { benchKernel(b, "Sums", normSizes...) }
func BenchmarkSquares(b *testing.B)   { benchKernel(b, "Squares", normSizes...) }
func BenchmarkNormalize(b *testing.B) { benchKernel(b, "NormalizeGainBias", normSizes...) }
func BenchmarkLayerNorm(b *testing.B) { benchKernel(b, "LayerNorm", normSizes...) }
func BenchmarkRMSNorm(b *testing.B)   { benchKernel(b, "RMSNorm", normSizes...) }
