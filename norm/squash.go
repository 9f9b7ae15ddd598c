package norm

import (
	"errors"
	"math"

	"github.com/normswap/normswap/ops"
)

// dyt and derf replace the norm by a function of each element alone. alpha is the one
// whose outputs are nearest to the native standardized vectors, by least squares.
var (
	dyt  = squashKind("dyt", "tanh(alpha x)", "Zhu et al. arXiv 2503.10622", math.Tanh)
	derf = squashKind("derf", "erf(alpha x)", "arXiv 2512.10938", math.Erf)
)

func squashKind(name, formula, source string, f func(float64) float64) *Kind {
	return &Kind{
		Name: name, Parameter: "alpha", Optional: true, Short: formula + " of each element, with alpha fitted to the native norm", Source: source,
		Check: func(a float64) error {
			if !(a > 0) {
				return errors.New("want an alpha above 0")
			}
			return nil
		},
		Constants: []string{"alpha"},
		Calibrate: func(n *ops.Norm, _ Form) Calibrator {
			return &fit{native: ops.Norm{Eps: n.Eps, Center: n.Center}, f: f}
		},
		New: func(n *ops.Norm, form Form, c Constants) Norm {
			alpha := form.Parameter
			if math.IsNaN(alpha) {
				alpha = c["alpha"]
			}
			return &squash{n, alpha, f}
		},
	}
}

// squash is y = f(alpha x) * gain + bias.
type squash struct {
	*ops.Norm
	alpha float64
	f     func(float64) float64
}

func (s *squash) Apply(dst, x []float32) {
	for i, v := range x {
		y := s.f(s.alpha * float64(v))
		if s.Gain != nil {
			y *= float64(s.Gain[i])
		}
		if s.Bias != nil {
			y += float64(s.Bias[i])
		}
		dst[i] = float32(y)
	}
}

// fit finds alpha on a sample of elements and what the native norm makes of them.
type fit struct {
	native   ops.Norm
	f        func(float64) float64
	seen     int
	xs, ys   []float32
	standard []float32
}

// fitElements bounds the sample: elements of all vectors, an equal number each.
const fitElements = 1 << 14

func (f *fit) Add(x []float32, position int) {
	if position == 0 || len(f.xs) >= fitElements {
		return
	}
	f.standard = append(f.standard[:0], x...)
	f.native.Apply(f.standard, x)
	const each = 64 // elements of a vector
	step := max(1, len(x)/each)
	for i := f.seen % step; i < len(x); i += step {
		f.xs, f.ys = append(f.xs, x[i]), append(f.ys, f.standard[i])
	}
	f.seen++
}

// Constants searches the logarithm of alpha: on a grid, and then by golden sections
// around the best point of it.
func (f *fit) Constants() (Constants, error) {
	var square float64
	for _, x := range f.xs {
		square += float64(x) * float64(x) / float64(len(f.xs))
	}
	if square == 0 { // also of no elements
		return nil, errTooShort
	}
	wrong := func(log float64) (sum float64) {
		a := math.Exp(log)
		for i, x := range f.xs {
			d := f.f(a*float64(x)) - float64(f.ys[i])
			sum += d * d
		}
		return sum
	}
	center, best := -math.Log(square)/2, 0.0 // alpha = 1 / rms
	for i := -12; i <= 12; i++ {
		if at := float64(i) / 2; wrong(center+at) < wrong(center+best) {
			best = at
		}
	}
	lo, hi := center+best-0.5, center+best+0.5
	const golden = 0.6180339887498949
	for range 40 {
		a, b := hi-golden*(hi-lo), lo+golden*(hi-lo)
		if wrong(a) < wrong(b) {
			hi = b
		} else {
			lo = a
		}
	}
	return Constants{"alpha": math.Exp((lo + hi) / 2)}, nil
}
