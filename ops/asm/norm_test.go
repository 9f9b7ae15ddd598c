package asm

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
)

// sumTolerance bounds the error of a sum in float32 chains of 8 and a tree of
// a few more: 16 roundings of the sum of magnitudes, and one of each
// difference.
func sumTolerance(magnitudes float64) float64 { return 17 * 0x1p-24 * magnitudes }

var normTests = []kernelTest{
	{"Moments", func(o *operands, n int) (func(), func() error) {
		x := o.floats(max(n, 1))
		var mean, squares float64
		return func() { mean, squares = Moments(x) }, func() error { return checkMoments(x, mean, squares) }
	}},
	{"Squares", func(o *operands, n int) (func(), func() error) {
		x := o.floats(n)
		var got float64
		return func() { got = Squares(x) }, func() error { return checkSquares(x, 0, got) }
	}},
	{"Normalize", normalizeTest(false, false)},
	{"NormalizeGain", normalizeTest(true, false)},
	{"NormalizeGainBias", normalizeTest(true, true)},
	{"NormalizeBias", normalizeTest(false, true)},
	{"LayerNorm", rowsTest(true, LayerNorm)},
	{"RMSNorm", rowsTest(false, RMSNorm)},
}

func checkMoments(x []float32, mean, squares float64) error {
	var sum, size float64
	for _, v := range x {
		d := float64(v) - float64(x[0])
		sum += d
		size += math.Abs(d)
	}
	n := float64(len(x))
	return errors.Join(
		within("mean", mean, float64(x[0])+sum/n, sumTolerance(size)/n),
		checkSquares(x, float64(float32(mean)), squares))
}

func checkSquares(x []float32, c, squares float64) error {
	var want float64
	for _, v := range x {
		want += (float64(v) - c) * (float64(v) - c)
	}
	return within("squares", squares, want, 2*sumTolerance(want))
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

// rowsTest holds three rows against the definition in float64, for each
// choice of gain and bias.
func rowsTest(center bool, norm func(dst, x, gain, bias []float32, width int, eps float64)) func(o *operands, n int) (func(), func() error) {
	return func(o *operands, n int) (func(), func() error) {
		const rows, eps = 3, 1e-5
		n = max(n, 1)
		dst, x, gain, bias := o.floats(rows*n), o.floats(rows*n), o.floats(n), o.floats(n)
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
func FuzzMoments(f *testing.F)   { fuzzKernel(f, "Moments") }
func FuzzSquares(f *testing.F)   { fuzzKernel(f, "Squares") }
func FuzzNormalize(f *testing.F) { fuzzKernel(f, "NormalizeGainBias") }

var normSizes = []int{768, 2048, 4096, 8192}

func BenchmarkMoments(b *testing.B)   { benchKernel(b, "Moments", normSizes...) }
func BenchmarkSquares(b *testing.B)   { benchKernel(b, "Squares", normSizes...) }
func BenchmarkNormalize(b *testing.B) { benchKernel(b, "NormalizeGainBias", normSizes...) }
func BenchmarkLayerNorm(b *testing.B) { benchKernel(b, "LayerNorm", normSizes...) }
func BenchmarkRMSNorm(b *testing.B)   { benchKernel(b, "RMSNorm", normSizes...) }
