package arch

// Qwen2 (Alibaba 2024): Llama with biases on queries, keys and values.
var _ = register(Spec{
	Name:      "qwen2",
	Known:     "Qwen 2, Qwen 2.5, QwQ, DeepSeek-R1-Distill-Qwen",
	Norm:      RMSNorm,
	AttnNorm:  NormSpec{Name: "attn_norm", Gain: Required},
	FFNNorm:   NormSpec{Name: "ffn_norm", Gain: Required},
	FinalNorm: NormSpec{Name: "output_norm", Gain: Required},

	Rotary:  HalfSplit,
	QKVBias: Optional,

	Activation: SiLU,
	Gating:     Gated,

	Head:     Optional,
	HeadBias: Optional,
})
