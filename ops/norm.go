package ops

import (
	"github.com/normswap/normswap/ops/asm"
)

// A Norm is one normalisation site: LayerNorm when Center is set, RMSNorm
// otherwise. The two differ by that bit alone: LayerNorm subtracts the mean
// first.
//
//	LayerNorm: y = gain * (x - mean(x)) / sqrt(var(x) + eps) + bias
//	RMSNorm:   y = gain * x / sqrt(mean(x*x) + eps) + bias
//
// var is the biased variance, the mean of (x - mean(x))^2. A nil Gain is all
// ones, a nil Bias all zeros; otherwise they have the row's length. The zero
// Norm is RMSNorm. Calls only read a Norm: goroutines may share one.
//
// A constant row has no direction: with Eps 0 its LayerNorm is NaN, as is the
// RMSNorm of zeros. A NaN spreads over its row.
type Norm struct {
	Gain, Bias []float32
	Eps        float32
	Center     bool
}

// LayerNorm writes the LayerNorm of the row x to dst: [Norm] has the formula,
// [Norm.Apply] the accuracy and the rules for dst. A nil gain is all ones, a nil
// bias all zeros; otherwise they are as long as x.
func LayerNorm(dst, x, gain, bias []float32, eps float32) {
	n := Norm{Gain: gain, Bias: bias, Eps: eps, Center: true}
	n.Apply(dst, x)
}

// RMSNorm writes the RMSNorm of the row x to dst: [Norm] has the formula,
// [Norm.Apply] the accuracy and the rules for dst. A nil gain is all ones, a nil
// bias all zeros; otherwise they are as long as x.
//
// LayerNorm of x is RMSNorm of x without its [Mean].
func RMSNorm(dst, x, gain, bias []float32, eps float32) {
	n := Norm{Gain: gain, Bias: bias, Eps: eps}
	n.Apply(dst, x)
}

// Apply normalises the row x into dst, which is as long as x, and either is x
// or does not overlap it. The result is that of the float64 definition to 4 ulp
// of its largest element (before gain and bias), whatever the mean, up to
// elements of half the largest float32. An empty row is no mistake.
func (n *Norm) Apply(dst, x []float32) {
	n.check(len(x))
	checkLen("dst", len(dst), len(x))
	n.apply(dst, x, len(x))
}

// check panics unless gain and bias fit rows of the given width.
func (n *Norm) check(width int) {
	if n.Gain != nil {
		checkLen("norm gain", len(n.Gain), width)
	}
	if n.Bias != nil {
		checkLen("norm bias", len(n.Bias), width)
	}
}

// apply normalises rows.
func (n *Norm) apply(dst, x []float32, width int) {
	if n.Center {
		asm.LayerNorm(dst, x, n.Gain, n.Bias, width, float64(n.Eps))
	} else {
		asm.RMSNorm(dst, x, n.Gain, n.Bias, width, float64(n.Eps))
	}
}

// Norm normalises each row of x into dst, which is as long as x, and either is x
// or does not overlap it. Rows of the given width lie one after the other. They
// are spread over the pool, if there are more than 16,384 elements: less is
// done sooner than shared. With n.Center it is LayerNorm, else RMSNorm.
func (p *Pool) Norm(dst, x []float32, width int, n *Norm) {
	checkRows("x", len(x), width)
	checkLen("dst", len(dst), len(x))
	n.check(width)
	if len(x) <= rowGrain && !p.observed.Load() {
		n.apply(dst, x, width) // a lock would cost as much as the row
		return
	}
	p.rows.run(p, rowWork{op: normRows, dst: dst, x: x, width: width, norm: n}, len(x)/width, width)
}

// Add adds y to x, rows of the given width, spread over the pool.
func (p *Pool) Add(x, y []float32, width int) {
	checkRows("x", len(x), width)
	checkLen("y", len(y), len(x))
	p.rows.run(p, rowWork{op: addRows, x: x, y: y, width: width}, len(x)/width, width)
}

func normRows(w *rowWork, lo, hi int) {
	lo, hi = lo*w.width, hi*w.width
	w.norm.apply(w.dst[lo:hi], w.x[lo:hi], w.width)
}

func addRows(w *rowWork, lo, hi int) {
	lo, hi = lo*w.width, hi*w.width
	asm.ScaleAdd(w.x[lo:hi], w.y[lo:hi], 1, 1)
}

// SumSquares returns the sum of the squares of x, 0 if x is empty, to the
// accuracy of float32.
func SumSquares(x []float32) float64 { return asm.Squares(x) }

// Mean returns the mean of x, 0 if x is empty, to the accuracy of float64.
func Mean(x []float32) float64 {
	var sum float64
	for _, v := range x {
		sum += float64(v)
	}
	return sum / float64(max(1, len(x)))
}
