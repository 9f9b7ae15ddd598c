package engine

import (
	"context"
	"fmt"
	"math"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/fold"
	"github.com/normswap/normswap/ops"
	"github.com/normswap/normswap/quant"
	"github.com/normswap/normswap/tokenizer"
)

// A MeanRatio tells how large the mean is that one norm reads: |mean|/rms,
// which is the cosine of the angle with the uniform vector. LayerNorm removes
// it, RMSNorm does not, and folding makes it nought but for rounding.
type MeanRatio struct {
	Site    string  `json:"site"`
	Norm    string  `json:"norm"`    // as it runs: LayerNorm, RMSNorm, or custom
	Largest float64 `json:"largest"` // of |mean|/rms
	RMS     float64 `json:"rms"`
}

// MeanRatios runs tokens through a model, the first ones that its context
// has room for, and returns what each norm reads.
func (m *Model) MeanRatios(ctx context.Context, tokens []int32) ([]MeanRatio, error) {
	norms := m.Arch.Norms()
	all := make([]MeanRatio, len(norms))
	index := map[*arch.Norm]int{}
	for i, n := range norms {
		index[n] = i
		all[i] = MeanRatio{Site: n.Site, Norm: m.runs(n)}
	}
	vectors := make([]float64, len(norms))
	tap := &Tap{Func: func(h Hidden) {
		if h.Stage != In {
			return
		}
		i, w := index[h.Site], h.Site.Width
		r := &all[i]
		for at := 0; at < len(h.Rows); at += w {
			v := h.Rows[at : at+w]
			if rms := math.Sqrt(ops.SumSquares(v) / float64(w)); rms != 0 { // NaN shows in the ratio
				ratio := math.Abs(ops.Mean(v)) / rms
				r.Largest = max(r.Largest, ratio)
				r.RMS += ratio * ratio
			}
			vectors[i]++
		}
	}}
	tokens = tokens[:min(len(tokens), m.Context(), batchTokens)]
	if err := m.Trace(ctx, tokens, tap); err != nil {
		return nil, err
	}
	for i := range all {
		all[i].RMS = math.Sqrt(all[i].RMS / max(vectors[i], 1))
	}
	return all, nil
}

// built returns the norm that runs at a site; nil if it is a caller's own.
func (m *Model) built(site *arch.Norm) *ops.Norm {
	n := m.norms[site]
	if n == nil {
		return nil
	}
	f := n.parts[0]
	if c, ok := f.(centeredOutput); ok {
		f = c.Norm
	}
	built, _ := f.(*ops.Norm)
	return built
}

// runs names the kind of norm that runs at a site.
func (m *Model) runs(site *arch.Norm) string {
	switch built := m.built(site); {
	case built == nil && m.opts.ReplaceNorm != nil:
		return "custom"
	case built == nil:
		return m.choices[site].form.String()
	case built.Center:
		return arch.LayerNorm.String()
	}
	return arch.RMSNorm.String()
}

// Swapped reports whether a norm runs as the other kind than the file's. That
// is not known of a caller's own norm.
func (m *Model) Swapped(site *arch.Norm) bool {
	built := m.built(site)
	return built != nil && built.Center != (site.Kind == arch.LayerNorm)
}

// probeText is what the check after a fold looks at, if the model can read.
const probeText = `Once upon a time there was a king who had three sons. The eldest, in 1789, said: "I will go and see the world!"
func mean(x []float32) (m float64) { for _, v := range x { m += float64(v) / float64(len(x)) }; return }
Был у царя сын. 从前有一个国王，他有三个儿子。`

// probeTokens is how many tokens the check after a fold looks at.
const probeTokens = 64

// probe returns the ids of the probe text, or else some of the whole
// vocabulary.
func (m *Model) probe() []int32 {
	n := min(probeTokens, m.Context())
	if m.tokErr == nil {
		if ids, err := m.tok.Encode(probeText, tokenizer.EncodeOptions{AddSpecial: true}); err == nil && len(ids) >= n {
			return ids[:n]
		}
	}
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = int32((3 + 7919*i) % m.Vocab())
	}
	return ids
}

// largestRatio is how large |mean|/rms may be after a fold: some roundings of
// the weights that write the stream.
func largestRatio(t quant.Type) float64 {
	if t == quant.F16 || t == quant.BF16 {
		return 1e-4
	}
	return 1e-5
}

// exactRatio is more than |mean|/rms is after a fold whose products cancel well.
const exactRatio = 1e-6

// checkFold fails if, after a fold, a norm that no longer removes the mean still
// reads one. Where the subtraction of means from products leaves more than
// exactRatio, the weights themselves are centered first.
func (m *Model) checkFold(ctx context.Context) error {
	if m.plan == nil {
		return nil
	}
	bound := 0.0
	for _, s := range m.plan.Steps {
		if s.Linear != nil {
			bound = max(bound, largestRatio(s.Linear.W.Type))
		}
	}
	worst, err := m.worstSwapped(ctx)
	if err == nil && worst.Largest > exactRatio {
		var changed bool
		if changed, err = m.centerWeights(ctx); changed {
			m.connect()
			worst, err = m.worstSwapped(ctx)
		}
	}
	if err == nil && !(worst.Largest <= bound) {
		err = fmt.Errorf("engine: the fold failed its check: %s reads vectors with |mean|/rms up to %.2g, want at most %.0e", worst.Site, worst.Largest, bound)
	}
	return err
}

// worstSwapped returns the largest ratio that a norm reads which the fold has
// swapped.
func (m *Model) worstSwapped(ctx context.Context) (worst MeanRatio, err error) {
	swapped := map[string]bool{}
	for _, s := range m.plan.Steps {
		if s.Action == fold.Swap && m.choices[s.Norm].form.Kind.Name == string(RMSFolded) {
			swapped[s.Target] = true
		}
	}
	ratios, err := m.MeanRatios(ctx, m.probe())
	for _, r := range ratios {
		if swapped[r.Site] && !(r.Largest <= worst.Largest) && !math.IsNaN(worst.Largest) { // NaN is the worst
			worst = r
		}
	}
	return worst, err
}
