package ollama

import (
	"github.com/ollama/ollama/fs"
	"github.com/ollama/ollama/kvcache"
	"github.com/ollama/ollama/ml"
	"github.com/ollama/ollama/ml/nn"
	"github.com/ollama/ollama/model"
	"github.com/ollama/ollama/model/input"
	"github.com/ollama/ollama/tokenizer"
)

// gptneox is GPT-NeoX (EleutherAI 2022), which Pythia is: both branches of a
// block read the block's input through norms of their own, and RoPE turns a
// part of each head.
type gptneox struct {
	model.Base
	tokenizer.Tokenizer
	Options
	parallel bool

	Embed     *nn.Embedding  `gguf:"token_embd"`
	Layers    []gptneoxLayer `gguf:"blk"`
	FinalNorm *Norm          `gguf:"output_norm"`
	Head      *nn.Linear     `gguf:"output"`
}

type gptneoxLayer struct {
	AttnNorm  *Norm `gguf:"attn_norm"`
	Attention *Attention
	FFNNorm   *Norm `gguf:"ffn_norm"`
	FFN       *GELU
}

func (l *gptneoxLayer) Forward(ctx ml.Context, x, positions, outputs ml.Tensor, parallel bool, cache kvcache.Cache, o *Options) ml.Tensor {
	y := l.Attention.Forward(ctx, l.AttnNorm.Forward(ctx, x, o), positions, cache, o)
	x, y = rows(ctx, x, outputs), rows(ctx, y, outputs)
	if parallel {
		return x.Add(ctx, y).Add(ctx, l.FFN.Forward(ctx, l.FFNNorm.Forward(ctx, x, o)))
	}
	x = x.Add(ctx, y)
	return x.Add(ctx, l.FFN.Forward(ctx, l.FFNNorm.Forward(ctx, x, o)))
}

func (m *gptneox) Forward(ctx ml.Context, batch input.Batch) (ml.Tensor, error) {
	positions := ctx.Input().FromInts(batch.Positions, len(batch.Positions))
	x := m.Embed.Forward(ctx, batch.Inputs)
	for i := range m.Layers {
		m.Cache.SetLayer(i)
		var outputs ml.Tensor // all, until the last layer
		if i == len(m.Layers)-1 {
			outputs = batch.Outputs
		}
		x = m.Layers[i].Forward(ctx, x, positions, outputs, m.parallel, m.Cache, &m.Options)
	}
	return m.Head.Forward(ctx, m.FinalNorm.Forward(ctx, x, &m.Options)), nil
}

func newGPTNeoX(c fs.Config) (model.Model, error) {
	o, err := newOptions(c)
	if err != nil {
		return nil, err
	}
	m := &gptneox{
		Tokenizer: newTokenizer(c),
		Options:   o,
		parallel:  c.Bool("use_parallel_residual", true),
		Layers:    make([]gptneoxLayer, c.Uint("block_count")),
	}
	m.Cache = kvcache.NewCausalCache(m.shift)
	return m, nil
}

func init() { model.Register("gptneox", newGPTNeoX) }
