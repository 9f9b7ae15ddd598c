package main

import (
	"context"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/corpus"
	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/eval"
	"github.com/normswap/normswap/geometry"
	"github.com/normswap/normswap/internal/plain"
)

// An exchange compares the predictions of a model with those of the same model with its
// norms exchanged, on some whole windows of a text.
type exchange struct {
	runner *eval.Runner        // nil: nothing is compared
	before []geometry.SwapMode // what an earlier run found
	models []*engine.Model     // as it is, and variants
	names  []string
	size   int // tokens of a window
	whole  int // windows of a text that is read whole: the first ones
	blocks bool

	// Of an encoder, whose embeddings are compared at the end of a whole run.
	texts   [][]int32
	room    int // tokens of further texts; -1: no text is compared
	resumed bool
}

// exchangeWindows is on how many windows of a block of a long text predictions are
// compared, at most: many shares have a part in that, and each knows its own.
const exchangeWindows = 64

// exchange loads the variants of a model.
func (o *geometryFlags) exchange(ctx context.Context, m *engine.Model, size int, text *reading) (*exchange, error) {
	x := &exchange{size: size, whole: max(1, o.swapTokens/size), blocks: text.Blocked()}
	if o.swapTokens == 0 {
		return x, nil
	}
	n, known := text.Windows()
	switch {
	case m.Arch.Spec.Encoder && o.shard != "":
		note("the embeddings with exchanged norms are left out: their distances from one another are of all texts, which a part does not have")
		x.room = -1
		return x, nil
	case !m.Arch.Spec.Encoder && (size < 4 || known && n == 0):
		note("the text is shorter than one window of %d tokens: no comparison of predictions", size)
		return x, nil
	}
	modes := []engine.NormMode{engine.RMSNaive, engine.RMSFolded}
	if m.Arch.Spec.Norm == arch.RMSNorm {
		modes = []engine.NormMode{engine.Centered}
	}
	x.models, x.names = []*engine.Model{m}, []string{string(engine.Native)}
	for _, mode := range modes {
		v, err := o.variant(ctx, m, mode)
		if err != nil {
			if ctx.Err() != nil {
				x.close()
				return nil, err
			}
			note("%s left out: %v", mode, runnable(err))
			continue
		}
		x.models, x.names = append(x.models, v), append(x.names, string(mode))
	}
	if m.Arch.Spec.Encoder {
		x.room = o.swapTokens
		return x, nil
	}
	var err error
	if x.runner, err = eval.NewRunner(x.models, x.names, eval.Options{Context: size, KV: o.cacheType()}); err != nil {
		x.close()
		return nil, err
	}
	return x, nil
}

func (x *exchange) close() {
	for i, m := range x.models {
		if i > 0 { // a variant
			m.Close()
		}
	}
}

// add takes in a window, if it is one of those that predictions are compared on.
func (x *exchange) add(ctx context.Context, w corpus.Window) error {
	if x.room > 0 {
		if x.room -= len(w.IDs); x.room >= 0 {
			x.texts = append(x.texts, w.IDs)
		}
		return nil
	}
	chosen := w.Seq < x.whole
	if x.blocks {
		chosen = w.Seq < min(x.whole, exchangeWindows) && w.Block < (x.whole+exchangeWindows-1)/exchangeWindows
	}
	if x.runner == nil || len(w.IDs) < x.size || !chosen {
		return nil
	}
	return x.runner.Add(ctx, w.Seq, w.IDs)
}

// modes are the figures of this run.
func (x *exchange) modes() (out []geometry.SwapMode) {
	if x.runner == nil {
		return nil
	}
	for _, f := range x.runner.Report().Norms {
		s := geometry.SwapMode{Mode: f.Norm, Tokens: int(f.Tokens), Top1: 1}
		if f.Tokens > 0 {
			s.Perplexity, s.KL, s.Top1 = float64(f.Perplexity), float64(f.KLMean), float64(f.TopAgreement)
		}
		out = append(out, s)
	}
	return out
}

// all are the figures with those of an earlier run.
func (x *exchange) all() ([]geometry.SwapMode, error) {
	return geometry.MergeSwaps(x.before, x.modes())
}

// embeddings compares those of an encoder.
func (x *exchange) embeddings(ctx context.Context) (out []geometry.EmbeddingSwap, err error) {
	switch {
	case x.runner != nil || len(x.models) == 0:
		return nil, nil
	case x.resumed:
		note("the embeddings with exchanged norms are left out: a run that goes on has no longer all texts")
		return nil, nil
	case len(x.texts) < 3:
		note("%s of few enough tokens: no comparison of embeddings", plain.Count(len(x.texts), "text"))
		return nil, nil
	}
	progress, end := track("texts", "exchanging")
	defer end()
	r, err := eval.RunEmbeddings(ctx, x.models, x.names, x.texts, progress)
	if err != nil {
		return nil, err
	}
	for _, f := range r.Norms {
		out = append(out, geometry.EmbeddingSwap{Mode: f.Norm, Texts: len(x.texts), Cosine: float64(f.Cosine), CosineWorst: float64(f.CosineWorst), Rank: float64(f.Rank), SameNeighbor: float64(f.SameNeighbor)})
	}
	return out, nil
}
