package geometry

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

// The collector's quantities against the textbook's, where arccos is good:
// away from 0 and 180 degrees.
func TestMeasureAgainstDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, center := range []bool{true, false} {
		for _, bias := range []bool{false, true} {
			for _, d := range []int{2, 3, 5, 48, 257, 768} {
				for _, mean := range []float64{0, 0.4, -3} {
					s := randomSite(r, center, d, bias)
					x := randomVector(r, d, mean, 1)
					checkOne(t, fmt.Sprintf("%s d=%d bias=%v mean=%g", kindOf(center), d, bias, mean), s, x)
				}
			}
		}
	}
}

// arccosTol is the error that arccos makes of a rounding of its argument by a
// few units in the last place, with d terms behind it.
func arccosTol(angle float64, d int) float64 {
	e := 8 * float64(d) * 0x1p-53
	sin := math.Max(math.Abs(math.Sin(angle*math.Pi/180)), math.Sqrt(e))
	return degrees*e/sin + 1e-12
}

func checkOne(t *testing.T, name string, s site, x []float32) {
	t.Helper()
	p, err := newProbe(s.Site)
	if err != nil {
		t.Fatal(err)
	}
	out := s.run(x)
	q := make([]float64, numQ)
	p.measure(q, 1, x, out, &p.rows[0])
	want := naiveOf(s.Center, x, out, s.gain, s.bias, s.Eps)
	rel := 16 * float64(len(x)) * 0x1p-53
	for i := range numStages {
		k := 3 * int(i)
		near(t, name+" norm "+i.String(), q[k], want.norm[i], rel*want.norm[i])
		near(t, name+" angle "+i.String(), q[k+1], want.angle[i], arccosTol(want.angle[i], len(x)))
		near(t, name+" share "+i.String(), q[k+2], want.share[i], 4*rel)
	}
	// Without a bias the gained vector is read off the float32 output.
	read := 0.0
	if s.Bias == nil {
		read = degrees * 0x1p-23
	}
	for i := range numRotations {
		near(t, fmt.Sprint(name, " rotation ", i), q[qRotation+int(i)], want.rotation[i], arccosTol(want.rotation[i], len(x))+read)
	}
	near(t, name+" swap", q[qSwap], want.swap, rel+0x1p-23*want.swap+1e-7*read)
}

// Angles that arccos cannot resolve, against the angle that was built in.
func TestAnglesAtTheEnds(t *testing.T) {
	const d = 96
	a, b := make([]float64, d), make([]float64, d)
	for i := range a {
		a[i] = 1
		b[i] = 1 - 2*float64(i%2) // orthogonal to a, of the same length
	}
	turned := make([]float64, d)
	for _, want := range []float64{1e-12, 1e-9, 1e-6, 1e-4, 1e-2, 1, 45, 90, 135, 179, 179.99} {
		sin, cos := math.Sincos(want / degrees)
		for i := range turned {
			turned[i] = 3 * (cos*a[i] + sin*b[i])
		}
		// The rounding of turned itself moves the angle by 2^-53 or so.
		tol := 4 * 0x1p-53 * degrees
		near(t, "Angle", Angle(a, turned), want, tol)
		_, u, _ := Uniform(turned)
		near(t, "Uniform", u, want, tol)
	}
}

// A rotation too small for dot products: a gain of ones but for one channel.
func TestTinyRotation(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	const d = 64
	for _, center := range []bool{true, false} {
		for _, bias := range []float32{0, 1e-6} {
			s := site{Site: Site{Name: "n", Center: center, Dim: d, Eps: 1e-6}, gain: filled(d, 1), bias: filled(d, 0)}
			s.gain[7] = 1 + 1e-4
			s.bias[3] = bias
			s.Gain, s.Bias = s.gain, s.bias
			p, err := newProbe(s.Site)
			if err != nil {
				t.Fatal(err)
			}
			x := randomVector(r, d, 0, 1)
			x[7] = 2
			std, scaled, _ := norms(center, wide(x), wide(s.gain), wide(s.bias), s.Eps)
			q := make([]float64, numQ)
			out := s.run(x)
			p.measure(q, 1, x, out, &p.rows[0])
			near(t, "std-gain", q[qRotation+int(stdGain)], Angle(std, scaled), 1e-12)
			near(t, "gain-bias", q[qRotation+int(gainBias)], map[bool]float64{true: 0, false: Angle(scaled, wide(out))}[bias == 0], 1e-12)
			near(t, "in-out", q[qRotation+int(inOut)], Angle(wide(x), wide(out)), 1e-12)
		}
	}
}

// identities 1 to 3 on random vectors with means from none to overwhelming.
func TestIdentities(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, eps := range []float64{0, 1e-5, 1e-2} {
		for _, d := range []int{2, 48, 1000} {
			for _, mean := range []float64{0, 1, -30, 1000} {
				x := randomVector(r, d, mean, 1)
				got := identities(x, eps)
				// Each term of the sums rounds at the size of the mean; the
				// angle of what remains feels it relative to the spread.
				e := 32 * 0x1p-53 * math.Sqrt(float64(d)) * (1 + math.Abs(mean))
				near(t, fmt.Sprintf("identity 1, d=%d mean=%g", d, mean), got.Decompose, 0, e)
				near(t, fmt.Sprintf("identity 2, d=%d mean=%g", d, mean), got.Rotate, 0, degrees*e)
				near(t, fmt.Sprintf("identity 3, d=%d mean=%g", d, mean), got.Energy, 0, e)
			}
		}
	}
	if got := identities(filled(5, 0), 1e-5); got != (residuals{}) {
		t.Errorf("zero vector: %+v", got)
	}
	// Five values of 3 round to a mean of 3 exactly; LN_std is zero.
	if got := identities(filled(5, 3), 0); got.Decompose > 1e-15 || got.Rotate > 1e-6 || got.Energy > 1e-15 {
		t.Errorf("a multiple of 1: %+v", got)
	}
}

// Identity 5: LayerNorm cannot tell a x + b 1 from x, RMSNorm can.
func TestIrreversible(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	x := wide(randomVector(r, 32, 0.5, 1))
	moved := make([]float64, len(x))
	for i, v := range x {
		moved[i] = 2.5*v - 7
	}
	a, b := standard(true, x, 0), standard(true, moved, 0)
	for i := range a {
		near(t, "LN_std", b[i], a[i], 1e-13)
	}
	if turn := Angle(standard(false, x, 0), standard(false, moved, 0)); turn < 10 {
		t.Errorf("RMS_std turned by %g degrees only", turn)
	}
}

func TestDegenerateVectors(t *testing.T) {
	nan := float32(math.NaN())
	for _, center := range []bool{true, false} {
		for _, eps := range []float64{0, 1e-5} {
			s := site{Site: Site{Name: "n", Center: center, Dim: 7, Eps: eps}, gain: filled(7, 1), bias: filled(7, 0.5)}
			s.Bias = s.bias
			c, err := NewCollector(Model{}, []Site{s.Site}, Options{CheckEvery: 1})
			if err != nil {
				t.Fatal(err)
			}
			rows := [][]float32{filled(7, 0), filled(7, 0.1), filled(7, -1e20), {1, 2, 3, 4, 5, 6, nan}, {0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.10000001}}
			var in, out []float32
			for _, x := range rows {
				in = append(in, x...)
				y := s.run(x)
				if eps == 0 { // 0/0 in the definition; a runner writes the bias
					for i, v := range y {
						if v != v && x[0] == x[6] {
							y[i] = s.bias[i]
						}
					}
				}
				out = append(out, y...)
			}
			c.Add(Batch{Tokens: make([]int32, len(rows)), In: in, Out: out, Pos: 1})
			got := c.State().sites[0].Rest
			if got.Count != 5 || got.NonFinite != 1 || got.Stages[stageIn].Degenerate != 3 {
				t.Errorf("%s eps=%g: count %d, not finite %d, degenerate %d; want 5, 1, 3", kindOf(center), eps, got.Count, got.NonFinite, got.Stages[stageIn].Degenerate)
			}
			if n := got.Stages[stageIn].Angle.N; n != 3 {
				t.Errorf("%s: %d angles of in, want 3", kindOf(center), n)
			}
			directions := map[bool]uint64{true: 1, false: 3}[center]
			if n := got.Stages[stageStd].Angle.N; n != directions {
				t.Errorf("%s: %d angles of std, want %d", kindOf(center), n, directions)
			}
		}
	}
}
