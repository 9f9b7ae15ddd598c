package eval

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// The kinds of a Report.
const (
	Perplexity = "perplexity" // of one model
	Compare    = "compare"    // of several, against the first
)

// A Report is what a run, or a part of one, has found. In JSON it can be
// merged with the other parts.
type Report struct {
	Kind    string  `json:"kind"`
	Model   string  `json:"model"`
	Arch    string  `json:"architecture"`
	Weights int64   `json:"parameters"`
	Text    string  `json:"text"`
	IDs     string  `json:"text_sha256"` // of the token ids, little-endian int32
	Context int     `json:"context"`     // tokens of a chunk
	Chunks  int     `json:"chunks"`      // of all shards
	Shards  []int   `json:"shards"`      // that are in here
	Of      int     `json:"of"`          // so many
	Norms   []Entry `json:"norms"`
	Verdict string  `json:"verdict,omitempty"`
}

// An Entry is one model of a report: the figures for people, and what they
// were computed from, which is what is merged.
type Entry struct {
	Figures
	State Result `json:"state"`
}

// Figures are what a result comes to.
type Figures struct {
	Norm          string `json:"norm"`
	Tokens        int64  `json:"tokens_scored"`
	Perplexity    Number `json:"perplexity"`
	PerplexitySE  Number `json:"perplexity_se"`
	Ratio         Number `json:"perplexity_ratio"` // to the first model's, as all below
	RatioSE       Number `json:"perplexity_ratio_se"`
	KLMean        Number `json:"kl_mean"` // nats
	KLMedian      Number `json:"kl_median"`
	KLP99         Number `json:"kl_p99"`
	KLMax         Number `json:"kl_max"`
	TopAgreement  Number `json:"top1_agreement"`
	RMSDeltaP     Number `json:"rms_delta_p"`
	MaxLogit      Number `json:"max_delta_logit"`
	Speed         Number `json:"tokens_per_second"`
	SwapPredicted Number `json:"swap_error_predicted"` // by identity 1; null: no norm is swapped
	SwapMeasured  Number `json:"swap_error_measured"`
}

// A Number is null in JSON where there is none.
type Number float64

// MarshalJSON writes null for NaN and the infinities.
func (x Number) MarshalJSON() ([]byte, error) {
	if v := float64(x); math.IsNaN(v) || math.IsInf(v, 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(x))
}

// Figures computes what r comes to.
func (r *Result) Figures() Figures {
	f := Figures{Norm: r.Norm, Tokens: r.NLL.N, Speed: Number(r.Speed())}
	pair := func(a, b *Number, x, y float64) { *a, *b = Number(x), Number(y) }
	ppl, se := r.Perplexity()
	pair(&f.Perplexity, &f.PerplexitySE, ppl, se)
	ratio, se := r.Ratio()
	pair(&f.Ratio, &f.RatioSE, ratio, se)
	predicted, measured := r.SwapError()
	pair(&f.SwapPredicted, &f.SwapMeasured, predicted, measured)
	for _, v := range []struct {
		to *Number
		x  float64
	}{
		{&f.KLMean, r.KL.Mean}, {&f.KLMedian, r.KLBins.Quantile(0.5)}, {&f.KLP99, r.KLBins.Quantile(0.99)}, {&f.KLMax, r.KLMax},
		{&f.TopAgreement, r.TopAgreement()}, {&f.RMSDeltaP, r.RMSDeltaP()}, {&f.MaxLogit, r.MaxLogit},
	} {
		*v.to = Number(v.x)
		if r.KL.N == 0 {
			*v.to = Number(math.NaN())
		}
	}
	return f
}

// Finish computes the figures from the states.
func (r *Report) Finish() {
	for i := range r.Norms {
		r.Norms[i].Figures = r.Norms[i].State.Figures()
	}
	r.Verdict = ""
	if r.Kind == Compare {
		r.Verdict = strings.Join(r.Sentences(), " ")
	}
}

// Merge takes in another part of the same run. The order in which parts are
// merged does not matter, but for rounding.
func (r *Report) Merge(o *Report) error {
	for _, same := range []struct {
		what string
		a, b any
	}{
		{"kind", r.Kind, o.Kind}, {"model", r.Model, o.Model}, {"architecture", r.Arch, o.Arch}, {"number of parameters", r.Weights, o.Weights},
		{"text", r.IDs, o.IDs}, {"context", r.Context, o.Context}, {"number of chunks", r.Chunks, o.Chunks}, {"number of shards", r.Of, o.Of},
		{"number of norm modes", len(r.Norms), len(o.Norms)},
	} {
		if same.a != same.b {
			return fmt.Errorf("eval: these are not parts of one run: the %s differs, %v and %v", same.what, same.a, same.b)
		}
	}
	for _, s := range o.Shards {
		if slices.Contains(r.Shards, s) {
			return fmt.Errorf("eval: shard %d of %d is there twice", s, r.Of)
		}
	}
	for i := range r.Norms {
		if err := r.Norms[i].State.Merge(&o.Norms[i].State); err != nil {
			return err
		}
	}
	r.Shards = append(r.Shards, o.Shards...)
	slices.Sort(r.Shards)
	r.Finish()
	return nil
}

// Missing returns the shards of the run that are not in here.
func (r *Report) Missing() []int {
	var missing []int
	for s := range r.Of {
		if !slices.Contains(r.Shards, s) {
			missing = append(missing, s)
		}
	}
	return missing
}

// Parse reads a report from JSON.
func Parse(b []byte) (*Report, error) {
	r := new(Report)
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("eval: %w", err)
	}
	switch {
	case r.Kind != Perplexity && r.Kind != Compare:
		return nil, fmt.Errorf("eval: a report of kind %q; want %s or %s", r.Kind, Perplexity, Compare)
	case r.Of < 1 || len(r.Shards) == 0 || len(r.Norms) == 0:
		return nil, errors.New("eval: the report has no shards or no norms")
	}
	r.Finish()
	return r, nil
}

// exactKL is a mean divergence that rounding alone explains when activations
// are float32.
const exactKL = 1e-8

// Sentences say in words what each swap costs.
func (r *Report) Sentences() []string {
	var all []string
	for i := range r.Norms[1:] {
		all = append(all, r.Norms[1+i].sentence(&r.Norms[0]))
	}
	return all
}

func (e *Entry) sentence(first *Entry) string {
	f := &e.Figures
	if e.State.KL.N == 0 {
		return fmt.Sprintf("%s: nothing was scored.", f.Norm)
	}
	cost := f.cost(first)
	switch {
	case e.State.KLMax == 0 && e.State.MaxLogit == 0:
		return fmt.Sprintf("%s gives the same logits to the bit.", f.Norm)
	case f.Norm == "rms-folded" && f.KLMean <= exactKL:
		return fmt.Sprintf("The fold is exact to a mean KL of %.1g nats, which is rounding.", f.KLMean)
	case f.Norm == "rms-folded":
		return fmt.Sprintf("The fold moves the predictions by a mean KL of %.1g nats, from rounding activations to 8 bits (--act f32 keeps them): %s.", f.KLMean, cost)
	case f.Norm == "rms-naive":
		return fmt.Sprintf("Leaving the mean out costs a mean KL of %.2g nats and moves %s of the top-1 predictions: %s.", f.KLMean, percent(1-f.TopAgreement), cost)
	case f.Norm == "layer":
		return fmt.Sprintf("Adding the removal of the mean costs a mean KL of %.2g nats and moves %s of the top-1 predictions: %s.", f.KLMean, percent(1-f.TopAgreement), cost)
	}
	return fmt.Sprintf("%s: a mean KL of %.2g nats from %s, %s of the top-1 predictions moved: %s.", f.Norm, f.KLMean, first.Norm, percent(1-f.TopAgreement), cost)
}

// cost says what becomes of the perplexity. A change within two standard
// errors of the paired change is none that was measured.
func (f *Figures) cost(first *Entry) string {
	change := float64(f.Ratio) - 1
	from := fmt.Sprintf("perplexity %.4f to %.4f", first.Perplexity, f.Perplexity)
	if math.Abs(change) <= 2*float64(f.RatioSE) || math.IsNaN(float64(f.RatioSE)) {
		return from + ", no measurable change"
	}
	return fmt.Sprintf("%s, %+.2g %% ± %.1g", from, 100*change, 100*float64(f.RatioSE))
}

func percent(x Number) string {
	if x == 0 {
		return "none"
	}
	return fmt.Sprintf("%.2g %%", 100*float64(x))
}
