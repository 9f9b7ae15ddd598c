package arch

// XVERSE (XVERSE 2023): Llama.
var _ = register(Spec{
	Name:      "xverse",
	Known:     "XVERSE",
	Norm:      RMSNorm,
	AttnNorm:  NormSpec{Name: "attn_norm", Gain: Required},
	FFNNorm:   NormSpec{Name: "ffn_norm", Gain: Required},
	FinalNorm: NormSpec{Name: "output_norm", Gain: Required},

	Rotary:  Pairwise,
	QKVBias: Optional,

	Activation: SiLU,
	Gating:     Gated,

	Head: Required,
})
