package arch

// OLMo (Ai2 2024): LayerNorm without parameters.
var _ = register(Spec{
	Name:      "olmo",
	Known:     "OLMo",
	Norm:      LayerNorm,
	Exports:   []string{"llama"},
	AttnNorm:  NormSpec{Name: "attn_norm"},
	FFNNorm:   NormSpec{Name: "ffn_norm"},
	FinalNorm: NormSpec{Name: "output_norm"},

	Rotary:  Pairwise,
	QKVBias: Optional,
	Clamp:   Optional,

	Activation: SiLU,
	Gating:     Gated,

	Head: Optional,
})
