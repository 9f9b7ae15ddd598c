package arch

// EXAONE 3 (LG 2024): Llama with RoPE in halves.
var _ = register(Spec{
	Name:      "exaone",
	Known:     "EXAONE 3",
	Norm:      RMSNorm,
	AttnNorm:  NormSpec{Name: "attn_norm", Gain: Required},
	FFNNorm:   NormSpec{Name: "ffn_norm", Gain: Required},
	FinalNorm: NormSpec{Name: "output_norm", Gain: Required},

	Rotary:     HalfSplit,
	RoPETables: OneTable,
	QKVBias:    Optional,

	Activation: SiLU,
	Gating:     Gated,

	Head: Optional,
})
