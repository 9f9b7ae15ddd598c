package asm

import (
	"fmt"
	"math"
	"testing"
)

// sumTolerance bounds the error of a sum in float32 chains of 8 and a tree of
// a few more: 16 roundings of the sum of magnitudes, and one of each
// difference.
func sumTolerance(magnitudes float64) float64 { return 17 * 0x1p-24 * magnitudes }

var normTests = []kernelTest{
	{"DiffSum", func(o *operands, n int) (func(), func() error) {
		x, c := o.floats(n), float32(0.25)
		var got float64
		return func() { got = DiffSum(x, c) }, func() error {
			var want, size float64
			for _, v := range x {
				want += float64(v) - float64(c)
				size += math.Abs(float64(v) - float64(c))
			}
			return within("sum", got, want, sumTolerance(size))
		}
	}},
	{"DiffSquares", func(o *operands, n int) (func(), func() error) {
		x, c := o.floats(n), float32(0.25)
		var got float64
		return func() { got = DiffSquares(x, c) }, func() error {
			var want float64
			for _, v := range x {
				want += (float64(v) - float64(c)) * (float64(v) - float64(c))
			}
			return within("sum", got, want, 2*sumTolerance(want))
		}
	}},
	{"AddDiffSum", func(o *operands, n int) (func(), func() error) {
		x, y, c, shift := o.floats(n), o.floats(n), float32(0.25), float32(0.125)
		old := append([]float32(nil), x...)
		var got float64
		return func() { got = AddDiffSum(x, y, shift, c) }, func() error {
			var want, size float64
			for _, v := range x {
				want += float64(v) - float64(c)
				size += math.Abs(float64(v) - float64(c))
			}
			if err := within("sum", got, want, sumTolerance(size)); err != nil {
				return err
			}
			return checkShifted(x, old, y, shift)
		}
	}},
	{"AddSquares", func(o *operands, n int) (func(), func() error) {
		x, y, shift := o.floats(n), o.floats(n), float32(0.125)
		old := append([]float32(nil), x...)
		var got float64
		return func() { got = AddSquares(x, y, shift) }, func() error {
			var want float64
			for _, v := range x {
				want += float64(v) * float64(v)
			}
			if err := within("sum", got, want, 2*sumTolerance(want)); err != nil {
				return err
			}
			return checkShifted(x, old, y, shift)
		}
	}},
	{"Normalize", normalizeTest(false, false)},
	{"NormalizeGain", normalizeTest(true, false)},
	{"NormalizeGainBias", normalizeTest(true, true)},
	{"NormalizeBias", normalizeTest(false, true)},
}

// checkShifted: these additions round the same way everywhere.
func checkShifted(x, old, y []float32, shift float32) error {
	for i := range x {
		if want := old[i] + (y[i] - shift); x[i] != want {
			return fmt.Errorf("x[%d]: got %v, want %v", i, x[i], want)
		}
	}
	return nil
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
		return func() { Normalize(dst, x, gain, bias, c, scale, offset) }, func() error {
			want := make([]float32, n)
			normalizeGeneric(want, x, gain, bias, c, scale, offset)
			for i := range want {
				if dst[i] != want[i] {
					return fmt.Errorf("dst[%d]: got %v, want %v", i, dst[i], want[i])
				}
			}
			inPlace := append([]float32(nil), x...)
			Normalize(inPlace, inPlace, gain, bias, c, scale, offset)
			for i := range want {
				if inPlace[i] != want[i] {
					return fmt.Errorf("in place, dst[%d]: got %v, want %v", i, inPlace[i], want[i])
				}
			}
			return nil
		}
	}
}

func FuzzDiffSum(f *testing.F)     { fuzzKernel(f, "DiffSum") }
func FuzzDiffSquares(f *testing.F) { fuzzKernel(f, "DiffSquares") }
func FuzzAddDiffSum(f *testing.F)  { fuzzKernel(f, "AddDiffSum") }
func FuzzAddSquares(f *testing.F)  { fuzzKernel(f, "AddSquares") }
func FuzzNormalize(f *testing.F)   { fuzzKernel(f, "NormalizeGainBias") }

var normSizes = []int{768, 2048, 4096, 8192}

func BenchmarkDiffSum(b *testing.B)     { benchKernel(b, "DiffSum", normSizes...) }
func BenchmarkDiffSquares(b *testing.B) { benchKernel(b, "DiffSquares", normSizes...) }
func BenchmarkAddDiffSum(b *testing.B)  { benchKernel(b, "AddDiffSum", normSizes...) }
func BenchmarkAddSquares(b *testing.B)  { benchKernel(b, "AddSquares", normSizes...) }
func BenchmarkNormalize(b *testing.B)   { benchKernel(b, "NormalizeGainBias", normSizes...) }
