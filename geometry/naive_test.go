package geometry

import (
	"math"
	"math/rand/v2"
	"testing"
)

// naive holds one vector's figures by the textbook: arccos of the cosine,
// elementwise norms, no shared sums.
type naive struct {
	norm, angle, share [3]float64
	rotation           [4]float64
	swap               float64
}

func norm2(x []float64) float64 {
	s := 0.0
	for _, v := range x {
		s += v * v
	}
	return math.Sqrt(s)
}

func acosAngle(a, b []float64) float64 {
	dot := 0.0
	for i := range a {
		dot += a[i] * b[i]
	}
	return math.Acos(min(max(dot/(norm2(a)*norm2(b)), -1), 1)) * 180 / math.Pi
}

// norms returns std, gain*std and gain*std + bias.
func norms(center bool, x, gain, bias []float64, eps float64) (std, scaled, out []float64) {
	d := float64(len(x))
	mu := 0.0
	if center {
		for _, v := range x {
			mu += v / d
		}
	}
	ms := 0.0
	for _, v := range x {
		ms += (v - mu) * (v - mu) / d
	}
	for i, v := range x {
		y := (v - mu) / math.Sqrt(ms+eps)
		std = append(std, y)
		scaled = append(scaled, gain[i]*y)
		out = append(out, gain[i]*y+bias[i])
	}
	return std, scaled, out
}

func wide(x []float32) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = float64(v)
	}
	return y
}

func narrow(x []float64) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(v)
	}
	return y
}

func filled(n int, v float32) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = v
	}
	return x
}

func naiveOf(center bool, x, out, gain, bias []float32, eps float64) (n naive) {
	wx, wo, g, b := wide(x), wide(out), wide(gain), wide(bias)
	ones := wide(filled(len(x), 1))
	std, scaled, _ := norms(center, wx, g, b, eps)
	for i, v := range [][]float64{wx, std, wo} {
		n.norm[i] = norm2(v)
		n.angle[i] = acosAngle(v, ones)
		n.share[i] = math.Pow(math.Cos(n.angle[i]*math.Pi/180), 2)
	}
	n.rotation = [4]float64{acosAngle(wx, wo), acosAngle(wx, std), acosAngle(std, scaled), acosAngle(scaled, wo)}
	_, _, mine := norms(center, wx, g, b, eps)
	_, _, swapped := norms(!center, wx, g, b, eps)
	for i := range swapped {
		swapped[i] -= mine[i]
	}
	n.swap = norm2(swapped) / norm2(wo)
	return n
}

// site is a random norm, and run what it does in float32.
type site struct {
	Site
	gain, bias []float32 // never nil
}

func randomSite(r *rand.Rand, center bool, d int, withBias bool) site {
	s := site{Site: Site{Name: "blk.0.attn_norm", Role: "ln1", Center: center, Dim: d, Eps: 1e-5}}
	s.gain, s.bias = filled(d, 1), filled(d, 0)
	for i := range d {
		s.gain[i] += 0.3 * float32(r.NormFloat64())
		if withBias {
			s.bias[i] = 0.2 * float32(r.NormFloat64())
		}
	}
	s.Gain = s.gain
	if withBias {
		s.Bias = s.bias
	}
	return s
}

func (s site) run(x []float32) []float32 {
	_, _, out := norms(s.Center, wide(x), wide(s.gain), wide(s.bias), s.Eps)
	return narrow(out)
}

func randomVector(r *rand.Rand, d int, mean, spread float64) []float32 {
	x := make([]float32, d)
	for i := range x {
		x[i] = float32(mean + spread*r.NormFloat64())
	}
	return x
}

func near(t *testing.T, what string, got, want, tol float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tol) {
		t.Errorf("%s: got %.15g, want %.15g (off by %.2g, allowed %.2g)", what, got, want, got-want, tol)
	}
}
