package norm

import (
	"math"

	"github.com/normswap/normswap/ops"
)

// calibrated is the naive swap with its mean error taken away. By the paper's first
// identity RMSNorm gives sin(theta) LN_std(x) + cos(theta) 1; dividing the gain by
// E[sin(theta)], and taking gain E[cos(theta)] from the bias, leaves what varies from
// token to token. A file can carry that wherever the norm has a bias.
var calibrated = &Kind{
	Name: "calibrated", Short: "RMSNorm with the mean of its error over tokens taken out of gain and bias",
	Constants: []string{"cos", "sin"},
	Calibrate: func(n *ops.Norm, _ Form) Calibrator { return &angles{center: n.Center} },
	New: func(n *ops.Norm, _ Form, c Constants) Norm {
		cos, sin := c["cos"], c["sin"]
		if !n.Center || cos == 0 && sin == 1 {
			return centering(n, false)
		}
		return &corrected{n, cos, sin}
	},
}

// corrected is y = (x/rms(x) - cos) / sin * gain + bias.
type corrected struct {
	*ops.Norm
	cos, sin float64
}

func (f *corrected) Apply(dst, x []float32) {
	_, square, _ := moments(x)
	scale := 1 / math.Sqrt(square+float64(f.Eps))
	affine(dst, x, f.Gain, f.Bias, f.cos/scale, scale/f.sin)
}

// angles find the mean cosine and sine of the angle with the uniform vector.
type angles struct {
	center          bool
	cos, sin, count float64
}

func (a *angles) Add(x []float32, _ int) {
	mean, square, _ := moments(x)
	if square == 0 {
		return
	}
	cos := mean / math.Sqrt(square)
	a.cos, a.sin, a.count = a.cos+cos, a.sin+math.Sqrt(max(0, 1-cos*cos)), a.count+1
}

func (a *angles) Constants() (Constants, error) {
	if a.count == 0 {
		return nil, errTooShort
	}
	if !a.center { // an RMSNorm has no such error
		return Constants{"cos": 0, "sin": 1}, nil
	}
	return Constants{"cos": a.cos / a.count, "sin": a.sin / a.count}, nil
}
