package arch

// SmolLM 3 (Hugging Face 2025): Llama without RoPE in every fourth layer.
var _ = register(Spec{
	Name:      "smollm3",
	Known:     "SmolLM3",
	Norm:      RMSNorm,
	AttnNorm:  NormSpec{Name: "attn_norm", Gain: Required},
	FFNNorm:   NormSpec{Name: "ffn_norm", Gain: Required},
	FinalNorm: NormSpec{Name: "output_norm", Gain: Required},

	Rotary:       Pairwise,
	RotaryPeriod: 4,
	QKVBias:      Optional,
	AttnScale:    InvSqrtHead,

	Activation: SiLU,
	Gating:     Gated,

	Head: Optional,
})
