package hf

import (
	"fmt"
	"math"
	"slices"
)

// A family is what a model_type is in GGUF.
type family struct {
	arch     string   // general.architecture
	prefixes []string // that may stand before the names of the base model's tensors
	keys     func(b *builder)
	tensors  []tensor
	unused   []string                // ends of names of tensors that logits do not need
	refused  string                  // why the family is not read
	variant  func(c *config) *family // what reads a configuration in its place; nil: none
}

// A tensor is one of the file and what it is made of. Names have neither
// ".weight" nor ".bias"; %d is the layer, %e the expert.
type tensor struct {
	name     string
	from     string // several are put below one another
	conv1D   bool   // stored transposed
	as       []transform
	experts  func(b *builder) int // how many are stacked, such as experts; %e counts them
	zeroBias func(b *builder) int // elements of a bias that GGUF wants and the folder has not
}

// A transform changes the weight or bias of a layer.
type transform func(b *builder, v value, layer int, bias bool) (value, error)

func with(name, from string, as ...transform) tensor { return tensor{name: name, from: from, as: as} }

// plusOne is for gains that are stored minus 1.
func plusOne(_ *builder, v value, _ int, bias bool) (value, error) {
	if bias {
		return v, nil
	}
	return v.each(func(x float32) float32 { return x + 1 })
}

// pairwise orders the rows of each head for pairwise RoPE: row 2i+j is row
// j*width/2+i. heads tells whether the tensor is of queries or keys.
func pairwise(heads func(b *builder) int) transform {
	return func(b *builder, v value, _ int, _ bool) (value, error) {
		w := b.headDim
		return v.rows(heads(b)*w, func(r int) int {
			h, i := r/w, r%w
			return h*w + i%2*(w/2) + i/2
		})
	}
}

// halves orders the first rotary rows of each head, which RoPE turns in pairs,
// for RoPE in halves; it is for queries and keys.
func halves(b *builder, v value, _ int, _ bool) (value, error) {
	w, n := b.headDim, b.rotary
	return v.rows(b.heads*w, func(r int) int {
		h, i := r/w, r%w
		switch {
		case i < n/2:
			i = 2 * i
		case i < n:
			i = 2*(i-n/2) + 1
		}
		return h*w + i
	})
}

func queries(b *builder) int { return b.heads }
func keys(b *builder) int    { return b.kvHeads }

// grouped takes queries, keys and values that are interleaved: for each head of
// keys its queries, then the key, then the value.
func grouped(b *builder, v value, _ int, _ bool) (value, error) {
	w, q := b.headDim, b.heads/b.kvHeads
	return v.rows((b.heads+2*b.kvHeads)*w, func(r int) int {
		h, i := r/w, r%w
		group, at := 0, 0
		switch {
		case h < b.heads:
			group, at = h/q, h%q
		case h < b.heads+b.kvHeads:
			group, at = h-b.heads, q
		default:
			group, at = h-b.heads-b.kvHeads, q+1
		}
		return (group*(q+2)+at)*w + i
	})
}

// codegen takes qkv_proj, which is four groups of queries, values and keys.
func codegen(part int, as ...transform) transform {
	return func(b *builder, v value, layer int, bias bool) (value, error) {
		n := b.dim / 4
		order := [3]int{0, 2, 1}[part]
		out, err := v.rows(3*b.dim, func(r int) int {
			if r >= b.dim {
				return r // cut off below
			}
			return r/n*3*n + order*n + r%n
		})
		if err == nil {
			out, err = out.slice(0, b.dim)
		}
		for _, f := range as {
			if err == nil {
				out, err = f(b, out, layer, bias)
			}
		}
		return out, err
	}
}

// times multiplies by a factor.
func times(factor func(b *builder) float64) transform {
	return func(b *builder, v value, _ int, _ bool) (value, error) {
		f := factor(b)
		return v.each(func(x float32) float32 { return float32(float64(x) * f) })
	}
}

// half takes one of the two halves of the rows.
func half(which int) transform {
	return func(_ *builder, v value, _ int, _ bool) (value, error) {
		if len(v.shape) == 0 || v.shape[0]%2 != 0 {
			return v, fmt.Errorf("has the shape %d, want two halves", v.shape)
		}
		n := v.shape[0] / 2
		return v.slice(which*n, (which+1)*n)
	}
}

// from drops the first rows.
func from(first func(b *builder) int) transform {
	return func(b *builder, v value, _ int, _ bool) (value, error) {
		if len(v.shape) == 0 {
			return v, fmt.Errorf("is a scalar")
		}
		return v.slice(first(b), v.shape[0])
	}
}

// common reads what every family has.
func (b *builder) common() {
	s := &b.shape
	s.layers = b.int(missing, "num_hidden_layers", "n_layer", "n_layers", "num_layers")
	s.dim = b.int(missing, "hidden_size", "n_embd", "d_model", "dim")
	s.heads = b.int(missing, "num_attention_heads", "n_head", "n_heads", "num_heads", "attention_heads")
	s.kvHeads = b.int(s.heads, "num_key_value_heads", "num_kv_heads", "n_head_kv")
	s.context = b.int(2048, "max_position_embeddings", "n_positions", "max_seq_len", "seq_length")
	const most = 1 << 20
	if b.err == nil && (s.layers < 1 || s.dim < 1 || s.heads < 1 || s.kvHeads < 1 || max(s.layers, s.heads, s.kvHeads) > most) {
		b.fail("%d layers, width %d, %d heads and %d heads of keys", s.layers, s.dim, s.heads, s.kvHeads)
	}
	s.headDim = b.int(s.dim/max(s.heads, 1), "head_dim")
	s.ffn = b.int(4*s.dim, "intermediate_size", "n_inner", "ffn_dim", "ffn_hidden_size", "hidden_dim")
	if b.err == nil && (s.headDim < 1 || s.headDim > most || s.heads%s.kvHeads != 0) {
		b.fail("heads are %d wide, %d of keys for %d", s.headDim, s.kvHeads, s.heads)
	}
	s.rotary = s.headDim
}

// shapeKeys writes what common read.
func (b *builder) shapeKeys() {
	b.u32("block_count", b.layers)
	b.u32("context_length", b.context)
	b.u32("embedding_length", b.dim)
	b.u32("feed_forward_length", b.ffn)
	b.u32("attention.head_count", b.heads)
	b.u32("attention.head_count_kv", b.kvHeads)
	if b.headDim*b.heads != b.dim || b.has("head_dim") {
		b.u32("attention.key_length", b.headDim)
		b.u32("attention.value_length", b.headDim)
	}
}

// layerNorm and rmsNorm write the epsilon.
func (b *builder) layerNorm(def float64) {
	b.f32("attention.layer_norm_epsilon", b.float(def, "layer_norm_epsilon", "layer_norm_eps", "norm_epsilon", "norm_eps"))
}

func (b *builder) rmsNorm(def float64) {
	b.f32("attention.layer_norm_rms_epsilon", b.float(def, "rms_norm_eps"))
}

// activation holds the activation to some names, the first of which is what the
// architecture computes. The others are written as the key hidden_activation.
func (b *builder) activation(def string, native string, others ...string) {
	name := b.string(def, "hidden_activation", "activation_function", "hidden_act", "activation")
	if alias, ok := map[string]string{"gelu_fast": "gelu_pytorch_tanh", "gelu_new": "gelu_pytorch_tanh", "swish": "silu", "gelu_python": "gelu", "gelu_pytorch": "gelu"}[name]; ok {
		name = alias
	}
	switch {
	case name == native:
	case slices.Contains(others, name):
		b.text("hidden_activation", name)
	default:
		b.fail("the activation %.40q is not supported in this family", name)
	}
}

// rotaryKeys writes RoPE of the global layers.
func (b *builder) rotaryKeys(kind string, base float64) {
	r := b.config.rope(kind, base)
	b.rotary = int(float64(b.headDim) * r.partial)
	b.u32("rope.dimension_count", b.rotary)
	b.f32("rope.freq_base", r.base)
	const scaling = "rope.scaling."
	factor := func() float64 {
		f := r.float(math.NaN(), "factor")
		b.f32(scaling+"factor", f)
		return f
	}
	switch r.kind {
	case "default":
	case "linear":
		b.text(scaling+"type", "linear")
		factor()
	case "yarn":
		b.yarn(r, factor())
	case "llama3":
		b.llama3(r)
	case "longrope", "su":
		b.longRope(r)
	default:
		b.fail("rope_type %.40q is not supported", r.kind)
	}
	if r.config.err != nil && b.err == nil {
		b.err = r.config.err
	}
}

// yarn writes YaRN. The attention factor of transformers is the whole factor,
// that of GGUF stands beside 0.1 ln(factor) + 1.
func (b *builder) yarn(r rope, factor float64) {
	const scaling = "rope.scaling."
	if !r.bool(true, "truncate") {
		b.fail("rope scaling: truncate is false, which is not supported")
	}
	b.text(scaling+"type", "yarn")
	b.u32(scaling+"original_context_length", r.int(b.context, "original_max_position_embeddings"))
	if r.has("beta_fast") {
		b.f32(scaling+"yarn_beta_fast", r.float(32, "beta_fast"))
	}
	if r.has("beta_slow") {
		b.f32(scaling+"yarn_beta_slow", r.float(1, "beta_slow"))
	}
	mscale := func(by float64) float64 {
		if factor <= 1 {
			return 1
		}
		return 0.1*by*math.Log(factor) + 1
	}
	whole := mscale(1)
	m, all := r.float(0, "mscale"), r.float(0, "mscale_all_dim")
	if b.latent.latent > 0 { // scores are multiplied by mscale(all)^2 as well
		if all == 0 || m != all || r.has("attention_factor") {
			b.fail("rope scaling: YaRN is supported with mscale and mscale_all_dim equal, and without attention_factor")
		}
		b.f32(scaling+"yarn_log_multiplier", 0.1*all)
		return
	}
	if m != 0 && all != 0 {
		whole = mscale(m) / mscale(all)
	}
	whole = r.float(whole, "attention_factor")
	if whole != mscale(1) {
		b.f32(scaling+"attn_factor", whole/(0.1*math.Log(factor)+1))
	}
}

// llama3 writes the scaling of Llama 3 as factors of the frequencies, in the
// single precision of llama.cpp's converter.
func (b *builder) llama3(r rope) {
	factor, low, high := r.float(math.NaN(), "factor"), r.float(1, "low_freq_factor"), r.float(4, "high_freq_factor")
	orig := r.float(8192, "original_max_position_embeddings")
	factors := make([]float32, b.rotary/2)
	for i := range factors {
		exponent := float32(2*i) / float32(b.rotary)
		freq := 1 / float32(math.Pow(r.base, float64(exponent)))
		wave := 1 / freq * float32(2*math.Pi) // torch divides numbers by tensors in this way
		switch {
		case wave < float32(orig/high):
			factors[i] = 1
		case wave > float32(orig/low):
			factors[i] = float32(factor)
		default:
			smooth := (1/wave*float32(orig) - float32(low)) / float32(high-low)
			factors[i] = 1 / ((1-smooth)/float32(factor) + smooth)
		}
	}
	b.append("rope_freqs.weight", float32s(factors, len(factors)))
}

// longRope writes the two tables of factors.
func (b *builder) longRope(r rope) {
	const scaling = "rope.scaling."
	orig := b.int(r.int(b.context, "original_max_position_embeddings"), "original_max_position_embeddings")
	factor := r.float(float64(b.context)/float64(orig), "factor")
	attn := 1.0
	if factor > 1 {
		attn = math.Sqrt(1 + math.Log(factor)/math.Log(float64(orig)))
	}
	b.u32(scaling+"original_context_length", orig)
	b.f32(scaling+"attn_factor", r.float(attn, "attention_factor"))
	for _, t := range []struct{ key, name string }{{"long_factor", "rope_factors_long.weight"}, {"short_factor", "rope_factors_short.weight"}} {
		x := r.floats(t.key)
		if len(x) != b.rotary/2 {
			b.fail("rope scaling: %s has %d numbers, want %d", t.key, len(x), b.rotary/2)
			return
		}
		b.append(t.name, float32s(x, len(x)))
	}
}

// windows writes a sliding window, with the layers that have it. width 0: none.
func (b *builder) windows(width int, on func(layer int) bool) {
	if width == 0 {
		return
	}
	each := make([]bool, b.layers)
	if types := b.strings("layer_types"); len(types) > 0 {
		if len(types) != b.layers {
			b.fail("layer_types has %d entries for %d layers", len(types), b.layers)
			return
		}
		for i, kind := range types {
			switch kind {
			case "sliding_attention":
				each[i] = true
			case "full_attention":
			default:
				b.fail("layer_types[%d] is %.40q, which is not supported", i, kind)
			}
		}
	} else {
		for i := range each {
			each[i] = on(i)
		}
	}
	if slices.Contains(each, true) {
		b.u32("attention.sliding_window", width)
		b.bools("attention.sliding_window_pattern", each)
	}
}

func all(int) bool { return true }

// useWindow is the window of the Qwens: layers from max_window_layers on.
func (b *builder) useWindow() {
	if b.bool(false, "use_sliding_window") {
		first := b.int(0, "max_window_layers")
		b.windows(b.int(0, "sliding_window"), func(i int) bool { return i >= first })
	}
}
