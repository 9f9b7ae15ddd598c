package hf

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/fold"
	"github.com/normswap/normswap/gguf"
)

// A way back from GGUF says what an architecture is in transformers.
type wayBack struct {
	kind, class string
	config      func(g *backReader) map[string]any // beside what all have
}

var waysBack = map[string]wayBack{
	"gpt2": {"gpt2", "GPT2LMHeadModel", gptBack},
	"starcoder": {"gpt_bigcode", "GPTBigCodeForCausalLM", func(g *backReader) map[string]any {
		c := gptBack(g)
		c["multi_query"] = g.m.KVHeads == 1
		return c
	}},
	"gptneox": {"gpt_neox", "GPTNeoXForCausalLM", func(g *backReader) map[string]any {
		return map[string]any{"layer_norm_eps": g.eps(), "hidden_act": g.act("gelu_new"), "rotary_pct": g.partial(), "rotary_emb_base": g.base(),
			"use_parallel_residual": g.m.Blocks[0].Parallel, "attention_bias": true}
	}},
	"phi2": {"phi", "PhiForCausalLM", func(g *backReader) map[string]any {
		return map[string]any{"layer_norm_eps": g.eps(), "hidden_act": g.act("gelu_new"), "partial_rotary_factor": g.partial(), "rope_theta": g.base(), "qk_layernorm": false}
	}},
	"stablelm": {"stablelm", "StableLmForCausalLM", func(g *backReader) map[string]any {
		return map[string]any{"layer_norm_eps": g.eps(), "hidden_act": "silu", "partial_rotary_factor": g.partial(), "rope_theta": g.base(),
			"use_qkv_bias": g.has("blk.0.attn_q.bias"), "qk_layernorm": g.has("blk.0.attn_q_norm.weight"), "use_parallel_residual": !g.has("blk.0.ffn_norm.weight")}
	}},
	"starcoder2": {"starcoder2", "Starcoder2ForCausalLM", func(g *backReader) map[string]any {
		c := map[string]any{"norm_epsilon": g.eps(), "hidden_act": g.act("gelu_pytorch_tanh"), "rope_theta": g.base(), "use_bias": true, "sliding_window": nil}
		if w := g.m.Blocks[0].Window; w > 0 {
			c["sliding_window"] = w
		}
		return c
	}},
	"falcon": {"falcon", "FalconForCausalLM", func(g *backReader) map[string]any {
		two := g.has("blk.0.attn_norm_2.weight")
		c := map[string]any{"layer_norm_epsilon": g.eps(), "activation": g.act("gelu_new"), "rope_theta": g.base(), "ffn_hidden_size": g.m.FFN,
			"bias": false, "alibi": false, "parallel_attn": true, "new_decoder_architecture": two || g.m.KVHeads > 1, "multi_query": true}
		if two || g.m.KVHeads > 1 {
			c["num_kv_heads"], c["num_ln_in_parallel_attn"] = g.m.KVHeads, map[bool]int{false: 1, true: 2}[two]
		}
		return c
	}},
	"olmo": {"olmo", "OlmoForCausalLM", func(g *backReader) map[string]any {
		c := map[string]any{"hidden_act": "silu", "rope_theta": g.base(), "attention_bias": false, "clip_qkv": nil}
		if clip := g.num("attention.clamp_kqv", 0); clip > 0 {
			c["clip_qkv"] = clip
		}
		return c
	}},
	"command-r": {"cohere", "CohereForCausalLM", func(g *backReader) map[string]any {
		return map[string]any{"layer_norm_eps": g.eps(), "hidden_act": "silu", "rope_theta": g.base(), "logit_scale": g.num("logit_scale", 1), "use_qk_norm": g.has("blk.0.attn_q_norm.weight"), "attention_bias": false}
	}},
	"cohere2": {"cohere2", "Cohere2ForCausalLM", func(g *backReader) map[string]any {
		kinds, window := make([]string, g.m.Layers), 4096
		for i := range kinds {
			kinds[i] = "full_attention"
			if w := g.m.Blocks[i].Window; w > 0 {
				kinds[i], window = "sliding_attention", w
			}
		}
		return map[string]any{"layer_norm_eps": g.eps(), "hidden_act": "silu", "rope_theta": g.base(), "logit_scale": g.num("logit_scale", 1), "attention_bias": false,
			"sliding_window": window, "layer_types": kinds}
	}},
	"nemotron": {"nemotron", "NemotronForCausalLM", func(g *backReader) map[string]any {
		return map[string]any{"norm_eps": g.eps(), "hidden_act": "relu2", "partial_rotary_factor": g.partial(), "rope_theta": g.base(), "attention_bias": g.has("blk.0.attn_q.bias"), "mlp_bias": g.has("blk.0.ffn_up.bias")}
	}},
}

func gptBack(g *backReader) map[string]any {
	return map[string]any{"layer_norm_epsilon": g.eps(), "activation_function": g.act("gelu_new"), "n_embd": g.m.Dim, "n_layer": g.m.Layers,
		"n_head": g.m.Heads, "n_positions": g.m.Context, "n_ctx": g.m.Context, "n_inner": g.m.FFN}
}

// A backReader reads what a configuration needs of a file.
type backReader struct {
	f    *gguf.File
	m    *arch.Model
	arch string
}

// A pyFloat is a number that Python reads as a float, with a point in it.
type pyFloat float64

func (f pyFloat) MarshalJSON() ([]byte, error) {
	b, err := json.Marshal(float64(f))
	if err == nil && !bytes.ContainsAny(b, ".e") {
		b = append(b, ".0"...)
	}
	return b, err
}

func (g *backReader) num(key string, def float64) pyFloat {
	v, err := gguf.Get[float64](&g.f.Meta, g.arch+"."+key)
	if err != nil {
		return pyFloat(def)
	}
	return pyFloat(v)
}

func (g *backReader) has(tensor string) bool { _, ok := g.f.Tensor(tensor); return ok }
func (g *backReader) eps() pyFloat           { return g.num("attention.layer_norm_epsilon", 1e-5) }
func (g *backReader) base() pyFloat          { return g.num("rope.freq_base", 10000) }
func (g *backReader) partial() pyFloat       { return pyFloat(float64(g.m.RoPE.Dims) / float64(g.m.HeadDim)) }

func (g *backReader) act(def string) string {
	v, err := gguf.Get[string](&g.f.Meta, g.arch+".hidden_activation")
	if err != nil {
		return def
	}
	return v
}

// PrepareExportGGUF is [PrepareExport] for a GGUF file, which the caller closes after
// the export. tokenizer is a folder with the tokenizer's files, "" for none. Weights
// of blocks become F32. What a folder cannot say of the file is a [*fold.Refusal].
func PrepareExportGGUF(ctx context.Context, f *gguf.File, name, tokenizer string, o ExportOptions) (e *Export, err error) {
	err = f.Guard(func() error {
		b, err := back(f)
		if err != nil {
			return err
		}
		b.name = name
		e, err = b.export(ctx, tokenizer, o)
		return err
	})
	if err == nil {
		e.source = f
	}
	return e, err
}

// back makes of a file what open makes of a folder.
func back(f *gguf.File) (*builder, error) {
	name, err := gguf.Get[string](&f.Meta, arch.KeyArchitecture)
	if err != nil {
		return nil, fmt.Errorf("hf: %w", err)
	}
	m, err := arch.Load(f)
	if err != nil {
		return nil, err
	}
	if _, err := fold.New(m); err != nil {
		return nil, err
	}
	way, ok := waysBack[name]
	if !ok {
		return nil, &fold.Refusal{Arch: name, Reason: fmt.Sprintf("the way from GGUF back to transformers is known of %s; give the folder that the file was made of", strings.Join(slices.Sorted(maps.Keys(waysBack)), ", "))}
	}
	g := &backReader{f, m, name}
	all := map[string]any{
		"model_type": way.kind, "architectures": []string{way.class}, "vocab_size": m.Vocab, "hidden_size": m.Dim, "num_hidden_layers": m.Layers,
		"num_attention_heads": m.Heads, "num_key_value_heads": m.KVHeads, "intermediate_size": m.FFN, "max_position_embeddings": m.Context,
		"tie_word_embeddings": m.Tied, "dtype": "float32",
	}
	if m.HeadDim*m.Heads != m.Dim {
		all["head_dim"] = m.HeadDim
	}
	maps.Copy(all, way.config(g))
	raw, err := json.Marshal(all)
	if err != nil {
		return nil, fmt.Errorf("hf: %w", err)
	}
	c := &config{}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&c.m); err != nil {
		return nil, fmt.Errorf("hf: %w", err)
	}
	fam := families[way.kind]
	b := &builder{config: c, checkpoint: &checkpoint{tensors: map[string]value{}, used: map[string]bool{}}, family: fam, class: way.class, arch: fam.arch}
	b.common()
	fam.keys(b) // transformations need what it reads
	if b.err != nil {
		return nil, &fold.Refusal{Arch: name, Reason: b.err.Error()}
	}
	if err := b.undoAll(f); err != nil {
		return nil, fmt.Errorf("hf: %w", err)
	}
	if way.kind == "phi" { // GPT-J has no biases of queries, keys and values
		for i := range b.layers {
			for _, l := range []string{"q", "k", "v"} {
				name := fmt.Sprintf("model.layers.%d.self_attn.%s_proj.", i, l)
				if w, ok := b.checkpoint.tensors[name+"weight"]; ok && b.checkpoint.tensors[name+"bias"].data == nil {
					b.checkpoint.tensors[name+"bias"] = float32s(make([]float32, w.shape[0]), w.shape[0])
				}
			}
		}
	}
	b.meta, b.tensors = gguf.Meta{}, nil
	if err := b.build(fam); err != nil {
		return nil, fmt.Errorf("hf: %w", err)
	}
	return b, b.same(f, m)
}

// undoAll makes the tensors of the folder of those of a file.
func (b *builder) undoAll(f *gguf.File) error {
	prefix := ""
	if len(b.family.prefixes) > 0 {
		prefix = b.family.prefixes[0]
	}
	for _, t := range b.family.tensors {
		if b.arch == "falcon" { // its norm has another name where there are two
			_, two := f.Tensor("blk.0.attn_norm_2.weight")
			if two && t.from == "h.%d.input_layernorm" || !two && t.from == "h.%d.ln_mlp" {
				continue
			}
		}
		layers := 1
		if strings.Contains(t.name, "%d") {
			layers = b.layers
		}
		for i := range layers {
			for _, suffix := range []string{".weight", ".bias"} {
				x, ok := f.Tensor(strings.ReplaceAll(inLayer(t.name, i), " ", "") + suffix)
				sources := b.sources(t, i)
				if !ok || b.checkpoint.tensors[prefix+inLayer(sources[0], i)+suffix].data != nil || t.name == "output" && b.checkpoint.tensors["lm_head"+suffix].data != nil {
					continue
				}
				v, err := valueOf(x)
				if err == nil {
					v, err = b.undo(t, v, i, suffix == ".bias")
				}
				if err != nil {
					return fmt.Errorf("tensor %s: %w", x.Name, err)
				}
				if len(v.shape) == 0 || v.shape[0]%len(sources) != 0 {
					return fmt.Errorf("tensor %s has the shape %d, want %d equal parts", x.Name, v.shape, len(sources))
				}
				n := v.shape[0] / len(sources)
				for j, from := range sources {
					part, err := v.slice(j*n, (j+1)*n)
					if err != nil {
						return fmt.Errorf("tensor %s: %w", x.Name, err)
					}
					if t.experts != nil { // a dimension of its own
						part.shape = part.shape[1:]
					}
					name := prefix + inLayer(from, i)
					if t.name == "output" {
						name = from
					}
					b.checkpoint.tensors[name+suffix] = part
				}
			}
		}
	}
	return nil
}

// valueOf returns a tensor as transformers stores it: blocks decoded.
func valueOf(x *gguf.Tensor) (value, error) {
	shape := slices.Clone(x.Dims)
	slices.Reverse(shape)
	for dtype, t := range types {
		if t == x.Type {
			return value{dtype, shape, x.Data}, nil
		}
	}
	values, err := x.Float32s()
	if err != nil {
		return value{}, err
	}
	return float32s(values, shape...), nil
}

// undo is the inverse of a tensor's transformations, which it finds by what they make
// of zeros and of numbers: they add a constant, or put rows into another order.
func (b *builder) undo(t tensor, v value, layer int, bias bool) (value, error) {
	if len(t.as) > 0 {
		n := v.shape[0]
		probe := func(x []float32) ([]float32, error) {
			p := float32s(x, n)
			for _, f := range t.as {
				var err error
				if p, err = f(b, p, layer, bias); err != nil {
					return nil, err
				}
			}
			return p.floats()
		}
		zeros, err := probe(make([]float32, n))
		if err != nil {
			return value{}, err
		}
		if len(zeros) != n {
			return value{}, errors.New("its transformation cannot be undone")
		}
		if c := zeros[0]; c != 0 {
			return v.each(func(x float32) float32 { return x - c })
		}
		numbers := make([]float32, n)
		for i := range numbers {
			numbers[i] = float32(i)
		}
		order, err := probe(numbers)
		if err != nil {
			return value{}, err
		}
		to := make([]int, n)
		seen := make([]bool, n)
		for i, at := range order {
			j := int(at)
			if float32(j) != at || j < 0 || j >= n || seen[j] || n > 1<<24 {
				return value{}, errors.New("its transformation cannot be undone")
			}
			to[j], seen[j] = i, true
		}
		if v, err = v.rows(n, func(i int) int { return to[i] }); err != nil {
			return value{}, err
		}
	}
	if t.conv1D {
		return v.transposed()
	}
	return v, nil
}

// same tells what of a file its folder does not say: a parameter or a tensor.
func (b *builder) same(f *gguf.File, was *arch.Model) error {
	made := b.file()
	refuse := func(format string, args ...any) error {
		return &fold.Refusal{Arch: b.arch, Reason: fmt.Sprintf(format, args...) + ", which a folder of transformers cannot say; give the folder that the file was made of"}
	}
	for i := range made.Tensors {
		x := &made.Tensors[i]
		a, err := x.Float32s()
		if err != nil {
			return err
		}
		y, ok := f.Tensor(x.Name)
		if !ok && slices.Max(a) == 0 && slices.Min(a) == 0 {
			continue // a bias that transformers wants
		}
		if !ok {
			return refuse("the file has no %s", x.Name)
		}
		w, err := y.Float32s()
		if err != nil {
			return err
		}
		for j := range w {
			if d := math.Abs(float64(a[j]) - float64(w[j])); len(a) != len(w) || !(d <= 1e-6*math.Abs(float64(w[j]))) {
				return refuse("the file has another %s", x.Name)
			}
		}
	}
	for i := range f.Tensors {
		if _, ok := made.Tensor(f.Tensors[i].Name); !ok {
			return refuse("the file has the tensor %s", f.Tensors[i].Name)
		}
	}
	now, err := arch.Load(made)
	if err != nil {
		return err
	}
	x, y := reflect.ValueOf(was.Hyper), reflect.ValueOf(now.Hyper)
	for i := range x.NumField() {
		if !reflect.DeepEqual(x.Field(i).Interface(), y.Field(i).Interface()) {
			return refuse("%s is %.60v in the file, not %.60v", x.Type().Field(i).Name, x.Field(i), y.Field(i))
		}
	}
	for i := range was.Blocks {
		a, c := &was.Blocks[i], &now.Blocks[i]
		if x, y := shapeOf(a), shapeOf(c); x != y {
			return refuse("layer %d has %s, not %s", i, x, y)
		}
	}
	return nil
}

// shapeOf says what a layer is beside its tensors.
func shapeOf(b *arch.Block) string {
	return fmt.Sprintf("%d heads, %d of keys, an FFN of %d, a window of %d, RoPE: %v, parallel branches: %v", b.Heads, b.KVHeads, b.FFN, b.Window, b.Rotary, b.Parallel)
}
