package arch

// Qwen2 (Alibaba 2024): Llama with biases on queries, keys and values.
var _ = register(Spec{
	Name:      "qwen2",
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
