package main

import (
	"context"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/corpus"
	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/eval"
	"github.com/normswap/normswap/geometry"
)

// An exchange compares the predictions of a model with those of the same model with its
// norms exchanged, on some whole windows of a text.
type exchange struct {
	runner *eval.Runner        // nil: nothing is compared
	before []geometry.SwapMode // what an earlier run found
	models []*engine.Model     // variants
	size   int                 // tokens of a window
	whole  int                 // windows of a text that is read whole: the first ones
	blocks bool
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
	if n, known := text.Windows(); size < 4 || known && n == 0 {
		note("the text is shorter than one window of %d tokens: no comparison of predictions", size)
		return x, nil
	}
	modes := []engine.NormMode{engine.RMSNaive, engine.RMSFolded}
	if m.Arch.Spec.Norm == arch.RMSNorm {
		modes = []engine.NormMode{engine.Centered}
	}
	models, names := []*engine.Model{m}, []string{string(engine.Native)}
	for _, mode := range modes {
		v, err := o.variant(ctx, m, mode)
		if err != nil {
			if ctx.Err() != nil {
				return nil, err
			}
			note("%s left out: %v", mode, runnable(err))
			continue
		}
		x.models = append(x.models, v)
		models, names = append(models, v), append(names, string(mode))
	}
	var err error
	if x.runner, err = eval.NewRunner(models, names, eval.Options{Context: size, KV: o.cacheType()}); err != nil {
		x.close()
		return nil, err
	}
	return x, nil
}

func (x *exchange) close() {
	for _, m := range x.models {
		m.Close()
	}
}

// add takes in a window, if it is one of those that predictions are compared on.
func (x *exchange) add(ctx context.Context, w corpus.Window) error {
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
