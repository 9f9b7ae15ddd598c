package eval

import (
	"fmt"
	"math"
)

// A Result is what was measured of one model over a text, in a form that can
// be merged with that of another part of it.
type Result struct {
	Norm string `json:"norm"` // what the model was called

	NLL     Moments `json:"nll"` // negative log likelihood of the text's tokens, nats
	Tokens  int64   `json:"tokens"`
	Seconds float64 `json:"seconds"` // that Tokens took to evaluate

	// Against the first model of the run, token by token.
	DNLL     Moments   `json:"dnll"` // change of the negative log likelihood
	KL       Moments   `json:"kl"`   // KL(first || this), nats
	KLBins   Histogram `json:"kl_bins"`
	KLMax    float64   `json:"kl_max"`
	SameTop  int64     `json:"same_top"`   // how often the most likely token is the same
	DeltaP2  Moments   `json:"delta_p2"`   // squared change of the probability of the text's token
	MaxLogit float64   `json:"max_dlogit"` // largest |difference| of a logit

	// On every 16th chunk, at the norms that run as another kind than they
	// were trained as.
	Swaps []Swap `json:"swaps,omitempty"`
}

// Perplexity returns exp of the mean negative log likelihood, and its
// standard error.
func (r *Result) Perplexity() (ppl, se float64) {
	if r.NLL.N == 0 {
		return math.NaN(), math.NaN()
	}
	ppl = math.Exp(r.NLL.Mean)
	return ppl, ppl * r.NLL.StandardError()
}

// Ratio returns the perplexity as a multiple of the first model's, and its
// standard error, which is that of the paired change: far smaller than that
// of either perplexity.
func (r *Result) Ratio() (ratio, se float64) {
	if r.DNLL.N == 0 {
		return math.NaN(), math.NaN()
	}
	ratio = math.Exp(r.DNLL.Mean)
	return ratio, ratio * r.DNLL.StandardError()
}

// Speed returns the tokens evaluated a second.
func (r *Result) Speed() float64 { return float64(r.Tokens) / r.Seconds }

// TopAgreement returns the share of tokens whose most likely successor is the
// first model's.
func (r *Result) TopAgreement() float64 { return float64(r.SameTop) / float64(r.KL.N) }

// RMSDeltaP returns the root mean square change of the probability of the
// text's tokens.
func (r *Result) RMSDeltaP() float64 { return math.Sqrt(r.DeltaP2.Mean) }

// Merge takes in the result of another part of the text.
func (r *Result) Merge(o *Result) (err error) {
	if r.Norm != o.Norm {
		return fmt.Errorf("eval: cannot merge figures of %s with those of %s", r.Norm, o.Norm)
	}
	if r.Swaps, err = mergeSwaps(r.Swaps, o.Swaps); err != nil {
		return err
	}
	r.NLL.Merge(o.NLL)
	r.DNLL.Merge(o.DNLL)
	r.KL.Merge(o.KL)
	r.KLBins.Merge(o.KLBins)
	r.DeltaP2.Merge(o.DeltaP2)
	r.Tokens, r.Seconds = r.Tokens+o.Tokens, r.Seconds+o.Seconds
	r.SameTop += o.SameTop
	r.KLMax, r.MaxLogit = max(r.KLMax, o.KLMax), max(r.MaxLogit, o.MaxLogit)
	return nil
}
