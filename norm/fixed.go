package norm

import (
	"errors"
	"math"

	"github.com/normswap/normswap/ops"
)

const fixedSource = "Baroni et al. arXiv 2507.02559; Heimersheim arXiv 2409.13710"

var fixed = &Kind{
	Name: "fixed", Short: "a constant scale, the mean sigma; the first token has its own",
	Source: fixedSource, Constants: []string{"sigma", "sigma_first"},
	Calibrate: func(*ops.Norm, Form) Calibrator {
		return &meanSize{name: "sigma", size: func(x []float32) float64 { _, _, v := moments(x); return math.Sqrt(v) }}
	},
	New: func(n *ops.Norm, _ Form, c Constants) Norm { return &constant{n, true, c["sigma"], c["sigma_first"]} },
}

var fixedRMS = &Kind{
	Name: "fixed-rms", Short: "the same without the removal of the mean: the mean rms",
	Source: fixedSource, Constants: []string{"rms", "rms_first"},
	Calibrate: func(*ops.Norm, Form) Calibrator {
		return &meanSize{name: "rms", size: func(x []float32) float64 { _, s, _ := moments(x); return math.Sqrt(s) }}
	},
	New: func(n *ops.Norm, _ Form, c Constants) Norm { return &constant{n, false, c["rms"], c["rms_first"]} },
}

var fixedMean = &Kind{
	Name: "fixed-mean", Short: "RMSNorm of x less a constant, the mean of means",
	Constants: []string{"mean", "mean_first"},
	Calibrate: func(*ops.Norm, Form) Calibrator {
		return &meanSize{name: "mean", size: func(x []float32) float64 { m, _, _ := moments(x); return m }}
	},
	New: func(n *ops.Norm, _ Form, c Constants) Norm { return &shifted{n, c["mean"], c["mean_first"]} },
}

// shifted is y = (x - c) / rms(x - c) * gain + bias.
type shifted struct {
	*ops.Norm
	mean, first float64 // of the token at position 0
}

func (f *shifted) Apply(dst, x []float32) { f.ApplyAt(dst, x, 1) }

func (f *shifted) ApplyAt(dst, x []float32, position int) {
	c := f.mean
	if position == 0 {
		c = f.first
	}
	mean, _, variance := moments(x)
	affine(dst, x, f.Gain, f.Bias, c, 1/math.Sqrt(variance+(mean-c)*(mean-c)+float64(f.Eps)))
}

var none = &Kind{
	Name: "none", Short: "gain and bias alone",
	New: func(n *ops.Norm, _ Form, _ Constants) Norm { return &constant{n, false, 1, 1} },
}

// constant divides by a constant: y = (x - c) / sqrt(size^2 + eps) * gain + bias,
// where c is the mean of x or 0.
type constant struct {
	*ops.Norm
	center      bool
	size, first float64 // of the token at position 0
}

func (f *constant) Apply(dst, x []float32) { f.ApplyAt(dst, x, 1) }

func (f *constant) ApplyAt(dst, x []float32, position int) {
	size, c := f.size, 0.0
	if position == 0 {
		size = f.first
	}
	if f.center {
		c, _, _ = moments(x)
	}
	scale := 1 / math.Sqrt(size*size+float64(f.Eps))
	if size == 1 && !f.center { // none
		scale = 1
	}
	affine(dst, x, f.Gain, f.Bias, c, scale)
}

// meanSize finds the mean size of vectors, that of the first token apart.
type meanSize struct {
	name              string
	size              func(x []float32) float64
	sum, first        float64
	count, countFirst float64
}

func (m *meanSize) Add(x []float32, position int) {
	s := m.size(x)
	if position == 0 {
		m.first, m.countFirst = m.first+s, m.countFirst+1
		return
	}
	m.sum, m.count = m.sum+s, m.count+1
}

var errTooShort = errors.New("norm: the text for calibration has no token behind the first")

func (m *meanSize) Constants() (Constants, error) {
	if m.count == 0 {
		return nil, errTooShort
	}
	mean := m.sum / m.count
	first := mean
	if m.countFirst > 0 {
		first = m.first / m.countFirst
	}
	return Constants{m.name: mean, m.name + "_first": first}, nil
}
