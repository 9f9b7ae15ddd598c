package eval

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/normswap/normswap/internal/plain"
)

// Rounding is the name of the first model of a run with activations of float32 in place of
// 8 bits, with the same norms: what it differs by is what rounding alone does.
const Rounding = "the same with float32 activations"

// The kinds of a Report.
const (
	Perplexity = "perplexity" // of one model
	Compare    = "compare"    // of several, against the first
)

// A Report is what a run, or a part of one, has found. Its JSON has the figures;
// MarshalPart adds the statistics by which parts are merged.
type Report struct {
	Kind        string  `json:"kind"`
	Model       string  `json:"model"`
	Arch        string  `json:"architecture"`
	Version     string  `json:"version"`               // of the program
	ModelSum    string  `json:"model_sha256"`          // of the first model's file
	Activations string  `json:"activations"`           // f32; q8: 8 bits against quantized weights; or bf16: BF16 against such
	KV          string  `json:"kv"`                    // type of the cache
	Tokenizer   string  `json:"tokenizer,omitempty"`   // whose ids a text gets
	NormLayers  string  `json:"norm_layers,omitempty"` // that are swapped; empty: all
	Weights     int64   `json:"parameters"`
	Text        string  `json:"text"`
	IDs         string  `json:"text_sha256"`      // of the token ids, little-endian int32; of the text where there are blocks
	Blocks      int     `json:"blocks,omitempty"` // that a long text was read in
	Texts       []Read  `json:"texts,omitempty"`  // of pooled runs, instead of IDs
	Context     int     `json:"context"`          // tokens of a chunk
	Chunks      int     `json:"chunks"`           // of all shards; where there are blocks, of those that are in here
	Shards      []int   `json:"shards"`           // that are in here
	Of          int     `json:"of"`               // number of shards of the run
	Progress    *Place  `json:"progress,omitempty"`
	Norms       []Entry `json:"norms"`
	Verdict     string  `json:"verdict,omitempty"`
}

// A Read is a text of pooled runs.
type Read struct {
	Name   string `json:"name"`
	IDs    string `json:"sha256"`
	Blocks int    `json:"blocks,omitempty"`
}

// A Place is how far a run has come that is not at its end: the fields are those of
// corpus.Place.
type Place struct {
	Block  int    `json:"block"`
	Window int    `json:"window"`
	Sum    string `json:"sha256"`
}

// An Entry is one model of a report: its figures, and the statistics that
// they were computed from.
type Entry struct {
	Figures
	state *result // nil: these are figures alone
}

// entryJSON is an Entry of a part in JSON.
type entryJSON struct {
	Figures
	State *result `json:"state"`
}

// MarshalJSON writes the figures.
func (e Entry) MarshalJSON() ([]byte, error) { return json.Marshal(e.Figures) }

// UnmarshalJSON reads an entry of a report, or of a part.
func (e *Entry) UnmarshalJSON(b []byte) error {
	var j entryJSON
	err := json.Unmarshal(b, &j)
	*e = Entry{j.Figures, j.State}
	return err
}

// MarshalPart returns the JSON that Parse reads.
func (r *Report) MarshalPart() ([]byte, error) {
	part := struct {
		*Report
		Norms []entryJSON `json:"norms"`
	}{Report: r}
	for i := range r.Norms {
		part.Norms = append(part.Norms, entryJSON{r.Norms[i].Figures, r.Norms[i].state})
	}
	return json.Marshal(part)
}

// Figures are what a result comes to.
type Figures struct {
	Norm          string `json:"norm"`
	Tokens        int64  `json:"tokens_scored"`
	Suppressed    int64  `json:"tokens_suppressed,omitempty"` // of them, those that have the probability 0
	Perplexity    Number `json:"perplexity"`
	PerplexitySE  Number `json:"perplexity_se"`
	Ratio         Number `json:"perplexity_ratio"` // to the first model's, as all below
	RatioSE       Number `json:"perplexity_ratio_se"`
	KLMean        Number `json:"kl_mean"` // nats
	KLSE          Number `json:"kl_se"`   // of the mean, by chunks, as are those of the ratio and the agreement
	KLMedian      Number `json:"kl_median"`
	KLP99         Number `json:"kl_p99"`
	KLMax         Number `json:"kl_max"`
	TopAgreement  Number `json:"top1_agreement"`
	TopSE         Number `json:"top1_agreement_se"`
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

// figures computes what r comes to.
func (r *result) figures() Figures {
	f := Figures{Norm: r.Norm, Tokens: r.NLL.Count(), Suppressed: r.NLL.Above, Speed: Number(r.speed())}
	pair := func(a, b *Number, x, y float64) { *a, *b = Number(x), Number(y) }
	ppl, se := r.perplexity()
	pair(&f.Perplexity, &f.PerplexitySE, ppl, se)
	ratio, se := r.ratio()
	pair(&f.Ratio, &f.RatioSE, ratio, se)
	predicted, measured := swapError(r.Swaps)
	pair(&f.SwapPredicted, &f.SwapMeasured, predicted, measured)
	for _, v := range []struct {
		to *Number
		x  float64
	}{
		{&f.KLMean, r.KL.Average()}, {&f.KLSE, r.Clusters.KL.StandardError()}, {&f.TopSE, r.Clusters.Same.StandardError()}, {&f.KLMedian, r.KLBins.Quantile(0.5)}, {&f.KLP99, r.KLBins.Quantile(0.99)}, {&f.KLMax, r.klMax()},
		{&f.TopAgreement, r.topAgreement()}, {&f.RMSDeltaP, r.rmsDeltaP()}, {&f.MaxLogit, r.maxLogit()},
	} {
		*v.to = Number(v.x)
		if r.KL.Count() == 0 {
			*v.to = Number(math.NaN())
		}
	}
	return f
}

// finish computes the figures from the statistics.
func (r *Report) finish() {
	for i := range r.Norms {
		r.Norms[i].Figures = r.Norms[i].state.figures()
	}
	if len(r.Norms) == 1 { // there is nothing to compare with
		f := &r.Norms[0].Figures
		for _, x := range []*Number{&f.Ratio, &f.RatioSE, &f.KLMean, &f.KLSE, &f.TopSE, &f.KLMedian, &f.KLP99, &f.KLMax, &f.TopAgreement, &f.RMSDeltaP, &f.MaxLogit} {
			*x = Number(math.NaN())
		}
	}
	r.Verdict = strings.Join(r.Sentences(), " ")
}

// maxShards bounds the parts of a text, for the list of those that are missing.
const maxShards = 1 << 20

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
	case r.Progress != nil && (r.Progress.Block < 0 || r.Progress.Window < 0):
		return nil, errors.New("eval: the report goes on at no place of a text")
	case r.Of > maxShards:
		return nil, fmt.Errorf("eval: the report is of %d shards; the limit is %d", r.Of, maxShards)
	}
	for _, s := range r.Shards {
		if s < 0 || s >= r.Of {
			return nil, fmt.Errorf("eval: the report has shard %d of %d", s, r.Of)
		}
	}
	for i := range r.Norms {
		if r.Norms[i].state == nil {
			return nil, errors.New("eval: the report has figures and no statistics: it is no part of a run")
		}
		if err := r.Norms[i].state.check(); err != nil {
			return nil, fmt.Errorf("eval: figures of %s: %w", r.Norms[i].state.Norm, err)
		}
	}
	r.finish()
	return r, nil
}

// exactKL is a mean divergence that rounding alone explains when activations
// are float32.
const exactKL = 1e-8

// Sentences say in words where a perplexity is infinite, and what each swap
// costs.
func (r *Report) Sentences() []string {
	var all []string
	for i := range r.Norms {
		if f := &r.Norms[i].Figures; f.Suppressed > 0 {
			all = append(all, fmt.Sprintf("%s: %d of the %s scored have the probability 0 (a logit of -Inf), so that the perplexity is infinite.",
				f.Norm, f.Suppressed, plain.Count(int(f.Tokens), "token")))
		}
	}
	rounding := Number(0)
	for i := range r.Norms {
		if f := &r.Norms[i].Figures; f.Norm == Rounding {
			rounding = f.KLMean
		}
	}
	for i := range r.Norms[1:] {
		all = append(all, r.Norms[1+i].sentence(&r.Norms[0], rounding, roundedTo(r.Activations)))
	}
	return all
}

// roundedTo says in words what activations other than f32 are rounded to.
func roundedTo(activations string) string {
	if activations == "bf16" {
		return "BF16"
	}
	return "8 bits"
}

// sentence says what became of the predictions. A norm is not blamed for what rounding
// alone could have done.
func (e *Entry) sentence(first *Entry, rounding Number, to string) string {
	f := &e.Figures
	if f.Tokens == 0 {
		return fmt.Sprintf("%s: nothing was scored.", f.Norm)
	}
	cost := f.cost(first)
	switch {
	case f.Norm == Rounding:
		return fmt.Sprintf("Rounding activations to %s alone, without any change of a norm, has a mean KL of %.2g%s nats and moves %s of the top-1 predictions: smaller differences say nothing of norms.", to, f.KLMean, plusMinus(f.KLSE), moved(1-f.TopAgreement))
	case f.KLMax == 0 && f.MaxLogit == 0:
		return fmt.Sprintf("%s gives the same logits to the bit.", f.Norm)
	case f.Norm == "rms-folded" && f.KLMean <= exactKL:
		return fmt.Sprintf("The fold is exact to a mean KL of %.1g nats, which is rounding.", f.KLMean)
	case f.Norm == "rms-folded":
		return fmt.Sprintf("The fold moves the predictions by a mean KL of %.1g nats, which is the rounding of activations to %s: %s.", f.KLMean, to, cost)
	case f.Norm == "rms-naive" && f.KLMean > 4*rounding:
		return fmt.Sprintf("Leaving the mean out costs a mean KL of %.2g%s nats and moves %s of the top-1 predictions: %s.", f.KLMean, plusMinus(f.KLSE), moved(1-f.TopAgreement), cost)
	case f.Norm == "layer" && f.KLMean > 4*rounding:
		return fmt.Sprintf("Adding the removal of the mean costs a mean KL of %.2g%s nats and moves %s of the top-1 predictions: %s.", f.KLMean, plusMinus(f.KLSE), moved(1-f.TopAgreement), cost)
	}
	return fmt.Sprintf("%s: a mean KL of %.2g%s nats from %s, %s of the top-1 predictions moved: %s.", f.Norm, f.KLMean, plusMinus(f.KLSE), first.Norm, moved(1-f.TopAgreement), cost)
}

// cost says what becomes of the perplexity. A change within two standard errors
// of the paired change cannot be distinguished from none.
func (f *Figures) cost(first *Entry) string {
	from := fmt.Sprintf("perplexity %s to %s", plain.Fixed(float64(first.Perplexity), 4), plain.Fixed(float64(f.Perplexity), 4))
	change, se := float64(f.Ratio)-1, float64(f.RatioSE)
	switch {
	case math.IsNaN(change) || math.IsInf(change, 0):
		return from + ", of which there is no ratio"
	case math.IsNaN(se) || math.IsInf(se, 0):
		return from + ", with an unknown error"
	case change == 0:
		return from + ", no change"
	case math.Abs(change) <= 2*se:
		return fmt.Sprintf("%s, a change within its error (%s ± %s)", from, signed(change), plain.Percent(se))
	}
	return fmt.Sprintf("%s, %s ± %s", from, signed(change), plain.Percent(se))
}

// plusMinus is a standard error behind a figure, if there is one.
func plusMinus(se Number) string {
	if se != se {
		return ""
	}
	return fmt.Sprintf(" ± %.2g", float64(se))
}

// signed is a change in percent, with a plus if it is one.
func signed(change float64) string {
	if change > 0 {
		return "+" + plain.Percent(change)
	}
	return plain.Percent(change)
}

// moved is a share of the predictions in words.
func moved(x Number) string {
	if x == 0 {
		return "none"
	}
	return plain.Percent(float64(x))
}
