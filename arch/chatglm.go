package arch

// ChatGLM and GLM-4 9B (Z.ai 2023-24).
var _ = register(Spec{
	Name:      "chatglm",
	Known:     "ChatGLM 3, GLM-4 9B",
	Norm:      RMSNorm,
	AttnNorm:  NormSpec{Name: "attn_norm", Gain: Required},
	FFNNorm:   NormSpec{Name: "ffn_norm", Gain: Required},
	FinalNorm: NormSpec{Name: "output_norm", Gain: Required},

	Rotary:  Pairwise,
	QKVBias: Optional,

	Activation: SiLU,
	Gating:     FusedGate,

	Head: Optional,
})
