package eval

import (
	"fmt"
	"math"
)

// A result is what was measured of one model over a text, in a form that can
// be merged with that of another part of it.
type result struct {
	Norm string `json:"norm"` // what the model was called

	NLL     moments `json:"nll"` // negative log likelihood of the text's tokens, nats
	Tokens  int64   `json:"tokens"`
	Seconds float64 `json:"seconds"` // that Tokens took to evaluate

	// Against the first model of the run, token by token.
	DNLL     moments   `json:"dnll"` // change of the negative log likelihood
	KL       moments   `json:"kl"`   // KL(first || this), nats
	KLBins   histogram `json:"kl_bins"`
	KLMax    float64   `json:"kl_max"`
	SameTop  int64     `json:"same_top"`   // how often the most likely token is the same
	DeltaP2  moments   `json:"delta_p2"`   // squared change of the probability of the text's token
	MaxLogit float64   `json:"max_dlogit"` // largest |difference| of a logit

	// On every 16th chunk, at the norms that run as another kind than they
	// were trained as.
	Swaps []swap `json:"swaps,omitempty"`
}

// perplexity returns exp of the mean negative log likelihood, and its
// standard error.
func (r *result) perplexity() (ppl, se float64) {
	if r.NLL.N == 0 {
		return math.NaN(), math.NaN()
	}
	ppl = math.Exp(r.NLL.Mean)
	return ppl, ppl * r.NLL.StandardError()
}

// ratio returns the perplexity as a multiple of the first model's, and its
// standard error, which is that of the paired change: far smaller than that
// of either perplexity.
func (r *result) ratio() (ratio, se float64) {
	if r.DNLL.N == 0 {
		return math.NaN(), math.NaN()
	}
	ratio = math.Exp(r.DNLL.Mean)
	return ratio, ratio * r.DNLL.StandardError()
}

// speed returns the tokens evaluated a second.
func (r *result) speed() float64 { return float64(r.Tokens) / r.Seconds }

// topAgreement returns the share of tokens whose most likely successor is the
// first model's.
func (r *result) topAgreement() float64 { return float64(r.SameTop) / float64(r.KL.N) }

// rmsDeltaP returns the root mean square change of the probability of the
// text's tokens.
func (r *result) rmsDeltaP() float64 { return math.Sqrt(r.DeltaP2.Mean) }

// merge takes in the result of another part of the text.
func (r *result) merge(o *result) (err error) {
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
