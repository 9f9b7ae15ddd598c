package ops

import (
	"fmt"
	"math"
	"math/cmplx"
	"math/rand/v2"
	"slices"
	"testing"
)

// theta is the angle of a pair by the definition of RoPEConfig, in float64.
func (c *RoPEConfig) theta(pair, pos int) (angle, magnitude float64) {
	f := math.Pow(float64(c.Base), -2*float64(pair)/float64(c.Dims))
	if c.Factors != nil {
		f /= float64(c.Factors[pair])
	}
	scale, magnitude := 1.0, 1.0
	if c.Scale != 0 {
		scale = float64(c.Scale)
	}
	if c.Mscale != 0 {
		magnitude = float64(c.Mscale)
	}
	if y := c.YaRN; y != nil {
		turns := float64(y.OrigContext) * math.Pow(float64(c.Base), -2*float64(pair)/float64(c.Dims)) / (2 * math.Pi)
		switch { // away from the ramp only
		case turns > 1.5*float64(y.BetaFast):
			scale = 1
		case turns >= float64(y.BetaSlow)/1.5:
			return math.NaN(), magnitude
		}
		magnitude *= 1 + 0.1*math.Log(1/float64(c.Scale))
	}
	return float64(pos) * f * scale, magnitude
}

func TestRoPE(t *testing.T) {
	factors := make([]float32, 32)
	for i := range factors {
		factors[i] = 1 + float32(i)/4
	}
	configs := map[string]RoPEConfig{
		"plain":   {Dims: 64, Base: 10000},
		"partial": {Dims: 20, Base: 10000},
		"linear":  {Dims: 64, Base: 10000, Scale: 0.25},
		"factors": {Dims: 64, Base: 500000, Factors: factors, Mscale: 1.19},
		"yarn":    {Dims: 64, Base: 10000, Scale: 0.25, YaRN: &YaRN{OrigContext: 4096, Ext: 1, BetaFast: 32, BetaSlow: 1}},
	}
	const heads, headDim = 3, 64
	for name, c := range configs {
		for _, c.Pairwise = range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/pairwise=%v", name, c.Pairwise), func(t *testing.T) {
				eachTier(t, func(t *testing.T) {
					r := NewRoPE(c)
					table := make([]float32, r.Width())
					known := 0
					for _, pos := range []int{0, 1, 5, 1000, 40000} {
						r.Table(table, pos)
						x := randoms(rand.New(rand.NewPCG(1, uint64(pos))), heads*headDim)
						got := slices.Clone(x)
						r.Apply(got, heads, headDim, table)
						for h := range heads {
							for i := range headDim {
								if i >= c.Dims && got[h*headDim+i] != x[h*headDim+i] {
									t.Fatalf("pos %d: element %d beyond the rotated ones changed", pos, i)
								}
							}
							for i := range c.Dims / 2 {
								a, b := r.pair(i)
								a, b = a+h*headDim, b+h*headDim
								angle, magnitude := c.theta(i, pos)
								if math.IsNaN(angle) {
									continue
								}
								known++
								want := complex(float64(x[a]), float64(x[b])) * cmplx.Rect(magnitude, angle)
								// cos, sin, two products and a sum round
								tol := 4 * 0x1p-24 * cmplx.Abs(want)
								if d := cmplx.Abs(complex(float64(got[a]), float64(got[b])) - want); !(d <= tol) {
									t.Fatalf("pos %d, head %d, pair %d: off by %g, tolerance %g", pos, h, i, d, tol)
								}
							}
						}
					}
					if known < 5*heads*c.Dims/4 {
						t.Errorf("only %d pairs were compared", known)
					}
				})
			})
		}
	}
}

// The ramp of YaRN, by hand: with a base of 10000 and 64 dimensions pair i
// turns 4096/(2 pi)*10000^(-i/32) times, 32 times at pair 10.44 and once at
// pair 22.51, so the ramp goes from pair 10 to pair 23.
func TestYaRNRamp(t *testing.T) {
	y := &YaRN{OrigContext: 4096, Ext: 1, BetaFast: 32, BetaSlow: 1}
	for i := range 32 {
		want := 1 - min(1, max(0, (float64(i)-10)/13))
		if got := y.keep(i, 64, 10000); math.Abs(got-want) > 1e-12 {
			t.Errorf("pair %d keeps %v, want %v", i, got, want)
		}
	}
}

func TestRoPERows(t *testing.T) {
	const heads, headDim, rows, pos = 2, 96, 300, 7
	r := NewRoPE(RoPEConfig{Dims: 96, Base: 10000})
	tables := make([]float32, rows*r.Width())
	r.Tables(tables, pos)
	x := randoms(rand.New(rand.NewPCG(1, 2)), rows*heads*headDim)
	want := slices.Clone(x)
	one := make([]float32, r.Width())
	for i := range rows {
		r.Table(one, pos+i)
		r.Apply(row(want, i, heads*headDim), heads, headDim, one)
	}
	for _, threads := range []int{1, 3} {
		p := NewPool(threads)
		got := slices.Clone(x)
		p.RoPE(r, got, heads, headDim, tables)
		if !slices.Equal(got, want) {
			t.Errorf("%d threads: rows differ from one at a time", threads)
		}
		p.Close()
	}
}
