package geometry

import "math"

// The quantities of one vector at one site, in the order of a row of the
// collector's scratch. A quantity that is undefined (an angle with a zero
// vector, anything of a vector that is not finite) is NaN.
const (
	qStages   = 0                          // norm, angle with 1, energy share; of in, std, out
	qRotation = qStages + 3*int(numStages) // in-out, in-std, std-gain, gain-bias
	qSwap     = qRotation + 4              // relative output error of the naive swap
	qMeasured = qSwap + 1                  // the same, measured; NaN without Batch.Swapped
	qChecks   = qMeasured + 1              // the residuals of check, NaN where not sampled
	numQ      = qChecks + numChecks
)

// A rotation is the angle between two stages of a vector: the whole (the
// paper's), and its three parts.
type rotation int

const (
	inOut    rotation = iota // in to out
	inStd                    // in to std: |90 - theta| for LayerNorm, 0 for RMSNorm
	stdGain                  // std to gain*std
	gainBias                 // gain*std to out
	numRotations
)

// dots are the dot products that all quantities follow from. u is the
// standardised vector before scaling (x - mu 1 for LayerNorm, x for RMSNorm),
// w = gain*std the vector before the bias.
type dots struct {
	uu, uo, oo, o1 float64 // u.u, u.out, out.out, out.1
	uw, ww, wo, gw float64 // u.w, w.w, w.out, gain.w
}

// dotsPlain is dots for a norm without bias, where w is out itself.
func dotsPlain(x, out []float32, gain []float64, removed float64) dots {
	var uu, uo, oo, o1, gw float64
	out, gain = out[:len(x)], gain[:len(x)]
	for i, v := range x {
		u, o := float64(v)-removed, float64(out[i])
		uu += u * u
		uo += u * o
		oo += o * o
		o1 += o
		gw += gain[i] * o
	}
	return dots{uu: uu, uo: uo, oo: oo, o1: o1, uw: uo, ww: oo, wo: oo, gw: gw}
}

// dotsBias is dots for a norm with a bias; its w is gain*u, not yet scaled.
func dotsBias(x, out []float32, gain []float64, removed float64) dots {
	var uu, uo, oo, o1, uw, ww, wo, gw float64
	out, gain = out[:len(x)], gain[:len(x)]
	for i, v := range x {
		u, o, g := float64(v)-removed, float64(out[i]), gain[i]
		w := g * u
		uu += u * u
		uo += u * o
		oo += o * o
		o1 += o
		uw += u * w
		ww += w * w
		wo += w * o
		gw += g * w
	}
	return dots{uu, uo, oo, o1, uw, ww, wo, gw}
}

// scale multiplies w by r.
func (p *dots) scale(r float64) {
	p.uw, p.wo, p.gw = p.uw*r, p.wo*r, p.gw*r
	p.ww *= r * r
}

// measure fills q, one value per quantity at the stride given, for the vector
// x and what the norm made of it.
func (p *probe) measure(q []float64, stride int, x, out []float32, g *gainRow) {
	d := float64(len(x))
	mu := sum(x) / d
	removed := 0.0
	if p.Center {
		removed = mu
	}
	var dot dots
	if g.zeros {
		dot = dotsPlain(x, out, g.gain, removed)
	} else {
		dot = dotsBias(x, out, g.gain, removed)
	}
	if total := dot.uu + dot.oo + mu; total-total != 0 {
		for k := range numQ {
			q[k*stride] = math.NaN()
		}
		return
	}

	along := d * mu * mu
	centered := dot.uu
	if !p.Center {
		if centered = dot.uu - along; centered < gramLimit*dot.uu {
			centered = centeredEnergy(x, mu)
		}
	}
	if centered <= uniformTan*uniformTan*along {
		centered = 0
	}
	if p.Center {
		dot.uu = centered
	}
	// Reciprocal standard deviations of both norms; a zero vector stays zero.
	rLN, rRMS := recipSqrt(centered/d+p.Eps), recipSqrt((centered+along)/d+p.Eps)
	r := rRMS
	if p.Center {
		r = rLN
	}
	if !g.zeros {
		dot.scale(r)
	}
	if dot.uu == 0 {
		dot.uw, dot.ww, dot.wo, dot.gw = 0, 0, 0, 0
	}

	nan := math.NaN()
	norm, angle, share := uniform(mu, centered, d)
	set := func(k int, v float64) { q[k*stride] = v }
	setStage := func(s stage, norm, angle, share float64) {
		k := qStages + 3*int(s)
		set(k, norm)
		set(k+1, angle)
		set(k+2, share)
	}
	setStage(stageIn, norm, angle, share)
	set(qRotation+int(inStd), 0)
	switch {
	case dot.uu == 0:
		setStage(stageStd, 0, nan, 0)
		set(qRotation+int(inStd), nan)
	case p.Center:
		setStage(stageStd, math.Sqrt(centered)*r, 90, 0)
		set(qRotation+int(inStd), math.Abs(90-angle))
	default:
		setStage(stageStd, norm*r, angle, share)
	}
	outNorm, outAngle, outShare := outUniform(out, dot.oo, dot.o1)
	setStage(stageOut, outNorm, outAngle, outShare)

	whole, ok := gramAngle(norm*norm, dot.oo, dot.uo+removed*dot.o1)
	if !ok {
		whole = Angle(x, out)
	}
	set(qRotation+int(inOut), whole)
	set(qRotation+int(stdGain), p.stdGain(x, removed, g, &dot))
	set(qRotation+int(gainBias), p.gainBias(x, out, removed, r, g, &dot))
	set(qSwap, swapError(p.Center, mu, centered/d, p.Eps, rLN, rRMS, g.energy, &dot))
}

func (p *probe) stdGain(x []float32, removed float64, g *gainRow, dot *dots) float64 {
	if g.ones && dot.uu > 0 {
		return 0
	}
	if angle, ok := gramAngle(dot.uu, dot.ww, dot.uw); ok {
		return angle
	}
	u, w := make([]float64, len(x)), make([]float64, len(x))
	for i, v := range x {
		u[i] = float64(v) - removed
		w[i] = g.gain[i] * u[i]
	}
	return Angle(u, w)
}

func (p *probe) gainBias(x, out []float32, removed, r float64, g *gainRow, dot *dots) float64 {
	if g.zeros && dot.ww > 0 {
		return 0
	}
	if angle, ok := gramAngle(dot.ww, dot.oo, dot.wo); ok {
		return angle
	}
	w, o := make([]float64, len(x)), make([]float64, len(x))
	for i, v := range x {
		w[i] = g.gain[i] * (float64(v) - removed) * r
		o[i] = float64(out[i])
	}
	return Angle(w, o)
}

// outUniform is Uniform(out) from out.out and out.1, with a second pass only
// where cancellation makes it necessary.
func outUniform(out []float32, oo, o1 float64) (norm, angle, share float64) {
	d := float64(len(out))
	mu := o1 / d
	centered := oo - o1*mu
	if centered < gramLimit*oo {
		centered = centeredEnergy(out, mu)
	}
	return uniform(mu, centered, d)
}

// swapError is the relative error that exchanging the one norm for the other
// makes in this output, by RMS_std = sin(theta) LN_std + cos(theta) 1: with
// q = sigma/rms, the difference of the two outputs is (q - 1) gain*LN_std +
// (mu/rms) gain, and the same with RMS_std and 1/q seen from RMSNorm.
func swapError(center bool, mu, variance, eps, rLN, rRMS, gainEnergy float64, dot *dots) float64 {
	if dot.oo == 0 || rLN == 0 {
		return math.NaN()
	}
	q := rRMS / rLN
	shrink := -mu * mu * rRMS * rRMS / (1 + q) // q - 1 without cancellation
	a, m := shrink, mu*rRMS
	if !center {
		a, m = shrink/q, mu*rLN
	}
	e := a*a*dot.ww + 2*a*m*dot.gw + m*m*gainEnergy
	return math.Sqrt(max(e, 0) / dot.oo)
}

func centeredEnergy(x []float32, mu float64) float64 {
	c := 0.0
	for _, v := range x {
		d := float64(v) - mu
		c += d * d
	}
	return c
}

// recipSqrt is 1/sqrt(v), and 0 for the 0 of a constant vector without eps.
func recipSqrt(v float64) float64 {
	if v == 0 {
		return 0
	}
	return 1 / math.Sqrt(v)
}
