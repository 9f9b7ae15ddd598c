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

// stablelm is StableLM (Stability AI 2023-24). The 12B model has no second
// norm, so that both branches read the first one, and norms on the queries and
// keys of each head.
type stablelm struct {
	model.Base
	tokenizer.Tokenizer
	Options

	Embed     *nn.Embedding   `gguf:"token_embd"`
	Layers    []stablelmLayer `gguf:"blk"`
	FinalNorm *Norm           `gguf:"output_norm"`
	Head      *nn.Linear      `gguf:"output"`
}

type stablelmLayer struct {
	AttnNorm  *Norm `gguf:"attn_norm"`
	Attention *Attention
	FFNNorm   *Norm `gguf:"ffn_norm"`
	FFN       *SwiGLU
}

func (l *stablelmLayer) Forward(ctx ml.Context, x, positions, outputs ml.Tensor, cache kvcache.Cache, o *Options) ml.Tensor {
	in := l.AttnNorm.Forward(ctx, x, o)
	y := l.Attention.Forward(ctx, in, positions, cache, o)
	x = rows(ctx, x, outputs).Add(ctx, rows(ctx, y, outputs))
	if l.FFNNorm == nil {
		return x.Add(ctx, l.FFN.Forward(ctx, rows(ctx, in, outputs)))
	}
	return x.Add(ctx, l.FFN.Forward(ctx, l.FFNNorm.Forward(ctx, x, o)))
}

func (m *stablelm) Forward(ctx ml.Context, batch input.Batch) (ml.Tensor, error) {
	positions := ctx.Input().FromInts(batch.Positions, len(batch.Positions))
	x := m.Embed.Forward(ctx, batch.Inputs)
	for i := range m.Layers {
		m.Cache.SetLayer(i)
		var outputs ml.Tensor // all, until the last layer
		if i == len(m.Layers)-1 {
			outputs = batch.Outputs
		}
		x = m.Layers[i].Forward(ctx, x, positions, outputs, m.Cache, &m.Options)
	}
	return m.Head.Forward(ctx, m.FinalNorm.Forward(ctx, x, &m.Options)), nil
}

func newStableLM(c fs.Config) (model.Model, error) {
	o, err := newOptions(c)
	if err != nil {
		return nil, err
	}
	m := &stablelm{
		Tokenizer: newTokenizer(c),
		Options:   o,
		Layers:    make([]stablelmLayer, c.Uint("block_count")),
	}
	m.Cache = kvcache.NewCausalCache(m.shift)
	return m, nil
}

func init() { model.Register("stablelm", newStableLM) }
