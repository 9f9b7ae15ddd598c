package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/corpus"
	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/eval"
	"github.com/normswap/normswap/internal/plain"
	"github.com/normswap/normswap/report"
)

// encoderTokens is how much of the text in the program encoders are compared on.
const encoderTokens = defaultChunk * defaultChunks

// compareEmbeddings compares encoders by the embeddings of the lines of the text; model is
// what the file of the first is called.
func (o *compareFlags) compareEmbeddings(ctx context.Context, w io.Writer, model string, models []*engine.Model, names []string) error {
	m := models[0]
	for i, other := range models {
		if !other.Arch.Spec.Encoder {
			return fmt.Errorf("%s is no encoder: it cannot be compared with %s", names[i], model)
		}
	}
	switch {
	case o.shard != "":
		return usagef("--shard %s: an encoder is measured by the distances of all texts from one another, which parts do not have", o.shard)
	case o.context != 0:
		return usagef("--ctx %d: an encoder reads a line of the text at once, and has no chunks", o.context)
	}
	texts, called, err := o.encoderTexts(ctx, m)
	if err != nil {
		return err
	}
	progress, end := track("texts", "measuring")
	defer end()
	r, err := eval.RunEmbeddings(ctx, models, names, texts, progress)
	if err != nil {
		return err
	}
	r.Kind, r.Model, r.Arch, r.Weights, r.Text = eval.Embeddings, model, m.Arch.Spec.Name, arch.Parameters(m.File), called
	r.Version, r.Activations = versionName(), o.act.value
	if r.ModelSum, err = hashSource(ctx, m.File); err != nil {
		return err
	}
	switch o.format.value {
	case "json":
		return plain.WriteJSON(w, r, " ")
	case "csv":
		return report.WriteTidy(w, embeddingRecords(r))
	}
	return writeTable(w, embeddingTable(r), report.Format(o.format.value))
}

// encoderTexts are the lines of the text, at most --chunks of them, and what the text is
// called.
func (o *compareFlags) encoderTexts(ctx context.Context, m *engine.Model) (texts [][]int32, name string, err error) {
	options := corpus.Options{Size: min(defaultWindow, m.Context())}
	if len(o.source.files) == 0 {
		options.Limit = encoderTokens
	}
	text, err := o.source.read(ctx, m, options, encoderTokens)
	if err != nil {
		return nil, "", err
	}
	defer text.close()
	for o.chunks == 0 || len(texts) < o.chunks {
		w, err := text.next(ctx)
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, "", err
		}
		texts = append(texts, w.IDs)
	}
	if len(texts) < 2 {
		return nil, "", errors.New("the text is one line: embeddings are compared over several, one a line")
	}
	return texts, text.name, nil
}

// embeddingTable lays a comparison of embeddings out.
func embeddingTable(r *eval.EmbeddingReport) *report.Table {
	t := &report.Table{
		Title: fmt.Sprintf("%s on %s, %s, pooling %s", r.Model, r.Text, plain.Count(r.Texts, "text"), r.Pooling),
		Columns: []report.Column{
			{Key: "norm", Left: true},
			{Key: "cosine_mean", Name: "mean cosine", Format: "%.6f", Spread: "se"}, {Key: "cosine_median", Name: "median", Format: "%.6f"},
			{Key: "cosine_p1", Name: "p1", Format: "%.4f"}, {Key: "cosine_worst", Name: "worst", Format: "%.4f"},
			{Key: "rank_correlation", Name: "rank corr.", Format: "%.4f"}, {Key: "same_nearest_neighbor", Name: "same nearest", Format: "%.4f"},
			{Key: "same_10_nearest", Name: "of 10 nearest", Format: "%.4f"}, {Key: "tokens_per_second", Name: "tokens/s", Format: "%.1f"},
			{Key: "swap_error_predicted", Name: "swap, predicted", Format: "%.2e"}, {Key: "swap_error_measured", Name: "measured", Format: "%.2e"},
		},
		Notes: append([]string{""}, r.Sentences()...),
	}
	if r.Texts > eval.PairedTexts {
		t.Notes = append(t.Notes, fmt.Sprintf("Rank correlation and neighbors are those of the first %d texts.", eval.PairedTexts))
	}
	for i, f := range r.Norms {
		row := []any{f.Norm}
		if i == 0 {
			row = append(row, nil, nil, nil, nil, nil, nil, nil)
		} else {
			row = append(row, report.Spread{Mean: float64(f.Cosine), SD: float64(f.CosineSE)})
			for _, v := range []eval.Number{f.CosineMedian, f.CosineP1, f.CosineWorst, f.Rank, f.SameNeighbor, f.SameNeighbors} {
				row = append(row, number(v))
			}
		}
		t.Add(append(row, number(f.Speed), number(f.SwapPredicted), number(f.SwapMeasured))...)
	}
	return t
}

// number is the cell of a figure, empty where there is none.
func number(v eval.Number) any {
	if v != v {
		return nil
	}
	return float64(v)
}
