package geometry

import "math"

const (
	degrees = 180 / math.Pi

	// uniformTan bounds |x - mu 1| / |x| from above where x counts as a
	// multiple of 1. Two float32 values that differ do so by 2^-24 at least,
	// which puts any other vector of fewer than 2^30 elements far above it.
	uniformTan = 1.0 / (1 << 40)

	// gramLimit is the sin^2 of an angle below which one-pass dot products
	// have lost too many digits to cancellation: the angle is then taken
	// from differences. At the limit, 1e-3 rad, the dot products still give
	// it to 1e-10 of its value.
	gramLimit = 1e-6
)

// Uniform returns the L2 norm of x, its angle with the all-ones vector in
// degrees (NaN for the zero vector), and the share of its energy along that
// vector, cos^2 of the angle (0 for the zero vector).
func Uniform[T float32 | float64](x []T) (norm, angle, share float64) {
	mu := sum(x) / float64(len(x))
	c := 0.0
	for _, v := range x {
		d := float64(v) - mu
		c += d * d
	}
	return uniform(mu, c, float64(len(x)))
}

// uniform is Uniform from the mean mu and the centered energy |x - mu 1|^2.
func uniform(mu, centered, d float64) (norm, angle, share float64) {
	along := mu * math.Sqrt(d)
	energy := centered + along*along
	if energy == 0 {
		return 0, math.NaN(), 0
	}
	return math.Sqrt(energy), math.Atan2(math.Sqrt(centered), along) * degrees, along * along / energy
}

// Angle returns the angle between a and b in degrees, accurate for tiny
// angles and for nearly opposite vectors: with a and b scaled to the same
// length it is 2 atan2(|a - b|, |a + b|) (W. Kahan, "How Futile are Mindless
// Assessments of Roundoff", section 12). It is NaN when either vector is zero.
// The slices have the same length.
func Angle[T float32 | float64](a, b []T) float64 {
	na, nb := 0.0, 0.0
	for i, v := range a {
		x, y := float64(v), float64(b[i])
		na += x * x
		nb += y * y
	}
	if na == 0 || nb == 0 {
		return math.NaN()
	}
	ra, rb := 1/math.Sqrt(na), 1/math.Sqrt(nb)
	minus, plus := 0.0, 0.0
	for i, v := range a {
		x, y := float64(v)*ra, float64(b[i])*rb
		minus += (x - y) * (x - y)
		plus += (x + y) * (x + y)
	}
	return 2 * math.Atan2(math.Sqrt(minus), math.Sqrt(plus)) * degrees
}

// gramAngle is the angle in degrees of two vectors with the dot products aa,
// bb and ab. It is NaN when either is zero; ok is false when cancellation has
// eaten the digits and the vectors themselves are needed.
func gramAngle(aa, bb, ab float64) (angle float64, ok bool) {
	if aa == 0 || bb == 0 {
		return math.NaN(), true
	}
	area := aa*bb - ab*ab
	if area < gramLimit*aa*bb {
		return 0, false
	}
	return math.Atan2(math.Sqrt(area), ab) * degrees, true
}

// difference returns |a - b|/|b|; NaN when b is zero or either is not finite.
func difference(a, b []float32) float64 {
	miss, size := 0.0, 0.0
	for i, v := range b {
		y := float64(v)
		e := float64(a[i]) - y
		miss += e * e
		size += y * y
	}
	if miss-miss != 0 || size == 0 {
		return math.NaN()
	}
	return math.Sqrt(miss / size)
}

// NullAngleSD returns the standard deviation, in degrees, of the angle
// between 1 and a random direction of R^d: (180/pi)/sqrt(d).
func NullAngleSD(d int) float64 { return degrees / math.Sqrt(float64(d)) }

// NullSwapError returns the mean relative error of a naive swap for random
// directions of R^d and an even gain: the mean of |cos(theta)|, sqrt(2/(pi d)).
func NullSwapError(d int) float64 { return math.Sqrt(2 / (math.Pi * float64(d))) }

// sum adds in four lanes, which is what the latency of an addition allows.
func sum[T float32 | float64](x []T) float64 {
	var a, b, c, d float64
	for ; len(x) >= 4; x = x[4:] {
		a += float64(x[0])
		b += float64(x[1])
		c += float64(x[2])
		d += float64(x[3])
	}
	for _, v := range x {
		a += float64(v)
	}
	return (a + b) + (c + d)
}
