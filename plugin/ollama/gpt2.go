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

// gpt2 is GPT-2 (OpenAI 2019): the plain pre-norm decoder with learned
// positions.
type gpt2 struct {
	model.Base
	tokenizer.Tokenizer
	Options

	Embed     *nn.Embedding `gguf:"token_embd"`
	Positions *nn.Embedding `gguf:"position_embd"`
	Layers    []gpt2Layer   `gguf:"blk"`
	FinalNorm *Norm         `gguf:"output_norm"`
	Head      *nn.Linear    `gguf:"output,alt:token_embd"`
}

type gpt2Layer struct {
	AttnNorm  *Norm `gguf:"attn_norm"`
	Attention *Attention
	FFNNorm   *Norm `gguf:"ffn_norm"`
	FFN       *GELU
}

func (l *gpt2Layer) Forward(ctx ml.Context, x, positions, outputs ml.Tensor, cache kvcache.Cache, o *Options) ml.Tensor {
	y := l.Attention.Forward(ctx, l.AttnNorm.Forward(ctx, x, o), positions, cache, o)
	x = rows(ctx, x, outputs).Add(ctx, rows(ctx, y, outputs))
	return x.Add(ctx, l.FFN.Forward(ctx, l.FFNNorm.Forward(ctx, x, o)))
}

func (m *gpt2) Forward(ctx ml.Context, batch input.Batch) (ml.Tensor, error) {
	positions := ctx.Input().FromInts(batch.Positions, len(batch.Positions))
	x := m.Embed.Forward(ctx, batch.Inputs).Add(ctx, m.Positions.Forward(ctx, positions))
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

func newGPT2(c fs.Config) (model.Model, error) {
	o, err := newOptions(c)
	if err != nil {
		return nil, err
	}
	o.ropeDim = 0
	m := &gpt2{
		Tokenizer: newTokenizer(c),
		Options:   o,
		Layers:    make([]gpt2Layer, c.Uint("block_count")),
	}
	m.Cache = kvcache.NewCausalCache(nil) // learned positions cannot be shifted
	return m, nil
}

func init() { model.Register("gpt2", newGPT2) }
