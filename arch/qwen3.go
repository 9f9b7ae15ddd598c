package arch

// Qwen3 (Alibaba 2025): Qwen2 with a norm on each head's query and key.
var _ = register(Spec{
	Name:      "qwen3",
	Known:     "Qwen 3, Qwen3-Embedding",
	Norm:      RMSNorm,
	AttnNorm:  NormSpec{Name: "attn_norm", Gain: Required},
	FFNNorm:   NormSpec{Name: "ffn_norm", Gain: Required},
	FinalNorm: NormSpec{Name: "output_norm", Gain: Required},
	QKNorm:    Required,

	Rotary:  HalfSplit,
	QKVBias: Optional,

	Activation: SiLU,
	Gating:     Gated,

	Head:   Optional,
	Unused: []string{"cls.output.weight"}, // of a reranker
})
