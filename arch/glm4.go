package arch

// GLM-4 0414 (Z.ai 2025): four norms a layer, RoPE on a part of each head.
var _ = register(Spec{
	Name:      "glm4",
	Known:     "GLM-4 0414",
	Norm:      RMSNorm,
	AttnNorm:  NormSpec{Name: "attn_norm", Gain: Required},
	AttnPost:  NormSpec{Name: "post_attention_norm", Gain: Required},
	FFNNorm:   NormSpec{Name: "ffn_norm", Gain: Required},
	FFNPost:   NormSpec{Name: "post_ffw_norm", Gain: Required},
	FinalNorm: NormSpec{Name: "output_norm", Gain: Required},

	Rotary:         Pairwise,
	SectionsHalves: true,
	QKVBias:        Optional,

	Activation: SiLU,
	Gating:     FusedGate,
	NextLayers: true,

	Head: Optional,
})
