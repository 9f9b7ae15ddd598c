package arch

// ERNIE 4.5 (Baidu 2025): Llama.
var _ = register(Spec{
	Name:      "ernie4_5",
	Known:     "ERNIE 4.5 0.3B",
	Norm:      RMSNorm,
	AttnNorm:  NormSpec{Name: "attn_norm", Gain: Required},
	FFNNorm:   NormSpec{Name: "ffn_norm", Gain: Required},
	FinalNorm: NormSpec{Name: "output_norm", Gain: Required},

	Rotary:  Pairwise,
	QKVBias: Optional,
	OutBias: Unused,

	Activation: SiLU,
	Gating:     Gated,

	Head: Optional,
})
