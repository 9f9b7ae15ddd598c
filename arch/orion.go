package arch

// Orion-14B (OrionStar 2024): Llama's block with LayerNorm.
var _ = register(Spec{
	Name:      "orion",
	Known:     "Orion",
	Norm:      LayerNorm,
	Exports:   []string{"phimoe"},
	AttnNorm:  NormSpec{Name: "attn_norm", Gain: Required, Bias: Required},
	FFNNorm:   NormSpec{Name: "ffn_norm", Gain: Required, Bias: Required},
	FinalNorm: NormSpec{Name: "output_norm", Gain: Required, Bias: Required},

	Rotary:  HalfSplit,
	QKVBias: Optional,

	Activation: SiLU,
	Gating:     Gated,

	Head: Required,
})
