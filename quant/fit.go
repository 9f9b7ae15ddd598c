package quant

// The encoders choose scales by least squares. Which level each value takes
// depends on the scale, so a few scales are tried: those that put the largest
// value near the outermost level, and then, twice, the scale that fits best the
// levels that the best one led to (Lloyd's algorithm). Sums are in float64,
// where the product of a value and a level is exact, and other products are
// rounded explicitly, which keeps them out of fused multiply-adds: the encoding
// is the same on every machine.

// By how many levels the tried scales put the outermost level beyond the
// largest value. With many levels for few values it pays to clip that one.
var (
	around = []float32{-0.9, -0.6, -0.3, 0, 0.3, 0.6, 0.9}
	within = []float32{-3, -2.5, -2, -1.5, -1, -0.5, 0}
)

// tiny is a magnitude whose scale would be lost in half precision.
const tiny = 0x1p-30

// level rounds v to the nearest of the levels 0 to top.
func level(v float32, top int) int {
	return min(max(int(float32(v)+0.5), 0), top)
}

// inverse returns 1/d, and 0 for d = 0, where every level means 0.
func inverse(d float32) float32 {
	if d == 0 {
		return 0
	}
	return 1 / d
}

// fitScale returns a d that makes the sum of (x - d*l)^2 small, with each l
// the nearest of the levels -half to half-1. It has the sign that gives the
// value of largest magnitude the level -half.
func fitScale(x []float32, half int, spread []float32) float32 {
	var e, a float32
	for _, v := range x {
		if b := max(v, -v); b > a {
			e, a = v, b
		}
	}
	if a < tiny {
		return 0
	}
	var d float32
	best := 0.0
	try := func(inv float32) {
		sxl, sll := 0.0, 0
		for _, v := range x {
			l := level(float32(v*inv)+float32(half), 2*half-1) - half
			sxl += float64(v) * float64(l)
			sll += l * l
		}
		// The error is sum(x^2) - sxl^2/sll.
		if sll > 0 && sxl*sxl > best*float64(sll) {
			best = sxl * sxl / float64(sll)
			d = float32(sxl / float64(sll))
		}
	}
	for _, s := range spread {
		try(-(float32(half) + s) / e)
	}
	for range 2 {
		try(1 / d)
	}
	return d
}

// fitLine returns d >= 0 and m that make the sum of (x - d*l - m)^2 small,
// with each l the nearest of the levels 0 to top. If nonpositive is set, m is
// not above 0.
func fitLine(x *[32]float32, top int, nonpositive bool) (d, m float32) {
	lo, hi := x[0], x[0]
	sx := 0.0
	for _, v := range x {
		lo, hi = min(lo, v), max(hi, v)
		sx += float64(v)
	}
	if nonpositive {
		lo = min(lo, 0)
	}
	if hi-lo < tiny {
		return 0, lo
	}
	const n = float64(len(x))
	best := 0.0
	try := func(inv, low float32) {
		sxl, sl, sll := 0.0, 0, 0
		for _, v := range x {
			l := level((v-low)*inv, top)
			sxl += float64(v) * float64(l)
			sl += l
			sll += l * l
		}
		var a, b float64
		if det := len(x)*sll - sl*sl; det > 0 { // two levels or more
			a = (float64(n*sxl) - float64(sx*float64(sl))) / float64(det)
			b = (sx - float64(a*float64(sl))) / n
		}
		if nonpositive && b >= 0 && sll > 0 {
			a, b = sxl/float64(sll), 0
		}
		// The error is sum(x^2) - gain.
		if gain := float64(a*sxl) + float64(b*sx); gain > best {
			best, d, m = gain, float32(a), float32(b)
		}
	}
	for _, s := range around {
		try((float32(top)+s)/(hi-lo), lo)
	}
	for range 2 {
		try(inverse(d), m)
	}
	return d, m
}
