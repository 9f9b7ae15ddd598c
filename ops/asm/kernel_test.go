package asm

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// A kernelTest is one row of the table that every kernel is in: how to make
// operands of size n, run the kernel and compare with its float64 definition.
// Tests, fuzz targets and benchmarks are made from the same row, so nothing is
// measured that is not checked.
type kernelTest struct {
	name string
	// prepare makes operands. check is called once after run and reports a
	// deviation.
	prepare func(o *operands, n int) (run func(), check func() error)
}

var kernelTests = slices.Concat(normTests, vecTests, attentionTests, matrixTests)

// operands makes slices that lie between fences, at any alignment.
type operands struct {
	r      *rand.Rand
	off    int     // elements from an aligned address
	spread float64 // of the values, 0: 1
	fences []func() error
}

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0)) }

const fence = 16 // elements on each side

// floats returns n normally distributed values between NaN fences.
func (o *operands) floats(n int) []float32 {
	spread := o.spread
	if spread == 0 {
		spread = 1
	}
	return fenced(o, n, float32(math.NaN()), func() float32 { return float32(spread * o.r.NormFloat64()) })
}

// fenced returns n values between fences that [operands.check] looks at.
func fenced[T comparable](o *operands, n int, guard T, value func() T) []T {
	lo := fence + o.off
	buf := make([]T, lo+n+fence)
	for i := range buf {
		buf[i] = guard
		if i >= lo && i < lo+n {
			buf[i] = value()
		}
	}
	o.fences = append(o.fences, func() error {
		for i, v := range buf {
			if (i < lo || i >= lo+n) && v == v && v != guard {
				return fmt.Errorf("wrote at %d, outside a slice of %d", i-lo, n)
			}
		}
		return nil
	})
	return buf[lo : lo+n : lo+n]
}

// checkFences reports a write outside the operands.
func (o *operands) checkFences() error {
	for _, f := range o.fences {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

// within reports got if it is further from want than tol; NaN equals NaN.
func within(what string, got, want, tol float64) error {
	if got == want || math.IsNaN(got) && math.IsNaN(want) || math.Abs(got-want) <= tol {
		return nil
	}
	return fmt.Errorf("%s: got %v, want %v, off by %.3g, tolerance %.3g", what, got, want, math.Abs(got-want), tol)
}

// sizes cross every loop boundary of every kernel.
var sizes = []int{0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 255, 257, 511, 768, 1023, 1025, 2048, 4095}

// eachTier runs f once per instruction set of this machine. Where that is
// emulated, short tests leave out plain Go, which is the same on every machine.
func eachTier(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	defer Reset()
	tiers := Tiers()
	if testing.Short() && runtime.GOARCH != "amd64" {
		tiers = tiers[1:]
	}
	for _, name := range tiers {
		if err := Select(name); err != nil {
			t.Fatal(err)
		}
		t.Run(name, f)
	}
}

func TestKernels(t *testing.T) {
	step := 1
	if testing.Short() {
		step = 5
	}
	eachTier(t, func(t *testing.T) {
		for _, k := range kernelTests {
			for _, n := range sizes {
				for off := 0; off < 8; off += step {
					o := &operands{r: newRand(uint64(8*n + off)), off: off}
					if err := k.once(o, n); err != nil {
						t.Errorf("%s n=%d off=%d: %v", k.name, n, off, err)
					}
				}
			}
		}
	})
}

func (k kernelTest) once(o *operands, n int) error {
	run, check := k.prepare(o, n)
	run()
	if err := check(); err != nil {
		return err
	}
	return o.checkFences()
}

func kernelNamed(tb testing.TB, name string) kernelTest {
	i := slices.IndexFunc(kernelTests, func(k kernelTest) bool { return k.name == name })
	if i < 0 {
		tb.Fatal("no such kernel: ", name)
	}
	return kernelTests[i]
}

// fuzzKernel is the fuzz target of a kernel: any size, alignment, seed and
// spread of the operands, on every instruction set.
func fuzzKernel(f *testing.F, name string) {
	k := kernelNamed(f, name)
	f.Add(uint64(1), uint16(33), uint8(3), int8(0))
	f.Add(uint64(2), uint16(1025), uint8(0), int8(20))
	f.Fuzz(func(t *testing.T, seed uint64, n uint16, off uint8, exponent int8) {
		defer Reset()
		for _, tier := range Tiers() {
			if err := Select(tier); err != nil {
				t.Fatal(err)
			}
			o := &operands{r: newRand(seed), off: int(off) % 16, spread: math.Ldexp(1, int(exponent)%41)}
			if err := k.once(o, int(n)%5000); err != nil {
				t.Fatalf("%s n=%d off=%d spread=%v: %v", tier, int(n)%5000, o.off, o.spread, err)
			}
		}
	})
}

// benchKernel measures a kernel on every instruction set. Bytes are those of
// one operand.
func benchKernel(b *testing.B, name string, sizes ...int) {
	defer Reset()
	k := kernelNamed(b, name)
	for _, n := range sizes {
		for _, tier := range Tiers() {
			if err := Select(tier); err != nil {
				b.Fatal(err)
			}
			run, _ := k.prepare(&operands{r: newRand(1)}, n)
			b.Run(fmt.Sprintf("n=%d/impl=%s", n, tier), func(b *testing.B) {
				b.SetBytes(int64(4 * n))
				for b.Loop() {
					run()
				}
			})
		}
	}
}

// The best instruction set of the machine must be among those tested, by the
// word of the operating system, which owes nothing to the detection under
// test.
func TestBestTierIsTested(t *testing.T) {
	want := map[string][]string{
		"amd64/avx2":    {"avx2", "fma", "f16c"},
		"amd64/avx512":  {"avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_vnni"},
		"arm64/neon":    {"asimd"},
		"arm64/dotprod": {"asimd", "asimddp"},
		"arm64/i8mm":    {"asimd", "asimddp", "i8mm"},
	}
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Skip("/proc/cpuinfo: ", err)
	}
	m := regexp.MustCompile(`(?m)^(?:flags|Features)\s*:(.*)$`).FindSubmatch(info)
	if m == nil || strings.Contains(os.Getenv("GODEBUG"), "cpu.") || tiers == nil {
		t.Skip("instruction sets are switched off or not listed")
	}
	flags := strings.Fields(string(m[1]))
	for tier, needs := range want {
		arch, name, _ := strings.Cut(tier, "/")
		missing := func(f string) bool { return !slices.Contains(flags, f) }
		if arch == runtime.GOARCH && !slices.ContainsFunc(needs, missing) && !slices.Contains(Tiers(), name) {
			t.Errorf("this machine has %v, but the %s kernels are not tested", needs, name)
		}
	}
}
