// Package toy makes up models with random weights: tiny ones of any
// architecture for tests, and large ones of well-known shapes for
// benchmarks.
package toy

import (
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/quant"
)

// A Shape is what a model is apart from its weights.
type Shape struct {
	Arch                             string
	Layers, Dim, Heads, KVHeads, FFN int
	Vocab, Context                   int
	Rotary                           int // rope.dimension_count; 0: the architecture's default
	Base                             float32
	Parallel                         bool
	Experts, Active                  int
	Want                             func(tensor string) bool // which optional tensors there are; nil: none
	Keys                             []gguf.KV                // further metadata
}

// Shapes are the well-known ones, by the names that `infer synth` takes.
var Shapes = map[string]Shape{
	"gpt2-124M":   {Arch: "gpt2", Layers: 12, Dim: 768, Heads: 12, KVHeads: 12, FFN: 3072, Vocab: 50257, Context: 1024},
	"pythia-410M": {Arch: "gptneox", Layers: 24, Dim: 1024, Heads: 16, KVHeads: 16, FFN: 4096, Vocab: 50304, Context: 2048, Rotary: 16, Parallel: true},
	"llama-1B":    {Arch: "llama", Layers: 16, Dim: 2048, Heads: 32, KVHeads: 8, FFN: 8192, Vocab: 128256, Context: 131072, Base: 500000},
}

// needed are the values of keys that an architecture has among its Needs.
var needed = map[string]uint32{
	"expert_feed_forward_length": 48,
	"expert_shared_count":        1,
	"leading_dense_block_count":  1,
	"interleave_moe_layer_step":  1,
	"attention.kv_lora_rank":     16,
	"attention.key_length_mla":   16,
	"attention.value_length_mla": 8,
}

// Tiny returns a small shape of an architecture, with every optional tensor
// that want accepts (nil: none).
func Tiny(name string, want func(tensor string) bool) Shape {
	layers := 2
	if s, ok := arch.Lookup(name); ok && len(s.Depths) > 0 {
		layers = s.Depths[0]
	}
	return Shape{Arch: name, Layers: layers, Dim: 32, Heads: 4, KVHeads: 4, FFN: 96, Vocab: 128, Context: 256,
		Experts: 2, Active: 2, Want: want}
}

// Meta returns the metadata of a model of the shape.
func (s Shape) Meta() (*gguf.Meta, error) {
	spec, ok := arch.Lookup(s.Arch)
	if !ok {
		return nil, &arch.UnknownError{Name: s.Arch}
	}
	eps := "attention.layer_norm_epsilon"
	if spec.Norm == arch.RMSNorm {
		eps = "attention.layer_norm_rms_epsilon"
	}
	u32 := func(n int) uint32 { return uint32(n) }
	if spec.Latent {
		s.KVHeads, s.Rotary = 1, 8 // of the 16 of needed
	}
	kvHeads := any(u32(s.KVHeads))
	if spec.Recurrence != arch.NoRecurrence { // in every other layer
		list := make([]uint32, s.Layers)
		for i := range list {
			if (i%2 == 0) == (spec.Recurrence == arch.Mamba) || s.Layers == 1 {
				list[i] = u32(s.KVHeads)
			}
		}
		kvHeads = list
	}
	kvs := []gguf.KV{
		{Key: "general.architecture", Value: s.Arch},
		{Key: "general.name", Value: fmt.Sprintf("random %s", s.Arch)},
		{Key: s.Arch + ".vocab_size", Value: u32(s.Vocab)},
		{Key: s.Arch + ".context_length", Value: u32(s.Context)},
		{Key: s.Arch + ".embedding_length", Value: u32(s.Dim)},
		{Key: s.Arch + ".block_count", Value: u32(s.Layers)},
		{Key: s.Arch + ".feed_forward_length", Value: u32(s.FFN)},
		{Key: s.Arch + ".attention.head_count", Value: u32(s.Heads)},
		{Key: s.Arch + ".attention.head_count_kv", Value: kvHeads},
		{Key: s.Arch + "." + eps, Value: float32(1e-5)},
		{Key: "tokenizer.ggml.model", Value: "none"},
	}
	if spec.Rotary != arch.NoRotary {
		rotary, base := s.Rotary, s.Base
		if rotary == 0 {
			rotary = s.Dim / s.Heads
		}
		if base == 0 {
			base = 10000
		}
		kvs = append(kvs, gguf.KV{Key: s.Arch + ".rope.dimension_count", Value: u32(rotary)},
			gguf.KV{Key: s.Arch + ".rope.freq_base", Value: base})
	}
	if spec.Form == arch.ParallelByKey {
		kvs = append(kvs, gguf.KV{Key: s.Arch + ".use_parallel_residual", Value: s.Parallel})
	}
	if spec.Experts == arch.Required || spec.Experts == arch.Optional && s.Active > 0 && s.Want != nil && s.Want("experts") {
		kvs = append(kvs, gguf.KV{Key: s.Arch + ".expert_count", Value: u32(s.Experts)},
			gguf.KV{Key: s.Arch + ".expert_used_count", Value: u32(s.Active)})
	}
	if r := spec.Routing; r.ScoreKey && r.Score == arch.SoftmaxChosen {
		kvs = append(kvs, gguf.KV{Key: s.Arch + ".expert_gating_func", Value: u32(2)})
	}
	for _, key := range spec.Needs {
		kvs = append(kvs, gguf.KV{Key: s.Arch + "." + key, Value: needed[key]})
	}
	if spec.Activation == arch.XIELU {
		for _, v := range []gguf.KV{{Key: "alpha_n", Value: float32(0.8)}, {Key: "alpha_p", Value: float32(0.8)}, {Key: "beta", Value: float32(0.5)}, {Key: "eps", Value: float32(-1e-6)}} {
			kvs = append(kvs, gguf.KV{Key: "xielu." + v.Key, Value: v.Value})
		}
	}
	if spec.ExpertsEvery {
		kvs = append(kvs, gguf.KV{Key: s.Arch + ".moe_every_n_layers", Value: u32(2)})
	}
	if spec.Windows == arch.Required {
		kvs = append(kvs, gguf.KV{Key: s.Arch + ".attention.sliding_window", Value: u32(8)})
	}
	if spec.Latent {
		kvs = append(kvs, gguf.KV{Key: s.Arch + ".attention.q_lora_rank", Value: u32(24)},
			gguf.KV{Key: s.Arch + ".attention.key_length", Value: u32(16 + 8)}, gguf.KV{Key: s.Arch + ".attention.value_length", Value: u32(16)})
	}
	switch spec.Recurrence {
	case arch.ShortConv:
		kvs = append(kvs, gguf.KV{Key: s.Arch + ".shortconv.l_cache", Value: u32(3)})
	case arch.Mamba:
		for _, kv := range []struct {
			key   string
			value int
		}{{"conv_kernel", 4}, {"inner_size", 2 * s.Dim}, {"state_size", 16}, {"time_step_rank", s.Heads}, {"group_count", 0}} {
			kvs = append(kvs, gguf.KV{Key: s.Arch + ".ssm." + kv.key, Value: u32(kv.value)})
		}
	}
	if spec.Clamp == arch.Required {
		kvs = append(kvs, gguf.KV{Key: s.Arch + ".attention.clamp_kqv", Value: float32(8)})
	}
	if spec.LogitScale == arch.Required {
		kvs = append(kvs, gguf.KV{Key: s.Arch + ".logit_scale", Value: float32(0.25)})
	}
	m := new(gguf.Meta)
	for _, kv := range append(kvs, s.Keys...) {
		if err := m.Set(kv.Key, kv.Value); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// Write writes a model with random weights: matrices with the variance of a
// trained model's and a mean that is not zero, gains near 1, small biases.
// The same arguments give the same bytes.
func Write(w io.Writer, s Shape, typ string, seed uint64) error {
	meta, err := s.Meta()
	if err != nil {
		return err
	}
	want := s.Want
	if want == nil {
		want = func(string) bool { return false }
	}
	tensors, err := arch.Shapes(meta, s.Vocab, func(name string) bool {
		return name == "token_embd.weight" || want(name)
	})
	if err != nil {
		return err
	}
	infos := make([]gguf.TensorInfo, len(tensors))
	for i, t := range tensors {
		q := quant.F32
		if len(t.Dims) > 1 {
			if q, err = typeOf(typ, t.Name, t.Dims[0], s.Layers); err != nil {
				return err
			}
		}
		infos[i] = gguf.TensorInfo{Name: t.Name, Type: q, Dims: t.Dims}
	}
	out, err := gguf.NewWriter(w, 3, meta, infos)
	if err != nil {
		return err
	}
	for i, t := range infos {
		rng := rand.New(rand.NewPCG(seed, uint64(i)))
		if len(t.Dims) == 1 {
			err = writeVector(out, t, rng)
		} else {
			var p *pool
			if p, err = poolOf(t.Type, seed); err == nil {
				err = p.write(out, t, rng)
			}
		}
		if err != nil {
			return err
		}
	}
	return out.Close()
}

func writeVector(w *gguf.Writer, t gguf.TensorInfo, rng *rand.Rand) error {
	v := make([]float32, t.Dims[0])
	for i := range v {
		v[i] = float32(rng.NormFloat64()) * 0.1
		if strings.HasSuffix(t.Name, ".weight") {
			v[i]++ // a gain, or a factor
		}
	}
	b := make([]byte, 4*len(v))
	if err := quant.Encode(b, quant.F32, v); err != nil {
		return err
	}
	return w.Tensor(t.Name, b)
}

// A pool is a stretch of random blocks from which the rows of large matrices
// are cut at random places: encoding a billion numbers would take minutes,
// and no kernel can tell.
type pool struct {
	format quant.Format
	blocks []byte
}

// poolItems is a length that no row is a multiple of.
const poolItems = 256 * 4099

// pools are those that were made, by type and seed: a pool is a thousand times
// the work of a tiny model.
var pools sync.Map

type poolKey struct {
	typ  quant.Type
	seed uint64
}

func poolOf(t quant.Type, seed uint64) (*pool, error) {
	if p, ok := pools.Load(poolKey{t, seed}); ok {
		return p.(*pool), nil
	}
	blocks, err := Weights(t, poolItems, rand.New(rand.NewPCG(seed, 1<<32)))
	if err != nil {
		return nil, err
	}
	f, _ := t.Format()
	p := &pool{format: f, blocks: blocks}
	pools.Store(poolKey{t, seed}, p)
	return p, nil
}

func (p *pool) write(w *gguf.Writer, t gguf.TensorInfo, rng *rand.Rand) error {
	row := t.Dims[0] / p.format.Items * p.format.Bytes
	rows := 1
	for _, n := range t.Dims[1:] {
		rows *= n
	}
	if row > len(p.blocks) {
		return fmt.Errorf("toy: rows of %d are too long", t.Dims[0])
	}
	if err := w.Begin(t.Name); err != nil {
		return err
	}
	places := (len(p.blocks)-row)/p.format.Bytes + 1
	b := make([]byte, 0, max(row, pieceBytes))
	for i := range rows {
		at := rng.IntN(places) * p.format.Bytes
		b = append(b, p.blocks[at:at+row]...)
		if len(b)+row > cap(b) || i == rows-1 {
			if _, err := w.Write(b); err != nil {
				return err
			}
			b = b[:0]
		}
	}
	return nil
}

// pieceBytes is how much of a matrix is made before it is written: whoever
// cancels a write of gigabytes waits for one piece.
const pieceBytes = 1 << 20

// Names lists the names of Shapes in order.
func Names() []string {
	var names []string
	for n := range Shapes {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}
