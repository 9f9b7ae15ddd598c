package geometry

import "math"

// residuals say by how much a vector misses what must hold exactly. All are
// rounding errors in a correct program.
type residuals struct {
	// Decompose is RMS_std(x) = sin(theta) LN_std(x) + cos(theta) 1: the root
	// mean square of the difference of the two sides (whose own is 1). With
	// eps, sin and cos stand for sqrt((var + eps)/(ms + eps)) and
	// mu/sqrt(ms + eps), which is the same at eps = 0.
	Decompose float64
	// Rotate is the larger, in degrees, of |angle(x, LN_std) - |90 - theta||
	// and angle(x, RMS_std).
	Rotate float64
	// Energy is the larger of |cos^2(theta) - d mu^2/|x|^2| and
	// |sin^2(theta) - var/ms|.
	Energy float64
}

// identities computes both standardisations of x elementwise, in float64, and
// returns how far identities 1 to 3 of the paper's geometry are from holding.
// A multiple of 1 has no LayerNorm direction: Rotate covers RMSNorm alone
// then. The zero vector has no residuals.
func identities(x []float32, eps float64) residuals {
	n := len(x)
	ones, wide := make([]float64, n), make([]float64, n)
	for i, v := range x {
		ones[i], wide[i] = 1, float64(v)
	}
	ln, rms := standard(true, wide, eps), standard(false, wide, eps)
	theta := Angle(wide, ones)
	if theta != theta {
		return residuals{}
	}
	d := float64(n)
	mu := sum(wide) / d
	variance, square := 0.0, 0.0
	for _, v := range wide {
		variance += (v - mu) * (v - mu) / d
		square += v * v / d
	}
	s, c := math.Sqrt((variance+eps)/(square+eps)), mu/math.Sqrt(square+eps)
	var r residuals
	for i := range wide {
		e := rms[i] - (s*ln[i] + c)
		r.Decompose += e * e / d
	}
	r.Decompose = math.Sqrt(r.Decompose)
	sin, cos := math.Sincos(theta / degrees)
	r.Energy = max(math.Abs(cos*cos-mu*mu/square), math.Abs(sin*sin-variance/square))
	r.Rotate = Angle(wide, rms)
	if variance > uniformTan*uniformTan*square {
		r.Rotate = max(r.Rotate, math.Abs(Angle(wide, ln)-math.Abs(90-theta)))
	}
	return r
}

// standard is the definition of both standardisations, in float64: with center
// LayerNorm's, without it RMSNorm's.
func standard(center bool, x []float64, eps float64) []float64 {
	d := float64(len(x))
	mu := 0.0
	if center {
		mu = sum(x) / d
	}
	ms := 0.0
	for _, v := range x {
		ms += (v - mu) * (v - mu) / d
	}
	r := recipSqrt(ms + eps)
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = (v - mu) * r
	}
	return y
}

const numChecks = 4

// check fills q with the residuals of the three identities, and with the
// distance between the runner's output and the definition, |out - (gain*std +
// bias)|/|out|.
func (p *probe) check(q []float64, stride int, x, out []float32, g *gainRow) {
	r := identities(x, p.Eps)
	wide := make([]float64, len(x))
	for i, v := range x {
		wide[i] = float64(v)
	}
	var miss, size float64
	for i, y := range standard(p.Center, wide, p.Eps) {
		o := float64(out[i])
		e := o - (g.gain[i]*y + g.bias[i])
		miss += e * e
		size += o * o
	}
	if size > 0 {
		miss /= size
	}
	for k, v := range [numChecks]float64{r.Decompose, r.Rotate, r.Energy, math.Sqrt(miss)} {
		q[k*stride] = v
	}
}
