package arch

// InternLM 2 (Shanghai AI Laboratory 2024): Llama.
var _ = register(Spec{
	Name:      "internlm2",
	Known:     "InternLM 2",
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
