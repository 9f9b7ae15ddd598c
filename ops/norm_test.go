package ops

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/normswap/normswap/ops/asm"
)

// eachTier runs f once per instruction set of this machine. Where that is
// emulated, short tests leave out plain Go, which is the same on every machine.
func eachTier(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	defer asm.Reset()
	tiers := asm.Tiers()
	if testing.Short() && runtime.GOARCH != "amd64" {
		tiers = tiers[1:]
	}
	for _, name := range tiers {
		if err := asm.Select(name); err != nil {
			t.Fatal(err)
		}
		t.Run(name, f)
	}
}

// definition is the norm in float64, and the standardised row alone, with a
// bound on its own rounding.
func (n *Norm) definition(x []float32) (y, std []float64, rounding float64) {
	var mean, sum, size float64
	d := float64(len(x))
	if n.Center {
		for _, v := range x {
			mean += float64(v) / d
		}
	}
	for _, v := range x {
		sum += (float64(v) - mean) * (float64(v) - mean)
		size = max(size, math.Abs(float64(v)))
	}
	rounding = d * 0x1p-52 * size / math.Sqrt(sum/d+float64(n.Eps))
	for i, v := range x {
		s := (float64(v) - mean) / math.Sqrt(sum/d+float64(n.Eps))
		std = append(std, s)
		if n.Gain != nil {
			s *= float64(n.Gain[i])
		}
		if n.Bias != nil {
			s += float64(n.Bias[i])
		}
		y = append(y, s)
	}
	return y, std, rounding
}

// ulp is the distance of float32 numbers at the size of x.
func ulp(x float64) float64 { return math.Ldexp(1, max(math.Ilogb(x), -126)-23) }

// checkNorm holds a result against the definition: 4 ulp of the largest
// element before gain and bias, carried through these, and the rounding of
// their own product and sum.
func (n *Norm) checkNorm(got, x []float32) error {
	y, std, rounding := n.definition(x)
	scale := 0.0
	for _, s := range std {
		scale = max(scale, math.Abs(s))
	}
	for i, want := range y {
		tol := 4*ulp(scale) + rounding
		if n.Gain != nil {
			tol = tol*math.Abs(float64(n.Gain[i])) + ulp(std[i]*float64(n.Gain[i]))
		}
		if n.Bias != nil {
			tol += ulp(want)
		}
		if d := math.Abs(float64(got[i]) - want); !(d <= tol) {
			return fmt.Errorf("width %d, element %d: got %v, want %v, off by %.3g, tolerance %.3g", len(x), i, got[i], want, d, tol)
		}
	}
	return nil
}

func eachNorm(width int, r *rand.Rand, f func(name string, n *Norm)) {
	gain, bias, none := randoms(r, width), randoms(r, width), make([]float32, width)
	for _, center := range []bool{false, true} {
		for _, g := range [][]float32{nil, gain, none} {
			for _, b := range [][]float32{nil, bias} {
				f(fmt.Sprintf("center=%v gain=%.1v bias=%v", center, g[:min(len(g), 1)], b != nil), &Norm{Gain: g, Bias: b, Eps: 1e-5, Center: center})
			}
		}
	}
}

// rows that make the statistics hard.
var hardRows = map[string]func(r *rand.Rand, i int) float64{
	"normal":        func(r *rand.Rand, i int) float64 { return r.NormFloat64() },
	"far":           func(r *rand.Rand, i int) float64 { return 1e4 + 1e-2*r.NormFloat64() },
	"far below":     func(r *rand.Rand, i int) float64 { return -1e4 + 1e-2*r.NormFloat64() },
	"outlier first": func(r *rand.Rand, i int) float64 { return []float64{r.NormFloat64(), 3e4}[b2i(i == 0)] },
	"outlier":       func(r *rand.Rand, i int) float64 { return []float64{r.NormFloat64(), -3e4}[b2i(i == 100)] },
	"giants":        func(r *rand.Rand, i int) float64 { return []float64{1e15, -1e15, r.NormFloat64()}[i%3] },
	"giant first":   func(r *rand.Rand, i int) float64 { return []float64{r.NormFloat64(), 1e15}[b2i(i == 0)] },
	"near the mean": func(r *rand.Rand, i int) float64 { return 0.5 + r.NormFloat64() },
	"beyond it":     func(r *rand.Rand, i int) float64 { return -0.51 + r.NormFloat64() },
	"an ulp":        func(r *rand.Rand, i int) float64 { return []float64{1e4, 1e4 + 0x1p-10}[b2i(i%5 == 0)] },
	"an ulp once":   func(r *rand.Rand, i int) float64 { return []float64{3.3, 3.3 + 0x1p-22}[b2i(i == 7)] },
	"far and giant": func(r *rand.Rand, i int) float64 { return 1e4 + []float64{1e-2 * r.NormFloat64(), 1e9}[b2i(i == 3)] },
	"ramp":          func(r *rand.Rand, i int) float64 { return float64(i) },
	"steps":         func(r *rand.Rand, i int) float64 { return []float64{0.9, -1.1}[b2i(i%1024 < 512)] },
	"tiny":          func(r *rand.Rand, i int) float64 { return 1e-22 * r.NormFloat64() },
	"huge":          func(r *rand.Rand, i int) float64 { return 1e22 * r.NormFloat64() },
	"constant":      func(r *rand.Rand, i int) float64 { return 3.3 },
	"constant far":  func(r *rand.Rand, i int) float64 { return -1e4 },
	"zero":          func(r *rand.Rand, i int) float64 { return 0 },
	"denormal ends": func(r *rand.Rand, i int) float64 { return []float64{1e-40, r.NormFloat64()}[b2i(i%64 > 0)] },
	"denormal":      func(r *rand.Rand, i int) float64 { return 1e-40 * r.NormFloat64() },
	"least":         func(r *rand.Rand, i int) float64 { return math.SmallestNonzeroFloat32 },
	"greatest":      func(r *rand.Rand, i int) float64 { return []float64{1, -1}[b2i(i%3 == 0)] * math.MaxFloat32 / 2 },
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestNormAccuracy(t *testing.T) {
	eachTier(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 2))
		for _, width := range []int{1, 2, 7, 64, 100, 768, 1000, 2048, 4096, 8192} {
			for name, value := range hardRows {
				x, dst := make([]float32, width), make([]float32, width)
				for i := range x {
					x[i] = float32(value(r, i))
				}
				eachNorm(width, r, func(kind string, n *Norm) {
					n.Apply(dst, x)
					if err := n.checkNorm(dst, x); err != nil {
						t.Errorf("%s, %s: %v", name, kind, err)
					}
					same := slices.Clone(x)
					n.Apply(same, same)
					if !slices.Equal(same, dst) {
						t.Errorf("%s, %s, width %d: in place differs", name, kind, width)
					}
				})
			}
		}
	})
}

// TestNormBatch holds batches against single rows, bit by bit: widths of every way
// that kernels take, and rows far from zero at places of every kind.
func TestNormBatch(t *testing.T) {
	eachTier(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(5, 6))
		for _, width := range []int{64, 768, 1088, 2048, 2112, 4096, 4160} {
			for _, rows := range []int{1, 2, 3, 4, 9} {
				x := randoms(r, width*rows)
				for _, far := range []int{3, 6, 8} {
					for i := far * width; i < min((far+1)*width, len(x)); i++ {
						x[i] += 100
					}
				}
				eachNorm(width, r, func(kind string, n *Norm) {
					want, buf := make([]float32, len(x)), make([]float32, len(x)+width)
					for i := range rows {
						n.Apply(row(want, i, width), row(x, i, width))
					}
					got := buf[:len(x)]
					n.apply(got, x, width)
					same := slices.Clone(x)
					n.apply(same, same, width)
					if !slices.Equal(got, want) || !slices.Equal(same, want) {
						t.Errorf("%s, %d rows of %d: differ from those alone", kind, rows, width)
					}
					if slices.ContainsFunc(buf[len(x):], func(v float32) bool { return v != 0 }) {
						t.Errorf("%s, %d rows of %d: wrote beyond them", kind, rows, width)
					}
				})
			}
		}
	})
}

func TestNormRows(t *testing.T) {
	const width, rows = 96, 400
	r := rand.New(rand.NewPCG(3, 4))
	x, y := randoms(r, width*rows), randoms(r, width*rows)
	eachNorm(width, r, func(kind string, n *Norm) {
		want, sum := make([]float32, len(x)), slices.Clone(x)
		for i := range sum {
			sum[i] += y[i]
		}
		for i := range rows {
			n.Apply(row(want, i, width), row(sum, i, width))
		}
		for _, threads := range []int{1, 2, 3} {
			p := NewPool(threads)
			res, got := slices.Clone(x), make([]float32, len(x))
			p.Norm(got, sum, width, n)
			if !slices.Equal(got, want) {
				t.Errorf("%s, %d threads: Norm of rows differs from Apply", kind, threads)
			}
			p.Add(res, y, width)
			if !slices.Equal(res, sum) {
				t.Errorf("%s, %d threads: Add differs from a plain sum", kind, threads)
			}
			p.Close()
		}
	})
}

func FuzzNorm(f *testing.F) {
	f.Add(uint64(1), uint16(768), 1e4, 1e-2, true)
	f.Add(uint64(2), uint16(100), 0.0, 1.0, false)
	f.Fuzz(func(t *testing.T, seed uint64, width uint16, mean, spread float64, center bool) {
		if !(math.Abs(mean) < 1e15 && math.Abs(spread) < 1e15) || width == 0 {
			t.Skip("outside the range of hidden states")
		}
		defer asm.Reset()
		r := rand.New(rand.NewPCG(seed, 0))
		x := make([]float32, width%9000+1)
		for i := range x {
			x[i] = float32(mean + spread*r.NormFloat64())
		}
		n := Norm{Eps: 1e-5, Center: center}
		for _, tier := range asm.Tiers() {
			if err := asm.Select(tier); err != nil {
				t.Fatal(err)
			}
			dst := make([]float32, len(x))
			n.Apply(dst, x)
			if err := n.checkNorm(dst, x); err != nil {
				t.Fatalf("%s: %v", tier, err)
			}
		}
	})
}

// BenchmarkNorm normalises one row again and again, and batches of 256 rows, by each
// norm in turn. It reports the time of a row, the median of the rounds, and how many
// times as long LayerNorm takes as RMSNorm.
func BenchmarkNorm(b *testing.B) {
	defer asm.Reset()
	const widest, most = 8192, 256
	p := NewPool(1)
	defer p.Close()
	r := rand.New(rand.NewPCG(1, 2))
	all, to := randoms(r, widest*most), make([]float32, widest*most)
	gain, bias := randoms(r, widest), randoms(r, widest)
	for _, rows := range []int{1, most} {
		for _, width := range []int{768, 2048, 4096, widest} {
			x, dst := all[:rows*width], to[:rows*width]
			g, c := gain[:width], bias[:width]
			norms := []Norm{{g, c, 1e-5, true}, {g, nil, 1e-5, false}, {g, c, 1e-5, false}}
			repeat := max(1, 64<<10/len(x)) // some microseconds
			for _, tier := range asm.Tiers() {
				if err := asm.Select(tier); err != nil {
					b.Fatal(err)
				}
				b.Run(fmt.Sprintf("rows=%d/n=%d/impl=%s", rows, width, tier), func(b *testing.B) {
					times := make([][]float64, len(norms))
					for b.Loop() {
						for i := range norms {
							start := time.Now()
							for range repeat {
								p.Norm(dst, x, width, &norms[i])
							}
							times[i] = append(times[i], float64(time.Since(start).Nanoseconds())/float64(repeat*rows))
						}
					}
					for i, name := range []string{"layernorm", "rmsnorm", "rmsnorm+bias"} {
						slices.Sort(times[i])
						times[i][0] = times[i][len(times[i])/2]
						b.ReportMetric(times[i][0], name+"-ns/row")
					}
					b.ReportMetric(times[0][0]/times[1][0], "layernorm/rmsnorm")
				})
			}
		}
	}
}
