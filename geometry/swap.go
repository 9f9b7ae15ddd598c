package geometry

import (
	"encoding/json"
	"fmt"
	"math"
)

// Rounding is the mode of a run with the norms as trained and activations of float32 in place
// of 8 bits: what it differs by is what rounding alone does.
const Rounding = "the same with float32 activations"

// SwapMode is a run of the whole model with its norms exchanged, the first of
// a list being the native one. KL and Perplexity may be infinite, and are null in
// JSON then.
type SwapMode struct {
	Mode       string  `json:"mode"`    // native, rms-naive, rms-folded, layer
	Tokens     int     `json:"tokens"`  // predicted ones, which the means are over
	KL         float64 `json:"kl_mean"` // mean of KL(native || mode), nats per token
	Top1       float64 `json:"top1_agreement"`
	Perplexity float64 `json:"perplexity"`
}

// swapJSON is a SwapMode in JSON.
type swapJSON struct {
	Mode       string   `json:"mode"`
	Tokens     int      `json:"tokens"`
	KL         *float64 `json:"kl_mean"`
	Top1       float64  `json:"top1_agreement"`
	Perplexity *float64 `json:"perplexity"`
}

// MarshalJSON writes null for infinite figures.
func (m SwapMode) MarshalJSON() ([]byte, error) {
	j := swapJSON{Mode: m.Mode, Tokens: m.Tokens, Top1: m.Top1}
	if !math.IsInf(m.KL, 0) {
		j.KL = &m.KL
	}
	if !math.IsInf(m.Perplexity, 0) {
		j.Perplexity = &m.Perplexity
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads what MarshalJSON writes.
func (m *SwapMode) UnmarshalJSON(b []byte) error {
	kl, perplexity := math.NaN(), math.NaN() // of which there is none in JSON
	j := swapJSON{KL: &kl, Perplexity: &perplexity}
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	if j.KL == &kl && math.IsNaN(kl) || j.Perplexity == &perplexity && math.IsNaN(perplexity) {
		return fmt.Errorf("geometry: norms %q: there is no kl_mean or no perplexity", j.Mode)
	}
	inf := math.Inf(1)
	*m = SwapMode{Mode: j.Mode, Tokens: j.Tokens, KL: inf, Top1: j.Top1, Perplexity: inf}
	if j.KL != nil {
		m.KL = *j.KL
	}
	if j.Perplexity != nil {
		m.Perplexity = *j.Perplexity
	}
	return nil
}

// MergeSwaps joins runs over parts of a text: means are weighted by tokens,
// perplexities geometrically.
func MergeSwaps(a, b []SwapMode) ([]SwapMode, error) {
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
		both, logs := SwapMode{Mode: x.Mode, Tokens: x.Tokens + y.Tokens}, 0.0
		for _, part := range []SwapMode{x, y} {
			if part.Tokens == 0 { // it has no figures
				continue
			}
			weight := float64(part.Tokens) / n
			both.KL += weight * part.KL
			both.Top1 += weight * part.Top1
			logs += weight * math.Log(part.Perplexity)
		}
		both.Perplexity = math.Exp(logs)
		out = append(out, both)
	}
	return out, nil
}

// EmbeddingSwap is a run of an encoder with its norms exchanged, beside its embeddings with
// the norms as trained.
type EmbeddingSwap struct {
	Mode        string  `json:"mode"`
	Texts       int     `json:"texts"`
	Cosine      float64 `json:"cosine_mean"` // of native and swapped embedding of a text
	CosineWorst float64 `json:"cosine_worst"`
	// Of less than three texts these are 1.
	Rank         float64 `json:"rank_correlation"`      // of the cosines of all pairs of texts (Spearman's)
	SameNeighbor float64 `json:"same_nearest_neighbor"` // share of the texts
}
