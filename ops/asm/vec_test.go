package asm

import (
	"fmt"
	"math"
	"slices"
	"testing"
)

// ulp is the distance of float32 numbers at the size of x.
func ulp(x float64) float64 {
	if x == 0 {
		return 0x1p-149
	}
	return math.Ldexp(1, max(math.Ilogb(x), -126)-23)
}

// activationTests are the elementwise kernels with their definitions and the
// bounds that vec.go states.
var activationTests = []struct {
	name string
	f    int
	want func(x float64) float64
	tol  func(x, want float64) float64
}{
	{"SiLU", SiLU, func(x float64) float64 { return timesSigmoid(x, x) },
		func(x, want float64) float64 { return 4*ulp(want) + edge(x) }},
	{"GELU", GELU, func(x float64) float64 { return timesSigmoid(x, geluArgument(x)) },
		func(x, want float64) float64 { return 4*ulp(want) + edge(x) + 3*0x1p-24*math.Abs(want*geluArgument(x)) }},
	{"GELUErf", GELUErf, func(x float64) float64 {
		if math.IsInf(x, -1) {
			return 0
		}
		return 0.5 * x * math.Erfc(-x/math.Sqrt2)
	}, func(x, want float64) float64 { return 7*ulp(want) + edge(x) }},
	{"ReLU", ReLU, func(x float64) float64 { return max(x, 0) },
		func(x, want float64) float64 { return 0 }},
	{"ReLU2", ReLU2, func(x float64) float64 { return max(x, 0) * max(x, 0) },
		func(x, want float64) float64 { return ulp(want) / 2 }},
}

// edge is what is lost where exp(x) is below the normal numbers.
func edge(x float64) float64 {
	if x < 0 {
		return -x * 0x1p-149
	}
	return 0
}

// same reports whether got is want to within tol, in float32.
func same(what string, got float32, want, tol float64) error {
	if math.IsInf(tol, 0) || math.IsNaN(tol) {
		tol = 0
	}
	if float64(got) == want || float32(want) == got || tol > 0 && math.Abs(want) > math.MaxFloat32-2*tol && math.IsInf(float64(got), 0) {
		return nil
	}
	return within(what, float64(got), want, tol)
}

var vecTests = func() []kernelTest {
	tests := []kernelTest{
		{"Max", func(o *operands, n int) (func(), func() error) {
			x := o.floats(n)
			var got float32
			return func() { got = Max(x) }, func() error { return within("max", float64(got), float64(maxGeneric(x)), 0) }
		}},
		{"Scale", func(o *operands, n int) (func(), func() error) {
			dst, x := o.floats(n), o.floats(n)
			want := make([]float32, n)
			scaleGeneric(want, x, 0.999)
			return func() { Scale(dst, x, 0.999) }, func() error {
				if !slices.Equal(dst, want) {
					return fmt.Errorf("got %v, want %v", dst, want)
				}
				return nil
			}
		}},
		{"ExpSum", func(o *operands, n int) (func(), func() error) {
			x, m := o.floats(n), float32(2.5)
			old := slices.Clone(x)
			var got float64
			run := func() { copy(x, old); got = ExpSum(x, m) }
			return run, func() error {
				var sum float64
				for i, v := range old {
					want := math.Exp(float64(v - m))
					if err := same(fmt.Sprintf("exp(%v)", v-m), x[i], want, 2*ulp(want)); err != nil {
						return err
					}
					sum += float64(x[i])
				}
				return within("sum", got, sum, sumTolerance(sum))
			}
		}},
	}
	for _, a := range activationTests {
		tests = append(tests,
			kernelTest{a.name, func(o *operands, n int) (func(), func() error) {
				dst, x := o.floats(n), o.floats(n)
				return func() { Activate(a.f, dst, x) }, func() error {
					for i, v := range x {
						want := a.want(float64(v))
						if err := same(fmt.Sprintf("f(%v)", v), dst[i], want, a.tol(float64(v), want)); err != nil {
							return err
						}
					}
					Activate(a.f, x, x)
					if !slices.Equal(x, dst) {
						return fmt.Errorf("in place: got %v, want %v", x, dst)
					}
					return nil
				}
			}},
			kernelTest{a.name + "Gate", func(o *operands, n int) (func(), func() error) {
				dst, x, y := o.floats(n), o.floats(n), o.floats(n)
				return func() { Gate(a.f, dst, x, y) }, func() error {
					for i, v := range x {
						want := a.want(float64(v)) * float64(y[i])
						tol := a.tol(float64(v), a.want(float64(v)))*math.Abs(float64(y[i])) + ulp(want)
						if err := same(fmt.Sprintf("f(%v)*%v", v, y[i]), dst[i], want, tol); err != nil {
							return err
						}
					}
					Gate(a.f, y, x, y)
					if !slices.Equal(y, dst) {
						return fmt.Errorf("in place: got %v, want %v", y, dst)
					}
					return nil
				}
			}})
	}
	return tests
}()

// The bounds hold over the whole range of float32, of which every step-th
// value is tried, the ends and the special ones included.
func TestBounds(t *testing.T) {
	step := uint64(16001)
	if testing.Short() {
		step = 160001
	}
	var x []float32
	for b := uint64(0); b < 1<<32; b += step {
		x = append(x, math.Float32frombits(uint32(b)))
	}
	for _, v := range []float64{0, math.Copysign(0, -1), math.Inf(1), math.Inf(-1), math.NaN(), math.MaxFloat32, -math.MaxFloat32,
		0x1p-149, -0x1p-149, 0x1p-126, -103.97, -103.98, -87.4, -87.3, 88.72, 88.73, -14.5, -12, 12, 1, -1} {
		x = append(x, float32(v))
	}
	y := make([]float32, len(x))
	eachTier(t, func(t *testing.T) {
		check := func(name string, want func(x float64) float64, tol func(x, want float64) float64) {
			var worst, at float64
			for i, v := range x {
				w := want(float64(v))
				if err := same(fmt.Sprintf("%s(%v)", name, v), y[i], w, tol(float64(v), w)); err != nil {
					t.Fatal(err)
				}
				if d := math.Abs(float64(y[i])-w) / ulp(w); d > worst && !math.IsInf(float64(y[i]), 0) {
					worst, at = d, float64(v)
				}
			}
			t.Logf("%s: off by at most %.2f ulp, at %v", name, worst, at)
		}
		copy(y, x)
		ExpSum(y, 0)
		check("exp", math.Exp, func(x, want float64) float64 { return 2 * ulp(want) })
		for _, a := range activationTests {
			Activate(a.f, y, x)
			check(a.name, a.want, a.tol)
		}
	})
}

func FuzzMax(f *testing.F)         { fuzzKernel(f, "Max") }
func FuzzScale(f *testing.F)       { fuzzKernel(f, "Scale") }
func FuzzExpSum(f *testing.F)      { fuzzKernel(f, "ExpSum") }
func FuzzSiLU(f *testing.F)        { fuzzKernel(f, "SiLU") }
func FuzzSiLUGate(f *testing.F)    { fuzzKernel(f, "SiLUGate") }
func FuzzGELU(f *testing.F)        { fuzzKernel(f, "GELU") }
func FuzzGELUGate(f *testing.F)    { fuzzKernel(f, "GELUGate") }
func FuzzGELUErf(f *testing.F)     { fuzzKernel(f, "GELUErf") }
func FuzzGELUErfGate(f *testing.F) { fuzzKernel(f, "GELUErfGate") }
func FuzzReLU(f *testing.F)        { fuzzKernel(f, "ReLU") }
func FuzzReLUGate(f *testing.F)    { fuzzKernel(f, "ReLUGate") }
func FuzzReLU2(f *testing.F)       { fuzzKernel(f, "ReLU2") }
func FuzzReLU2Gate(f *testing.F)   { fuzzKernel(f, "ReLU2Gate") }

func BenchmarkMax(b *testing.B)      { benchKernel(b, "Max", 256, 4096) }
func BenchmarkScale(b *testing.B)    { benchKernel(b, "Scale", 256, 4096) }
func BenchmarkExpSum(b *testing.B)   { benchKernel(b, "ExpSum", 256, 4096) }
func BenchmarkSiLUGate(b *testing.B) { benchKernel(b, "SiLUGate", 4096) }
func BenchmarkGELU(b *testing.B)     { benchKernel(b, "GELU", 4096) }
func BenchmarkGELUErf(b *testing.B)  { benchKernel(b, "GELUErf", 4096) }
func BenchmarkReLU2(b *testing.B)    { benchKernel(b, "ReLU2", 4096) }
