package norm

import (
	"errors"
	"math"

	"github.com/normswap/normswap/ops"
)

// prms is partial RMSNorm: the root mean square of the first P % of the elements
// stands for that of all.
var prms = &Kind{
	Name: "prms", Parameter: "P", Short: "RMSNorm whose root mean square is that of the first P % of the channels",
	Source: "Zhang and Sennrich arXiv 1910.07467",
	Check: func(p float64) error {
		if !(p > 0 && p <= 100) {
			return errors.New("want a share of the channels above 0 and up to 100 percent")
		}
		return nil
	},
	New: func(n *ops.Norm, f Form, _ Constants) Norm {
		if f.Parameter == 100 {
			return centering(n, false)
		}
		return &measured{n, 1, func(x []float32) float64 {
			_, s, _ := moments(x[:max(1, int(math.Ceil(f.Parameter/100*float64(len(x)))))])
			return s
		}}
	},
}

// scaleNorm is ScaleNorm: the vector's length and one scalar in place of the gain. On
// a trained norm the scalar is the mean of its gain, which is nearest to it by least
// squares.
var scaleNorm = &Kind{
	Name: "scale", Short: "ScaleNorm: the length of the vector, and one scalar, the mean of the gain",
	Source: "Nguyen and Salazar arXiv 1910.05895",
	New: func(n *ops.Norm, _ Form, _ Constants) Norm {
		changed := *n
		changed.Center = false
		if n.Gain == nil {
			return centering(n, false)
		}
		var sum float64
		for _, g := range n.Gain {
			sum += float64(g)
		}
		changed.Gain = make([]float32, len(n.Gain))
		for i := range changed.Gain {
			changed.Gain[i] = float32(sum / float64(len(n.Gain)))
		}
		return &changed
	},
}

var l1 = lengthKind("l1", "the mean absolute value in place of the root mean square, times a calibrated ratio", func(x []float32) (sum float64) {
	for _, v := range x {
		sum += math.Abs(float64(v)) / float64(len(x))
	}
	return sum
})

var maxNorm = lengthKind("max", "the largest absolute value in place of the root mean square, times a calibrated ratio", func(x []float32) (m float64) {
	for _, v := range x {
		m = max(m, math.Abs(float64(v)))
	}
	return m
})

// lengthKind is RMSNorm with another measure of length, which the calibrated mean of
// rms/length makes one of the same size.
func lengthKind(name, short string, length func(x []float32) float64) *Kind {
	return &Kind{
		Name: name, Short: short, Source: "Nguyen and Salazar arXiv 1910.05895; Hoffer et al. arXiv 1803.01814", Constants: []string{"ratio"},
		Calibrate: func(*ops.Norm, Form) Calibrator { return &lengthRatio{length: length} },
		New: func(n *ops.Norm, _ Form, c Constants) Norm {
			return &measured{n, c["ratio"], func(x []float32) float64 { l := length(x); return l * l }}
		},
	}
}

// measured divides by a measure of the vector: y = x / sqrt(ratio^2 square(x) +
// eps) * gain + bias.
type measured struct {
	*ops.Norm
	ratio  float64
	square func(x []float32) float64
}

func (f *measured) Apply(dst, x []float32) {
	affine(dst, x, f.Gain, f.Bias, 0, 1/math.Sqrt(f.ratio*f.ratio*f.square(x)+float64(f.Eps)))
}

type lengthRatio struct {
	length     func(x []float32) float64
	sum, count float64
}

func (r *lengthRatio) Add(x []float32, position int) {
	l := r.length(x)
	if position == 0 || l == 0 {
		return
	}
	_, s, _ := moments(x)
	r.sum, r.count = r.sum+math.Sqrt(s)/l, r.count+1
}

func (r *lengthRatio) Constants() (Constants, error) {
	if r.count == 0 {
		return nil, errTooShort
	}
	return Constants{"ratio": r.sum / r.count}, nil
}
