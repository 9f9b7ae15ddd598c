package arch

// Gemma (Google 2024): Llama with GELU, wide heads and a scaled embedding.
// The converter stores the gains with their 1 added.
var _ = register(Spec{
	Name:      "gemma",
	Known:     "Gemma",
	Norm:      RMSNorm,
	AttnNorm:  NormSpec{Name: "attn_norm", Gain: Required},
	FFNNorm:   NormSpec{Name: "ffn_norm", Gain: Required},
	FinalNorm: NormSpec{Name: "output_norm", Gain: Required},

	Rotary:  HalfSplit,
	QKVBias: Optional,

	Activation: GELU,
	Gating:     Gated,

	EmbedScale: SqrtDim,
})
