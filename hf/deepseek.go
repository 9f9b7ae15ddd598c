package hf

import "fmt"

// deepseek2 is DeepSeek-V2: latent attention, and experts behind leading plain layers.
var deepseek2 = &family{
	arch: "deepseek2", prefixes: model,
	tensors: append(renamed(plain,
		with("blk.%d.attn_q_a", "layers.%d.self_attn.q_a_proj"),
		with("blk.%d.attn_q_a_norm", "layers.%d.self_attn.q_a_layernorm"),
		with("blk.%d.attn_q_b", "layers.%d.self_attn.q_b_proj"),
		with("blk.%d.attn_kv_a_mqa", "layers.%d.self_attn.kv_a_proj_with_mqa"),
		with("blk.%d.attn_kv_a_norm", "layers.%d.self_attn.kv_a_layernorm"),
		with("blk.%d.attn_k_b", "layers.%d.self_attn.kv_b_proj", keysOfLatent),
		with("blk.%d.attn_v_b", "layers.%d.self_attn.kv_b_proj", valuesOfLatent),
		with("blk.%d.ffn_gate_inp", "layers.%d.mlp.gate"),
		with("blk.%d.ffn_gate_shexp", "layers.%d.mlp.shared_experts.gate_proj"),
		with("blk.%d.ffn_up_shexp", "layers.%d.mlp.shared_experts.up_proj"),
		with("blk.%d.ffn_down_shexp", "layers.%d.mlp.shared_experts.down_proj"),
	), experts("layers.%d.mlp.experts.%e.gate_proj", "layers.%d.mlp.experts.%e.up_proj", "layers.%d.mlp.experts.%e.down_proj")...),
	keys: deepseek2Keys,
}

func deepseek2Keys(b *builder) {
	b.not("attention_bias", "mlp_bias", "norm_topk_prob")
	if b.kvHeads != b.heads {
		b.fail("num_key_value_heads is %d for %d heads; latent attention has as many", b.kvHeads, b.heads)
	}
	if eps := b.float(1e-6, "rms_norm_eps"); eps != 1e-6 {
		b.fail("rms_norm_eps is %v; the norms on latents have 1e-06 whatever it is, and a file has one epsilon", eps)
	}
	if every := b.int(1, "moe_layer_freq"); every != 1 {
		b.fail("moe_layer_freq is %d, which is not supported", every)
	}
	turned, rest, latent, values := b.int(64, "qk_rope_head_dim"), b.int(128, "qk_nope_head_dim"), b.int(512, "kv_lora_rank"), b.int(128, "v_head_dim")
	if b.err == nil && min(turned, rest, latent, values) < 1 {
		b.fail("qk_rope_head_dim is %d, qk_nope_head_dim %d, kv_lora_rank %d and v_head_dim %d", turned, rest, latent, values)
	}
	b.kvHeads, b.headDim, b.latent = 1, turned, latentShape{rest, latent, values} // RoPE is of that part
	b.u32("block_count", b.layers)
	b.u32("context_length", b.context)
	b.u32("embedding_length", b.dim)
	b.u32("feed_forward_length", b.ffn)
	b.u32("attention.head_count", b.heads)
	b.u32("attention.head_count_kv", 1)
	b.u32("attention.key_length", latent+turned)
	b.u32("attention.value_length", latent)
	b.u32("attention.key_length_mla", rest+turned)
	b.u32("attention.value_length_mla", values)
	if rank, given := b.m["q_lora_rank"]; rank != nil || !given { // null: queries have no latent
		b.u32("attention.q_lora_rank", b.int(1536, "q_lora_rank"))
	}
	b.u32("attention.kv_lora_rank", latent)
	b.rmsNorm(1e-6)
	b.activation("silu", "silu")
	if kind := b.rope("full_attention", 10000).kind; kind != "default" && kind != "yarn" {
		b.fail("rope_type %.40q is not supported in this family", kind)
	}
	b.rotaryKeys("full_attention", 10000)

	b.experts = b.int(64, "n_routed_experts")
	b.u32("expert_count", b.experts)
	b.u32("expert_used_count", b.int(missing, "num_experts_per_tok"))
	b.u32("expert_feed_forward_length", b.int(1407, "moe_intermediate_size"))
	b.u32("expert_shared_count", b.int(2, "n_shared_experts"))
	b.f32("expert_weights_scale", b.float(1, "routed_scaling_factor"))
	b.u32("leading_dense_block_count", b.int(0, "first_k_dense_replace"))
	switch method := b.string("greedy", "topk_method"); method {
	case "greedy": // whatever n_group is
		b.u32("expert_group_count", 1)
		b.u32("expert_group_used_count", 1)
	case "group_limited_greedy":
		b.u32("expert_group_count", b.int(missing, "n_group"))
		b.u32("expert_group_used_count", b.int(missing, "topk_group"))
	default:
		b.fail("topk_method %.40q is not supported", method)
	}
}

// latentShape are the widths of latent attention: of what keys of a head have beside the
// part that RoPE turns, of the latent, and of values of a head.
type latentShape struct{ rest, latent, values int }

// ofLatent takes rows from to to-1 of each head from kv_b_proj: one matrix a head.
func ofLatent(b *builder, v value, from, to int) (value, error) {
	l := &b.latent
	each := l.rest + l.values
	if len(v.shape) != 2 || v.shape[0] != b.heads*each || v.shape[1] != l.latent {
		return value{}, fmt.Errorf("has the shape %d, want %d heads of %d rows of %d", v.shape, b.heads, each, l.latent)
	}
	out := value{dtype: v.dtype, shape: []int{b.heads, to - from, l.latent}}
	row := len(v.data) / v.shape[0]
	for h := range b.heads {
		out.data = append(out.data, v.data[(h*each+from)*row:(h*each+to)*row]...)
	}
	return out, nil
}

// valuesOfLatent takes the matrices of values.
func valuesOfLatent(b *builder, v value, _ int, _ bool) (value, error) {
	return ofLatent(b, v, b.latent.rest, b.latent.rest+b.latent.values)
}

// keysOfLatent takes those of keys, each transposed.
func keysOfLatent(b *builder, v value, _ int, _ bool) (value, error) {
	all, err := ofLatent(b, v, 0, b.latent.rest)
	if err != nil {
		return value{}, err
	}
	out := value{dtype: v.dtype, shape: []int{b.heads, b.latent.latent, b.latent.rest}}
	size := len(all.data) / b.heads
	for h := range b.heads {
		t, err := value{v.dtype, all.shape[1:], all.data[h*size:][:size]}.transposed()
		if err != nil {
			return value{}, err
		}
		out.data = append(out.data, t.data...)
	}
	return out, nil
}
