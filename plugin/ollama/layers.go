package ollama

import (
	"errors"
	"fmt"
	"math"

	"github.com/normswap/normswap/arch"
	"github.com/ollama/ollama/fs"
	"github.com/ollama/ollama/kvcache"
	"github.com/ollama/ollama/ml"
	"github.com/ollama/ollama/ml/nn"
	"github.com/ollama/ollama/ml/nn/rope"
)

// Options are the hyper-parameters that the layers need, and the kind of norm.
type Options struct {
	heads, kvHeads, headDim int
	eps                     float32

	ropeDim             int // 0: the positions are learned
	ropeBase, ropeScale float32

	norm    arch.NormKind
	rmsNorm bool // the file may run it
	room    int  // of the session
}

// newOptions reads a file's metadata. Ollama puts the name of the architecture
// before each key.
func newOptions(c fs.Config) (Options, error) {
	heads := c.Uint("attention.head_count")
	if heads == 0 {
		return Options{}, errors.New("attention.head_count is no number")
	}
	headDim := c.Uint("attention.key_length", c.Uint("embedding_length")/heads)
	return Options{
		heads:     int(heads),
		kvHeads:   int(c.Uint("attention.head_count_kv", heads)),
		headDim:   int(headDim),
		eps:       c.Float("attention.layer_norm_epsilon"),
		ropeDim:   int(c.Uint("rope.dimension_count", headDim)),
		ropeBase:  c.Float("rope.freq_base", 10000),
		ropeScale: 1 / c.Float("rope.scaling.factor", 1),
		norm:      arch.LayerNorm,
	}, nil
}

// check is an error if the graph of the file has more than the options say.
func (o *Options) check(graph *arch.Model) error {
	for i := range graph.Blocks {
		if b := &graph.Blocks[i]; b.Heads != o.heads || b.KVHeads != o.kvHeads || graph.HeadDim != o.headDim {
			return fmt.Errorf("layer %d has %d and %d heads of %d, want %d and %d of %d",
				i, b.Heads, b.KVHeads, graph.HeadDim, o.heads, o.kvHeads, o.headDim)
		}
	}
	r := &graph.RoPE
	plain := r.Factors == nil && r.Ext == 0 && r.Attn == 1
	if o.ropeDim != 0 && !(plain && r.Dims == o.ropeDim && float32(r.Base) == o.ropeBase && float32(r.Scale) == o.ropeScale) {
		return errors.New("its RoPE is scaled in a way that is not supported")
	}
	if graph.Eps != o.eps {
		return fmt.Errorf("epsilon is %g, want %g", graph.Eps, o.eps)
	}
	return nil
}

func (o *Options) options() *Options { return o }

// Norm implements [Model].
func (o *Options) Norm() arch.NormKind { return o.norm }

// SetNorm implements [Model].
func (o *Options) SetNorm(kind arch.NormKind) error {
	if kind == arch.RMSNorm && !o.rmsNorm {
		return errors.New("ollama: RMSNorm would change what the model computes: the file is not folded")
	}
	o.norm = kind
	return nil
}

// rotate turns queries or keys [headDim, heads, tokens] by their positions.
func (o *Options) rotate(ctx ml.Context, x, positions ml.Tensor) ml.Tensor {
	if o.ropeDim == 0 {
		return x
	}
	return nn.RoPE(ctx, x, positions, o.ropeDim, o.ropeBase, o.ropeScale, rope.WithTypeNeoX())
}

// shift turns cached keys when the tokens before them are dropped.
func (o *Options) shift(ctx ml.Context, _ int, key, by ml.Tensor) (ml.Tensor, error) {
	return o.rotate(ctx, key, by), nil
}

// A Norm is a LayerNorm as it was trained, or what a fold leaves of it: the
// RMSNorm with the same gain, bias and epsilon.
type Norm struct {
	Weight ml.Tensor `gguf:"weight"`
	Bias   ml.Tensor `gguf:"bias"`
}

func (n *Norm) Forward(ctx ml.Context, x ml.Tensor, o *Options) ml.Tensor {
	if o.norm == arch.LayerNorm {
		ln := nn.LayerNorm{Weight: n.Weight, Bias: n.Bias}
		return ln.Forward(ctx, x, o.eps)
	}
	rms := nn.RMSNorm{Weight: n.Weight}
	x = rms.Forward(ctx, x, o.eps)
	if n.Bias != nil {
		x = x.Add(ctx, n.Bias)
	}
	return x
}

// Attention is causal attention over the cache, with projections in one matrix
// or in three.
type Attention struct {
	QKV    *nn.Linear `gguf:"attn_qkv"`
	Query  *nn.Linear `gguf:"attn_q"`
	Key    *nn.Linear `gguf:"attn_k"`
	Value  *nn.Linear `gguf:"attn_v"`
	Output *nn.Linear `gguf:"attn_output"`

	QueryNorm *Norm `gguf:"attn_q_norm"` // for each head
	KeyNorm   *Norm `gguf:"attn_k_norm"`
}

// project returns queries, keys and values, [headDim, heads, tokens] each.
func (a *Attention) project(ctx ml.Context, x ml.Tensor, o *Options) (q, k, v ml.Tensor) {
	tokens := x.Dim(1)
	if a.QKV != nil {
		all := a.QKV.Forward(ctx, x).Reshape(ctx, o.headDim, o.heads+2*o.kvHeads, tokens)
		part := all.ChunkSections(ctx, 1, o.heads, o.kvHeads, o.kvHeads)
		return part[0], part[1], part[2]
	}
	return a.Query.Forward(ctx, x).Reshape(ctx, o.headDim, o.heads, tokens),
		a.Key.Forward(ctx, x).Reshape(ctx, o.headDim, o.kvHeads, tokens),
		a.Value.Forward(ctx, x).Reshape(ctx, o.headDim, o.kvHeads, tokens)
}

func (a *Attention) Forward(ctx ml.Context, x, positions ml.Tensor, cache kvcache.Cache, o *Options) ml.Tensor {
	q, k, v := a.project(ctx, x, o)
	if a.QueryNorm != nil {
		q = a.QueryNorm.Forward(ctx, q, o)
	}
	if a.KeyNorm != nil {
		k = a.KeyNorm.Forward(ctx, k, o)
	}
	q, k = o.rotate(ctx, q, positions), o.rotate(ctx, k, positions)
	x = nn.Attention(ctx, q, k, v, 1/math.Sqrt(float64(o.headDim)), cache)
	return a.Output.Forward(ctx, x.Reshape(ctx, o.headDim*o.heads, -1))
}

// GELU is a feed-forward network without a gate.
type GELU struct {
	Up   *nn.Linear `gguf:"ffn_up"`
	Down *nn.Linear `gguf:"ffn_down"`
}

func (f *GELU) Forward(ctx ml.Context, x ml.Tensor) ml.Tensor {
	return f.Down.Forward(ctx, f.Up.Forward(ctx, x).GELU(ctx))
}

// SwiGLU is one with a gate.
type SwiGLU struct {
	Gate *nn.Linear `gguf:"ffn_gate"`
	Up   *nn.Linear `gguf:"ffn_up"`
	Down *nn.Linear `gguf:"ffn_down"`
}

func (f *SwiGLU) Forward(ctx ml.Context, x ml.Tensor) ml.Tensor {
	gate := f.Gate.Forward(ctx, x).SILU(ctx, f.Up.Forward(ctx, x))
	return f.Down.Forward(ctx, gate)
}

// rows keeps the rows of x that outputs names, all of them if it is nil.
func rows(ctx ml.Context, x, outputs ml.Tensor) ml.Tensor {
	if outputs == nil {
		return x
	}
	return x.Rows(ctx, outputs)
}
