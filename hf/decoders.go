package hf

import "math"

// head is the output matrix, where the folder has one of its own.
var head = with("output", "lm_head")

// llamaTensors are those of the many descendants of Llama.
func llamaTensors(q, k []transform) []tensor {
	return []tensor{
		with("token_embd", "embed_tokens"), with("output_norm", "norm"), head,
		with("blk.%d.attn_norm", "layers.%d.input_layernorm"),
		with("blk.%d.ffn_norm", "layers.%d.post_attention_layernorm"),
		with("blk.%d.attn_q", "layers.%d.self_attn.q_proj", q...),
		with("blk.%d.attn_k", "layers.%d.self_attn.k_proj", k...),
		with("blk.%d.attn_v", "layers.%d.self_attn.v_proj"),
		with("blk.%d.attn_output", "layers.%d.self_attn.o_proj"),
		with("blk.%d.attn_q_norm", "layers.%d.self_attn.q_norm"),
		with("blk.%d.attn_k_norm", "layers.%d.self_attn.k_norm"),
		with("blk.%d.ffn_gate", "layers.%d.mlp.gate_proj"),
		with("blk.%d.ffn_up", "layers.%d.mlp.up_proj"),
		with("blk.%d.ffn_down", "layers.%d.mlp.down_proj"),
	}
}

var (
	permuted = llamaTensors([]transform{pairwise(queries)}, []transform{pairwise(keys)})
	plain    = llamaTensors(nil, nil)
	model    = []string{"model."}
)

// renamed replaces the tensors that have the names of some others.
func renamed(base []tensor, others ...tensor) []tensor {
	out := append([]tensor(nil), base...)
next:
	for _, o := range others {
		for i := range out {
			if out[i].name == o.name {
				out[i] = o
				continue next
			}
		}
		out = append(out, o)
	}
	return out
}

// plusOnes adds 1 to every norm.
func plusOnes(base []tensor) []tensor {
	out := append([]tensor(nil), base...)
	for i, t := range out {
		switch t.name {
		case "output_norm", "blk.%d.attn_norm", "blk.%d.ffn_norm", "blk.%d.post_attention_norm", "blk.%d.post_ffw_norm", "blk.%d.attn_q_norm", "blk.%d.attn_k_norm":
			out[i].as = []transform{plusOne}
		}
	}
	return out
}

// sandwich are the norms of Gemma 2 and 3: before and after both branches.
var sandwich = []tensor{
	with("blk.%d.post_attention_norm", "layers.%d.post_attention_layernorm"),
	with("blk.%d.ffn_norm", "layers.%d.pre_feedforward_layernorm"),
	with("blk.%d.post_ffw_norm", "layers.%d.post_feedforward_layernorm"),
}

// after are the norms of OLMo 2 and 3, behind both branches.
var after = []tensor{
	with("blk.%d.post_attention_norm", "layers.%d.post_attention_layernorm"),
	with("blk.%d.post_ffw_norm", "layers.%d.post_feedforward_layernorm"),
	with("blk.%d.ffn_norm", "no ffn_norm"),
}

func experts(gate, up, down string) []tensor {
	return []tensor{
		{name: "blk.%d.ffn_gate_exps", from: gate, experts: stacked},
		{name: "blk.%d.ffn_up_exps", from: up, experts: stacked},
		{name: "blk.%d.ffn_down_exps", from: down, experts: stacked},
	}
}

func stacked(b *builder) int { return b.experts }

// llamaKeys are those that a descendant of Llama has.
func llamaKeys(b *builder) {
	b.not("use_parallel_residual")
	b.shapeKeys()
	b.rmsNorm(1e-6)
	b.activation("silu", "silu")
	b.rotaryKeys("full_attention", 10000)
}

func gemmaKeys(b *builder) {
	b.headDim = b.int(256, "head_dim")
	b.rotary = b.headDim
	b.shapeKeys()
	b.rmsNorm(1e-6)
	b.activation("gelu_pytorch_tanh", "gelu_pytorch_tanh")
	b.rotaryKeys("full_attention", 10000)
	if scalar := b.float(0, "query_pre_attn_scalar"); scalar != 0 && scalar != float64(b.headDim) {
		b.f32("attention.scale", 1/math.Sqrt(scalar))
	}
}

// families are the model types, by name.
var families = map[string]*family{
	"llama":   {arch: "llama", prefixes: model, tensors: permuted, keys: llamaKeys},
	"mistral": {arch: "llama", prefixes: model, tensors: permuted, keys: func(b *builder) { llamaKeys(b); b.windows(b.int(0, "sliding_window"), all) }},
	"mixtral": {
		arch: "llama", prefixes: model,
		tensors: renamed(append(permuted, experts("layers.%d.block_sparse_moe.experts.%e.w1", "layers.%d.block_sparse_moe.experts.%e.w3", "layers.%d.block_sparse_moe.experts.%e.w2")...),
			with("blk.%d.ffn_gate_inp", "layers.%d.block_sparse_moe.gate")),
		keys: func(b *builder) {
			llamaKeys(b)
			b.windows(b.int(0, "sliding_window"), all)
			b.experts = b.int(missing, "num_local_experts")
			b.u32("expert_count", b.experts)
			b.u32("expert_used_count", b.int(missing, "num_experts_per_tok"))
		},
	},
	"qwen2": {arch: "qwen2", prefixes: model, tensors: plain, keys: func(b *builder) { llamaKeys(b); b.useWindow() }},
	"qwen3": {arch: "qwen3", prefixes: model, tensors: plain, keys: func(b *builder) { llamaKeys(b); b.useWindow() }},
	"qwen3_moe": {
		arch: "qwen3moe", prefixes: model,
		tensors: renamed(append(plain, experts("layers.%d.mlp.experts.%e.gate_proj", "layers.%d.mlp.experts.%e.up_proj", "layers.%d.mlp.experts.%e.down_proj")...),
			with("blk.%d.ffn_gate_inp", "layers.%d.mlp.gate")),
		keys: func(b *builder) {
			if !b.bool(false, "norm_topk_prob") || b.int(1, "decoder_sparse_step") != 1 || len(b.strings("mlp_only_layers")) > 0 {
				b.fail("norm_topk_prob false, decoder_sparse_step other than 1 and mlp_only_layers are not supported")
			}
			llamaKeys(b)
			b.useWindow()
			b.experts = b.int(missing, "num_experts", "num_local_experts")
			b.u32("expert_count", b.experts)
			b.u32("expert_used_count", b.int(missing, "num_experts_per_tok"))
			b.u32("expert_feed_forward_length", b.int(missing, "moe_intermediate_size"))
		},
	},
	"smollm3": {arch: "smollm3", prefixes: model, tensors: permuted, keys: func(b *builder) {
		llamaKeys(b)
		b.useWindow()
		for i, v := range b.floats("no_rope_layers") {
			if (v == 0) != ((i+1)%4 == 0) {
				b.fail("no_rope_layers is %v; smollm3 in GGUF has no RoPE on every fourth layer", b.m["no_rope_layers"])
				break
			}
		}
	}},
	"granite": {arch: "granite", prefixes: model, tensors: permuted, keys: func(b *builder) {
		llamaKeys(b)
		b.f32("attention.scale", b.float(1, "attention_multiplier"))
		b.f32("embedding_scale", b.float(1, "embedding_multiplier"))
		b.f32("residual_scale", b.float(1, "residual_multiplier"))
		b.f32("logit_scale", b.float(1, "logits_scaling"))
	}},
	"gemma": {arch: "gemma", prefixes: model, tensors: plusOnes(plain), keys: func(b *builder) {
		gemmaKeys(b)
	}},
	"gemma2": {arch: "gemma2", prefixes: model, tensors: plusOnes(renamed(plain, sandwich...)), keys: func(b *builder) {
		gemmaKeys(b)
		// 0 stands for none; without the key GGUF has the caps of the published models.
		b.f32("attn_logit_softcapping", b.float(0, "attn_logit_softcapping"))
		b.f32("final_logit_softcapping", b.float(0, "final_logit_softcapping"))
		b.windows(b.int(4096, "sliding_window"), func(i int) bool { return i%2 == 0 })
	}},
	"gemma3_text": {arch: "gemma3", prefixes: model, tensors: plusOnes(renamed(plain, sandwich...)), keys: func(b *builder) {
		b.not("use_bidirectional_attention")
		if b.has("attn_logit_softcapping") || b.has("final_logit_softcapping") {
			b.fail("soft caps are not supported in gemma3")
		}
		gemmaKeys(b)
		every := b.int(6, "sliding_window_pattern", "_sliding_window_pattern")
		b.windows(b.int(4096, "sliding_window"), func(i int) bool { return (i+1)%max(every, 1) != 0 })
		b.f32("rope.freq_base_swa", b.rope("sliding_attention", b.float(10000, "rope_local_base_freq")).base)
		if !b.sub("rope_parameters").has("full_attention") { // the style of transformers 4
			b.f32("rope.freq_base", b.float(1e6, "rope_theta"))
			b.f32("rope.freq_base_swa", b.float(10000, "rope_local_base_freq"))
		}
	}},
	"phi3": {
		arch: "phi3", prefixes: model,
		tensors: renamed(plain, with("blk.%d.attn_qkv", "layers.%d.self_attn.qkv_proj"), with("blk.%d.ffn_up", "layers.%d.mlp.gate_up_proj")),
		keys:    func(b *builder) { llamaKeys(b); b.windows(b.int(0, "sliding_window"), all) },
	},
	"glm4": {
		arch: "glm4", prefixes: model,
		tensors: renamed(plain, with("blk.%d.ffn_up", "layers.%d.mlp.gate_up_proj"),
			with("blk.%d.post_attention_norm", "layers.%d.post_self_attn_layernorm"), with("blk.%d.post_ffw_norm", "layers.%d.post_mlp_layernorm")),
		keys: llamaKeys,
	},
	"olmo": {arch: "olmo", prefixes: model, tensors: permuted, keys: func(b *builder) {
		b.shapeKeys()
		b.f32("attention.layer_norm_epsilon", 1e-5)
		b.activation("silu", "silu")
		b.rotaryKeys("full_attention", 10000)
		if b.has("clip_qkv") {
			b.f32("attention.clamp_kqv", b.float(0, "clip_qkv"))
		}
	}},
	"olmo2": {arch: "olmo2", prefixes: model, tensors: renamed(plain, after...), keys: func(b *builder) { llamaKeys(b) }},
	"olmo3": {arch: "olmo2", prefixes: model, tensors: renamed(plain, after...), keys: func(b *builder) {
		llamaKeys(b)
		b.windows(b.int(0, "sliding_window"), func(i int) bool { return (i+1)%4 != 0 })
		b.f32("rope.freq_base_swa", b.rope("sliding_attention", 500000).base)
	}},
	"cohere": {arch: "command-r", prefixes: model, tensors: plain, keys: func(b *builder) {
		b.shapeKeys()
		b.layerNorm(1e-5)
		b.activation("silu", "silu")
		b.rotaryKeys("full_attention", 10000)
		b.f32("logit_scale", b.float(0.0625, "logit_scale"))
	}},
	"cohere2": {arch: "cohere2", prefixes: model, tensors: plain, keys: func(b *builder) {
		b.shapeKeys()
		b.layerNorm(1e-5)
		b.activation("silu", "silu")
		b.rotaryKeys("full_attention", 10000)
		b.f32("logit_scale", b.float(0.0625, "logit_scale"))
		every := b.int(4, "sliding_window_pattern", "_sliding_window_pattern")
		b.windows(b.int(4096, "sliding_window"), func(i int) bool { return (i+1)%max(every, 1) != 0 })
	}},
	"nemotron": {arch: "nemotron", prefixes: model, tensors: plusOnes(plain), keys: func(b *builder) {
		b.shapeKeys()
		b.layerNorm(1e-5)
		b.activation("relu2", "relu2")
		b.rotaryKeys("full_attention", 10000)
	}},
	"stablelm": {
		arch: "stablelm", prefixes: model,
		tensors: renamed(plain, tensor{name: "blk.%d.attn_q_norm", from: "layers.%d.self_attn.q_layernorm.norms.%e", experts: queries}, tensor{name: "blk.%d.attn_k_norm", from: "layers.%d.self_attn.k_layernorm.norms.%e", experts: keys}),
		keys: func(b *builder) {
			b.shapeKeys()
			b.layerNorm(1e-5)
			b.activation("silu", "silu")
			b.rotaryKeys("full_attention", 10000)
			b.flag("use_parallel_residual", b.bool(false, "use_parallel_residual"))
		},
	},
	"starcoder2": {
		arch: "starcoder2", prefixes: model,
		tensors: renamed(plain, with("blk.%d.ffn_up", "layers.%d.mlp.c_fc"), with("blk.%d.ffn_down", "layers.%d.mlp.c_proj")),
		keys: func(b *builder) {
			b.shapeKeys()
			b.layerNorm(1e-5)
			b.activation("gelu_pytorch_tanh", "gelu_pytorch_tanh", "gelu")
			b.rotaryKeys("full_attention", 10000)
			b.windows(b.int(0, "sliding_window"), all)
		},
	},
	"phi": {
		arch: "phi2", prefixes: model,
		tensors: renamed(plain, with("output_norm", "final_layernorm"), with("blk.%d.attn_output", "layers.%d.self_attn.dense"),
			with("blk.%d.ffn_up", "layers.%d.mlp.fc1"), with("blk.%d.ffn_down", "layers.%d.mlp.fc2")),
		keys: func(b *builder) {
			b.not("qk_layernorm")
			b.shapeKeys()
			b.layerNorm(1e-5)
			b.activation("gelu_new", "gelu_pytorch_tanh", "gelu")
			b.rotaryKeys("full_attention", 10000)
		},
	},
	"persimmon": {
		arch: "nemotron", prefixes: model,
		tensors: renamed(plain, with("output_norm", "final_layernorm"), with("blk.%d.attn_qkv", "layers.%d.self_attn.query_key_value", grouped),
			with("blk.%d.attn_output", "layers.%d.self_attn.dense"),
			with("blk.%d.attn_q_norm", "layers.%d.self_attn.q_layernorm"), with("blk.%d.attn_k_norm", "layers.%d.self_attn.k_layernorm"),
			with("blk.%d.ffn_up", "layers.%d.mlp.dense_h_to_4h"), with("blk.%d.ffn_down", "layers.%d.mlp.dense_4h_to_h")),
		keys: func(b *builder) {
			b.kvHeads = b.heads // whatever num_key_value_heads says
			b.shapeKeys()
			b.layerNorm(1e-5)
			b.activation("relu2", "relu2")
			b.rotaryKeys("full_attention", 25000)
		},
	},
	"deepseek_v2": deepseek2,
	"gemma3":      {refused: "only the text model, gemma3_text, is read"},
}
