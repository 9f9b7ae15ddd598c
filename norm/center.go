package norm

import (
	"math"

	"github.com/normswap/normswap/ops"
)

// The forms that differ in the mean alone.

var native = &Kind{
	Name: "native", Short: "as trained",
	New: func(n *ops.Norm, _ Form, _ Constants) Norm { return n },
}

var rmsFolded = &Kind{
	Name: "rms-folded", Short: "RMSNorm, the removal of the mean folded into the weights that write the stream: the same function",
	Source: "Jiang et al. arXiv 2305.14858; Ashkboos et al. arXiv 2401.15024",
	New:    func(n *ops.Norm, _ Form, _ Constants) Norm { return centering(n, false) },
}

var rmsNaive = &Kind{
	Name: "rms-naive", Short: "RMSNorm, and nothing makes up for the mean",
	Source: "Zhang and Sennrich arXiv 1910.07467",
	New:    func(n *ops.Norm, _ Form, _ Constants) Norm { return centering(n, false) },
}

var layer = &Kind{
	Name: "layer", Short: "LayerNorm",
	Source: "Ba et al. arXiv 1607.06450",
	New:    func(n *ops.Norm, _ Form, _ Constants) Norm { return centering(n, true) },
}

// centering returns n with or without the removal of the mean.
func centering(n *ops.Norm, on bool) Norm {
	if n.Center == on {
		return n
	}
	changed := *n
	changed.Center = on
	return &changed
}

// rmsReaders is what the reader fold makes of RMSNorm. Fold gain and bias into
// each matrix W that reads a norm, and take from each row of W diag(gain) its mean:
// it then reads z - mean(z) in place of z. LayerNorm's z has no mean, so nothing
// changes for it. For RMSNorm's z = x / rms(x) what is read is
//
//	(x - mean(x)) / rms(x) = sin(theta) LN_std(x),
//
// the angle theta being that of x with the uniform vector: the shrink of the naive
// swap is left, its offset cos(theta) is gone. The form below computes that with the
// weights as they are stored.
var rmsReaders = &Kind{
	Name: "rms-readers", Short: "RMSNorm, the mean's removal folded into the matrices that read the norm: only a scale is left of the difference",
	Readers: true,
	New: func(n *ops.Norm, _ Form, _ Constants) Norm {
		if !n.Center {
			return n
		}
		return &readers{n}
	},
}

type readers struct{ *ops.Norm }

func (r *readers) Apply(dst, x []float32) {
	mean, square, _ := moments(x)
	affine(dst, x, r.Gain, r.Bias, mean, 1/math.Sqrt(square+float64(r.Eps)))
}
