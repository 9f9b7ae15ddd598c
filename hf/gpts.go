package hf

import (
	"math"
	"strings"
)

var transformer = []string{"transformer."}

// gptTensors are those of GPT-2, from which the others differ.
var gptTensors = []tensor{
	with("token_embd", "wte"), with("position_embd", "wpe"), with("output_norm", "ln_f"), head,
	with("blk.%d.attn_norm", "h.%d.ln_1"), with("blk.%d.ffn_norm", "h.%d.ln_2"),
	with("blk.%d.attn_qkv", "h.%d.attn.c_attn"), with("blk.%d.attn_output", "h.%d.attn.c_proj"),
	with("blk.%d.ffn_up", "h.%d.mlp.c_fc"), with("blk.%d.ffn_down", "h.%d.mlp.c_proj"),
}

// allConv1D marks the matrices of GPT-2's blocks.
func allConv1D(base []tensor) []tensor {
	out := append([]tensor(nil), base...)
	for i, t := range out {
		if strings.Contains(t.from, ".c_") {
			out[i].conv1D = true
		}
	}
	return out
}

// dims are the elements of a zero bias.
func width(b *builder) int       { return b.dim }
func threeWidths(b *builder) int { return 3 * b.dim }

// fusedTensors are those of families that compute as GPT-2 does with separate
// queries, keys and values, which its architecture in GGUF wants as one matrix.
func fusedTensors(layers, attn, out string) []tensor {
	return []tensor{
		with("output_norm", "layer_norm"), head,
		with("blk.%d.attn_norm", layers+"self_attn_layer_norm"), with("blk.%d.ffn_norm", layers+"final_layer_norm"),
		{name: "blk.%d.attn_qkv", from: layers + attn + "q_proj " + layers + attn + "k_proj " + layers + attn + "v_proj", zeroBias: threeWidths},
		with("blk.%d.attn_output", layers+attn+out),
	}
}

// ropeGPT are GPT-J's tensors, which Phi-2's architecture computes.
var ropeGPT = []tensor{
	with("token_embd", "wte"), with("output_norm", "ln_f"), head, with("blk.%d.attn_norm", "h.%d.ln_1"),
	{name: "blk.%d.attn_output", from: "h.%d.attn.out_proj", zeroBias: width},
	with("blk.%d.ffn_up", "h.%d.mlp.fc_in"), with("blk.%d.ffn_down", "h.%d.mlp.fc_out"),
}

func ropeGPTKeys(b *builder) {
	b.shapeKeys()
	b.layerNorm(1e-5)
	b.activation("gelu_new", "gelu_pytorch_tanh", "gelu")
	b.rotary = b.int(b.headDim, "rotary_dim")
	b.u32("rope.dimension_count", b.rotary)
	b.f32("rope.freq_base", 10000)
}

func gptKeys(b *builder) {
	b.not("scale_attn_by_inverse_layer_idx", "add_cross_attention")
	b.shapeKeys()
	b.layerNorm(1e-5)
	b.activation("gelu_new", "gelu_pytorch_tanh", "gelu", "relu")
	if !b.bool(true, "scale_attn_weights") {
		b.f32("attention.scale", 1)
	}
}

// reluShift makes ReLU of GELU: GELU(2^20 x) / 2^20 is max(x, 0) to 1e-7 of x.
const reluShift = 1 << 20

func shifted(by float64) transform { return times(func(*builder) float64 { return by }) }

// downShifted leaves the bias as it is.
func downShifted(b *builder, v value, layer int, bias bool) (value, error) {
	if bias {
		return v, nil
	}
	return shifted(1.0/reluShift)(b, v, layer, bias)
}

// scaledQueries multiplies the queries of a fused matrix by the square root of
// the heads' width, by which GPT-2 divides and GPT-Neo does not.
func scaledQueries(b *builder, v value, _ int, _ bool) (value, error) {
	x, err := v.floats()
	if err != nil {
		return value{}, err
	}
	f := math.Sqrt(float64(b.headDim))
	for i := range len(x) / 3 {
		x[i] = float32(float64(x[i]) * f)
	}
	return float32s(x, v.shape...), nil
}

func init() {
	families["gpt2"] = &family{arch: "gpt2", prefixes: transformer, tensors: allConv1D(gptTensors), keys: gptKeys}
	families["gpt_bigcode"] = &family{arch: "starcoder", prefixes: transformer, tensors: gptTensors, keys: func(b *builder) {
		if b.bool(true, "multi_query") {
			b.kvHeads = 1
		} else {
			b.fail("multi_query is false: its interleaved heads are not supported")
		}
		gptKeys(b)
	}}
	families["gpt_neo"] = &family{
		arch: "gpt2", prefixes: transformer,
		tensors: renamed(gptTensors,
			tensor{name: "blk.%d.attn_qkv", from: "h.%d.attn.attention.q_proj h.%d.attn.attention.k_proj h.%d.attn.attention.v_proj", as: []transform{scaledQueries}, zeroBias: threeWidths},
			with("blk.%d.attn_output", "h.%d.attn.attention.out_proj")),
		unused: []string{".attn.attention.bias", ".attn.attention.masked_bias"},
		keys: func(b *builder) {
			b.ffn = b.int(4*b.dim, "intermediate_size")
			gptKeys(b)
			kinds := b.strings("attention_layers")
			if len(kinds) != b.layers {
				b.fail("attention_layers has %d entries for %d layers", len(kinds), b.layers)
				return
			}
			b.windows(b.int(256, "window_size"), func(i int) bool { return kinds[i] == "local" })
		},
	}
	families["gptj"] = &family{arch: "phi2", prefixes: transformer, keys: ropeGPTKeys, tensors: append(append([]tensor(nil), ropeGPT...),
		with("blk.%d.attn_q", "h.%d.attn.q_proj", halves), with("blk.%d.attn_k", "h.%d.attn.k_proj", halves), with("blk.%d.attn_v", "h.%d.attn.v_proj"))}
	families["codegen"] = &family{arch: "phi2", prefixes: transformer, keys: ropeGPTKeys, tensors: append(append([]tensor(nil), ropeGPT...),
		with("blk.%d.attn_q", "h.%d.attn.qkv_proj", codegen(0, halves)), with("blk.%d.attn_k", "h.%d.attn.qkv_proj", codegen(1, halves)), with("blk.%d.attn_v", "h.%d.attn.qkv_proj", codegen(2))),
		unused: []string{".attn.causal_mask"}}

	opt := func(from string) []tensor { return fusedTensors(from+"layers.%d.", "self_attn.", "out_proj") }
	offset := from(func(*builder) int { return 2 })
	families["opt"] = &family{
		arch: "gpt2", prefixes: []string{"model.decoder.", "decoder."},
		tensors: renamed(opt(""), with("output_norm", "final_layer_norm"), with("token_embd", "embed_tokens"), with("position_embd", "embed_positions", offset),
			with("blk.%d.ffn_up", "layers.%d.fc1", shifted(reluShift)), with("blk.%d.ffn_down", "layers.%d.fc2", downShifted)),
		keys: func(b *builder) {
			if !b.bool(true, "do_layer_norm_before") {
				b.fail("do_layer_norm_before is false (OPT-350m): its norms behind the branches and its projected embedding are not supported")
			}
			if b.int(b.dim, "word_embed_proj_dim") != b.dim || !b.bool(true, "layer_norm_elementwise_affine") || !b.bool(true, "enable_bias") {
				b.fail("word_embed_proj_dim other than hidden_size, and models without biases or gains, are not supported")
			}
			b.not("_remove_final_layer_norm")
			b.shapeKeys()
			b.f32("attention.layer_norm_epsilon", 1e-5)
			if act := b.string("relu", "activation_function"); act != "relu" {
				b.fail("the activation %.40q is not supported in this family", act)
			}
		},
	}
	families["xglm"] = &family{
		arch: "gpt2", prefixes: model,
		tensors: renamed(opt(""), with("token_embd", "embed_tokens", times(func(b *builder) float64 {
			if b.bool(true, "scale_embedding") {
				return math.Sqrt(float64(b.dim))
			}
			return 1
		})), with("output", "embed_tokens"), with("blk.%d.ffn_up", "layers.%d.fc1"), with("blk.%d.ffn_down", "layers.%d.fc2")),
		unused: []string{"embed_positions.weights", "lm_head.weight"},
		keys: func(b *builder) {
			if !b.bool(true, "tie_word_embeddings") {
				b.fail("tie_word_embeddings is false, which is not supported in this family")
			}
			b.shapeKeys()
			b.f32("attention.layer_norm_epsilon", 1e-5)
			b.activation("gelu", "gelu_pytorch_tanh", "gelu", "relu")
			b.sinusoids(2)
		},
	}

	neox := []tensor{
		with("token_embd", "embed_in"), with("output_norm", "final_layer_norm"), with("output", "embed_out"), with("output", "lm_head"),
		with("blk.%d.attn_norm", "layers.%d.input_layernorm"), with("blk.%d.ffn_norm", "layers.%d.post_attention_layernorm"),
		with("blk.%d.attn_qkv", "layers.%d.attention.query_key_value", grouped), with("blk.%d.attn_output", "layers.%d.attention.dense"),
		with("blk.%d.ffn_up", "layers.%d.mlp.dense_h_to_4h"), with("blk.%d.ffn_down", "layers.%d.mlp.dense_4h_to_h"),
	}
	families["gpt_neox"] = &family{arch: "gptneox", prefixes: []string{"gpt_neox."}, tensors: neox, keys: func(b *builder) {
		if b.m["rotary_pct"] == nil && b.m["rope_parameters"] == nil && b.m["partial_rotary_factor"] == nil {
			b.fail("rotary_pct is missing")
		}
		b.shapeKeys()
		b.layerNorm(1e-5)
		b.activation("gelu", "gelu_pytorch_tanh", "gelu")
		b.rotaryKeys("full_attention", 10000)
		b.flag("use_parallel_residual", b.bool(true, "use_parallel_residual"))
	}}
	bloom := []tensor{
		with("token_embd", "word_embeddings"), with("token_embd_norm", "word_embeddings_layernorm"), with("output_norm", "ln_f"), head,
		with("blk.%d.attn_norm", "h.%d.input_layernorm"), with("blk.%d.ffn_norm", "h.%d.post_attention_layernorm"),
		with("blk.%d.attn_qkv", "h.%d.self_attention.query_key_value", grouped), with("blk.%d.attn_output", "h.%d.self_attention.dense"),
		with("blk.%d.ffn_up", "h.%d.mlp.dense_h_to_4h"), with("blk.%d.ffn_down", "h.%d.mlp.dense_4h_to_h"),
	}
	families["bloom"] = &family{arch: "bloom", prefixes: transformer, tensors: bloom, keys: func(b *builder) {
		b.not("apply_residual_connection_post_layernorm")
		b.ffn = 4 * b.dim
		b.kvHeads = b.heads
		b.shapeKeys()
		b.layerNorm(1e-5)
	}}
	rw := &family{
		arch: "mpt", prefixes: transformer, tensors: renamed(bloom, with("token_embd_norm", "no norm")),
		keys: func(b *builder) {
			if b.bool(true, "parallel_attn") || b.bool(false, "new_decoder_architecture") || b.bool(true, "multi_query") {
				b.fail("ALiBi (falcon-rw) with parallel_attn, multi_query or new_decoder_architecture is not supported")
			}
			b.kvHeads = b.heads
			b.ffn = b.int(4*b.dim, "ffn_hidden_size")
			b.shapeKeys()
			b.layerNorm(1e-5)
			b.text("hidden_activation", b.string("gelu", "activation"))
			b.f32("attention.max_alibi_bias", 8)
			b.f32("attention.alibi_scale", 1/math.Sqrt(float64(b.headDim))) // it is added before the division
		},
	}
	families["falcon"] = &family{
		arch: "falcon", prefixes: transformer,
		variant: func(c *config) *family {
			if c.bool(false, "alibi") {
				return rw
			}
			return nil
		},
		tensors: renamed(bloom, with("blk.%d.ffn_norm", "no ffn_norm"), with("token_embd_norm", "no norm"), with("blk.%d.attn_norm", "h.%d.input_layernorm"), with("blk.%d.attn_norm_2", "h.%d.ln_attn"),
			with("blk.%d.attn_norm ", "h.%d.ln_mlp")),
		keys: func(b *builder) {
			if !b.bool(true, "parallel_attn") {
				b.fail("parallel_attn is false without ALiBi, which is not supported")
			}
			b.not("bias")
			b.ffn = b.int(4*b.dim, "ffn_hidden_size")
			if !b.bool(false, "new_decoder_architecture") {
				b.kvHeads = b.heads
				if b.bool(true, "multi_query") {
					b.kvHeads = 1
				}
			}
			b.shapeKeys()
			b.layerNorm(1e-5)
			b.activation("gelu", "gelu_pytorch_tanh", "gelu")
			b.rotaryKeys("full_attention", 10000)
		},
	}
	families["mpt"] = &family{
		arch: "mpt", prefixes: transformer,
		tensors: []tensor{
			with("token_embd", "wte"), with("position_embd", "wpe"), with("output_norm", "norm_f"), head,
			with("blk.%d.attn_norm", "blocks.%d.norm_1"), with("blk.%d.ffn_norm", "blocks.%d.norm_2"),
			with("blk.%d.attn_qkv", "blocks.%d.attn.Wqkv"), with("blk.%d.attn_output", "blocks.%d.attn.out_proj"),
			with("blk.%d.ffn_up", "blocks.%d.ffn.up_proj"), with("blk.%d.ffn_down", "blocks.%d.ffn.down_proj"),
		},
		keys: func(b *builder) {
			attn := b.sub("attn_config")
			b.ffn = b.int(4, "expansion_ratio") * b.dim
			if attn.has("softmax_scale") {
				b.f32("attention.scale", attn.float(0, "softmax_scale"))
			}
			b.kvHeads = attn.int(b.heads, "kv_n_heads")
			b.shapeKeys()
			b.layerNorm(1e-5)
			b.text("hidden_activation", "gelu")
			if attn.has("clip_qkv") {
				b.f32("attention.clamp_kqv", attn.float(0, "clip_qkv"))
			}
			if attn.bool(true, "alibi") {
				b.f32("attention.max_alibi_bias", attn.float(8, "alibi_bias_max"))
			}
			if attn.err != nil && b.err == nil {
				b.err = attn.err
			}
		},
	}
}

// sinusoids appends the table of positions that XGLM computes: sines of half of
// the width, then cosines, from position offset on, in single precision.
func (b *builder) sinusoids(offset int) {
	half := b.dim / 2
	x := make([]float32, b.context*b.dim)
	step := float32(math.Log(10000) / float64(half-1))
	for p := range b.context {
		if p+offset == b.int(1, "pad_token_id") {
			continue // the row of the padding token is zero
		}
		for i := range half {
			freq := float32(math.Exp(float64(float32(i) * -step)))
			angle := float64(float32(p+offset) * freq)
			x[p*b.dim+i] = float32(math.Sin(angle))
			x[p*b.dim+half+i] = float32(math.Cos(angle))
		}
	}
	b.append("position_embd.weight", float32s(x, b.context, b.dim))
}
