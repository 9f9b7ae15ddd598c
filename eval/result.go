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
	KLMax    float64   `json:"kl_max"`          // of the finite ones
	SameTop  int64     `json:"same_top"`        // how often the most likely token is the same
	DeltaP2  moments   `json:"delta_p2"`        // squared change of the probability of the text's token
	MaxLogit float64   `json:"max_dlogit"`      // largest |difference| of a logit, of the finite ones
	Apart    int64     `json:"apart,omitempty"` // how often there is an infinite one: one model alone has -Inf

	// Means of chunks: the independent draws that standard errors of what is compared
	// are taken from, for the tokens of a chunk are not independent.
	Clusters clusters `json:"clusters"`
	open     sums     // of the chunk in progress

	// On every 16th chunk, at the norms that run as another kind than they
	// were trained as.
	Swaps []swap `json:"swaps,omitempty"`
}

// clusters are the means of chunks.
type clusters struct {
	KL   moments `json:"kl"`
	DNLL moments `json:"dnll"`
	Same moments `json:"same_top"`
}

// sums are those over the tokens of one chunk.
type sums struct{ n, kl, dnll, same float64 }

func (c *clusters) add(s sums) {
	if s.n > 0 {
		c.KL.Add(s.kl / s.n)
		c.DNLL.Add(s.dnll / s.n)
		c.Same.Add(s.same / s.n)
	}
}

func (c *clusters) merge(o clusters) {
	c.KL.Merge(o.KL)
	c.DNLL.Merge(o.DNLL)
	c.Same.Merge(o.Same)
}

// perplexity returns exp of the mean negative log likelihood, and its
// standard error. It is infinite if a token of the text has the probability 0.
func (r *result) perplexity() (ppl, se float64) {
	ppl = math.Exp(r.NLL.Average())
	return ppl, ppl * r.NLL.StandardError()
}

// ratio returns the perplexity as a multiple of the first model's, and its
// standard error, which is that of the paired change of chunks: far smaller than that
// of either perplexity.
func (r *result) ratio() (ratio, se float64) {
	ratio = math.Exp(r.DNLL.Average())
	return ratio, ratio * r.Clusters.DNLL.StandardError()
}

// speed returns the tokens evaluated a second.
func (r *result) speed() float64 { return float64(r.Tokens) / r.Seconds }

// topAgreement returns the share of tokens whose most likely successor is the
// first model's.
func (r *result) topAgreement() float64 { return float64(r.SameTop) / float64(r.KL.Count()) }

// klMax returns the largest divergence.
func (r *result) klMax() float64 {
	if r.KL.Above > 0 {
		return math.Inf(1)
	}
	return r.KLMax
}

// maxLogit returns the largest |difference| of a logit.
func (r *result) maxLogit() float64 {
	if r.Apart > 0 {
		return math.Inf(1)
	}
	return r.MaxLogit
}

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
	r.Clusters.merge(o.Clusters)
	r.Tokens, r.Seconds = r.Tokens+o.Tokens, r.Seconds+o.Seconds
	r.SameTop += o.SameTop
	r.Apart += o.Apart
	r.KLMax, r.MaxLogit = max(r.KLMax, o.KLMax), max(r.MaxLogit, o.MaxLogit)
	return nil
}
