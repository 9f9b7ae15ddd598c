package eval

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/internal/plain"
)

// Embeddings is the kind of an [EmbeddingReport].
const Embeddings = "compare-embeddings"

// An EmbeddingReport is what a comparison of embeddings has found.
type EmbeddingReport struct {
	Kind        string             `json:"kind"`
	Model       string             `json:"model"`
	Arch        string             `json:"architecture"`
	Version     string             `json:"version"`      // of the program
	ModelSum    string             `json:"model_sha256"` // of the first model's file
	Activations string             `json:"activations"`  // f32; q8: 8 bits against quantized weights; or bf16: BF16 against such
	Weights     int64              `json:"parameters"`
	Text        string             `json:"text"`
	IDs         string             `json:"text_sha256"` // of the token ids, little-endian int32
	Texts       int                `json:"texts"`
	Tokens      int                `json:"tokens_read"`
	Pooling     string             `json:"pooling"`
	Norms       []EmbeddingFigures `json:"norms"`
	Verdict     string             `json:"verdict,omitempty"`
}

// EmbeddingFigures are those of the embeddings of one model beside the first model's. The
// cosine is that of the two embeddings of a text.
type EmbeddingFigures struct {
	Norm         string `json:"norm"`
	Cosine       Number `json:"cosine_mean"`
	CosineSE     Number `json:"cosine_se"`
	CosineMedian Number `json:"cosine_median"`
	CosineP1     Number `json:"cosine_p1"` // 99 % of the texts have at least this
	CosineWorst  Number `json:"cosine_worst"`
	// Of the cosines of all pairs of texts, of at most the first PairedTexts.
	Rank          Number `json:"rank_correlation"`      // Spearman's, of all pairs
	SameNeighbor  Number `json:"same_nearest_neighbor"` // share of the texts
	SameNeighbors Number `json:"same_10_nearest"`       // mean share of the ten nearest texts that are still among them
	Speed         Number `json:"tokens_per_second"`
	SwapPredicted Number `json:"swap_error_predicted"` // by identity 1; null: no norm is swapped
	SwapMeasured  Number `json:"swap_error_measured"`
}

// PairedTexts is the number of texts whose pairs are compared.
const PairedTexts = 2000

// embedTexts returns embeddings of length 1 of texts: with the model's pooling, or where
// that gives none or scores, with the mean or what the scores are made of.
func embedTexts(ctx context.Context, m *engine.Model, texts [][]int32) ([][]float32, error) {
	pooling := embeddingPooling(m.Arch)
	return m.Embed(ctx, texts, engine.EmbedOptions{Normalize: true, Truncate: true, Pooling: &pooling})
}

func embeddingPooling(m *arch.Model) arch.Pooling {
	switch m.Pooling {
	case arch.PoolNone:
		return arch.PoolMean
	case arch.PoolRank:
		return m.Spec.Classifier.Pooling
	}
	return m.Pooling
}

// RunEmbeddings compares the embeddings that models make of texts, token ids each, with the
// first model's, a few texts at a time in turn. Models must have the same vocabulary and
// width; names are those of the report's entries, and its fields before IDs are left to the
// caller. Progress may be nil.
func RunEmbeddings(ctx context.Context, models []*engine.Model, names []string, texts [][]int32, progress func(done, total int64)) (*EmbeddingReport, error) {
	if len(models) == 0 || len(names) != len(models) {
		return nil, fmt.Errorf("eval: %d models with %d names", len(models), len(names))
	}
	first := models[0].Arch
	r := &EmbeddingReport{Texts: len(texts), Pooling: embeddingPooling(first).String()}
	var ids []int32
	for _, t := range texts {
		ids = append(ids, t...)
	}
	r.IDs, r.Tokens = Digest(ids), len(ids)
	found := make([]*swaps, len(models))
	for i, m := range models {
		if m.Arch.Dim != first.Dim {
			return nil, fmt.Errorf("eval: embeddings of %s have %d numbers and those of %s %d: they cannot be compared", names[0], first.Dim, names[i], m.Arch.Dim)
		}
		if err := sameVocabulary(models[0], m); err != nil {
			return nil, fmt.Errorf("eval: %s and %s cannot be compared: %w", names[0], names[i], err)
		}
		var err error
		if found[i], err = newSwaps(m, Options{}); err != nil {
			return nil, err
		}
	}
	const together = 64
	vectors := make([][][]float32, len(models))
	seconds := make([]float64, len(models))
	done := int64(0)
	for from := 0; from < len(texts); from += together {
		some := texts[from:min(from+together, len(texts))]
		for i, m := range models {
			start := time.Now()
			v, err := embedTexts(ctx, m, some)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", names[i], err)
			}
			seconds[i] += time.Since(start).Seconds()
			vectors[i] = append(vectors[i], v...)
			done += int64(len(some))
			if progress != nil {
				progress(done, int64(len(texts)*len(models)))
			}
			for j := range some {
				if (from+j)%swapChunks == 0 {
					if err := found[i].measure(ctx, some[j]); err != nil {
						return nil, err
					}
				}
			}
		}
	}
	for i := range models {
		f := CompareEmbeddings(vectors[0], vectors[i])
		f.Norm, f.Speed = names[i], Number(float64(r.Tokens)/seconds[i])
		predicted, measured := swapError(found[i].found)
		f.SwapPredicted, f.SwapMeasured = Number(predicted), Number(measured)
		r.Norms = append(r.Norms, f)
	}
	r.Verdict = strings.Join(r.Sentences(), " ")
	return r, nil
}

// CompareEmbeddings returns the figures of vectors of length 1 beside those of the same texts
// in native.
func CompareEmbeddings(native, vectors [][]float32) (f EmbeddingFigures) {
	var cosines []float64
	var m moments
	for i, v := range vectors {
		c := dot(native[i], v)
		cosines = append(cosines, c)
		m.Add(c)
	}
	slices.Sort(cosines)
	at := func(q float64) Number {
		if len(cosines) == 0 {
			return Number(math.NaN())
		}
		return Number(cosines[int(q*float64(len(cosines)-1))])
	}
	f.Cosine, f.CosineSE = Number(m.Average()), Number(m.StandardError())
	f.CosineMedian, f.CosineP1, f.CosineWorst = at(0.5), at(0.01), at(0)
	n := min(len(native), PairedTexts)
	f.Rank, f.SameNeighbor, f.SameNeighbors = pairs(native[:n], vectors[:n])
	return f
}

// pairs compares the cosines of all pairs of texts: their rank correlation (Spearman's),
// the share of texts whose nearest neighbor is the same, and the mean share of the ten
// nearest that are. There is none of less than three texts.
func pairs(a, b [][]float32) (rank, same, ten Number) {
	n := len(a)
	if n < 3 {
		none := Number(math.NaN())
		return none, none, none
	}
	var x, y []float64
	rows := [2][]float64{make([]float64, n), make([]float64, n)} // cosines of text i with all
	var near [2][]int
	equal, shared := 0, 0
	most := min(10, n-1)
	for i := range a {
		for j := range a {
			rows[0][j], rows[1][j] = dot(a[i], a[j]), dot(b[i], b[j])
			if j > i {
				x, y = append(x, rows[0][j]), append(y, rows[1][j])
			}
		}
		for k, row := range rows {
			row[i] = math.Inf(-1)
			near[k] = nearest(row, most)
		}
		if near[0][0] == near[1][0] {
			equal++
		}
		for _, j := range near[0] {
			if slices.Contains(near[1], j) {
				shared++
			}
		}
	}
	return Number(rankCorrelation(x, y)), Number(float64(equal) / float64(n)), Number(float64(shared) / float64(n*most))
}

// nearest returns the indices of the n largest values, the largest first.
func nearest(values []float64, n int) []int {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(values[j], values[i]) })
	return order[:n]
}

// exactCosine is a distance of embeddings that float32 rounding explains.
const exactCosine = 1e-6

// Sentences say in words what becomes of the embeddings.
func (r *EmbeddingReport) Sentences() []string {
	var all []string
	for _, f := range r.Norms[1:] {
		if f.Norm == Rounding {
			all = append(all, fmt.Sprintf("Rounding activations to %s alone, without any change of a norm, leaves a mean cosine of %.6f (%.4f at worst): smaller differences say nothing of norms.", roundedTo(r.Activations), f.Cosine, f.CosineWorst))
			continue
		}
		text := fmt.Sprintf("%s: embeddings keep a mean cosine of %.4f with those of %s (%.3f at worst)", f.Norm, f.Cosine, r.Norms[0].Norm, f.CosineWorst)
		if 1-f.CosineWorst <= exactCosine {
			text = fmt.Sprintf("%s gives the same embeddings, to rounding (cosine %.7f at worst)", f.Norm, f.CosineWorst)
		}
		if !math.IsNaN(float64(f.SameNeighbor)) {
			text += fmt.Sprintf("; %s of the texts keep their nearest neighbor", plain.Percent(float64(f.SameNeighbor)))
		}
		all = append(all, text+".")
	}
	return all
}
