package geometry

import (
	"fmt"
	"math"
)

// SwapMode is a run of the whole model with its norms exchanged, the first of
// a list being the native one.
type SwapMode struct {
	Mode       string  `json:"mode"`   // native, rms-naive, rms-folded, layer
	Tokens     int     `json:"tokens"` // predicted ones, which the means are over
	KL         float64 `json:"kl"`     // mean of KL(native || mode), nats per token
	Top1       float64 `json:"top1_agreement"`
	Perplexity float64 `json:"perplexity"`
}

// mergeSwaps joins runs over parts of a text: means are weighted by tokens,
// perplexities geometrically.
func mergeSwaps(a, b []SwapMode) ([]SwapMode, error) {
	if len(a) != len(b) {
		return nil, fmt.Errorf("geometry: merge: %d and %d modes of the norms", len(a), len(b))
	}
	var out []SwapMode
	for i, x := range a {
		y := b[i]
		if x.Mode != y.Mode {
			return nil, fmt.Errorf("geometry: merge: mode %q and %q", x.Mode, y.Mode)
		}
		n := float64(x.Tokens + y.Tokens)
		if n == 0 {
			out = append(out, x)
			continue
		}
		u, v := float64(x.Tokens)/n, float64(y.Tokens)/n
		// A part without tokens has no perplexity worth the name.
		logs := 0.0
		for _, part := range []struct{ weight, perplexity float64 }{{u, x.Perplexity}, {v, y.Perplexity}} {
			if part.weight > 0 {
				logs += part.weight * math.Log(part.perplexity)
			}
		}
		out = append(out, SwapMode{
			Mode: x.Mode, Tokens: x.Tokens + y.Tokens,
			KL: u*x.KL + v*y.KL, Top1: u*x.Top1 + v*y.Top1, Perplexity: math.Exp(logs),
		})
	}
	return out, nil
}
