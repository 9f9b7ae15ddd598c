package arch

// GLM-4.5, 4.6 and 4.7 (Z.ai 2025): experts behind leading plain layers.
var _ = register(Spec{
	Name:      "glm4moe",
	Known:     "GLM-4.5 to 4.7",
	Norm:      RMSNorm,
	AttnNorm:  NormSpec{Name: "attn_norm", Gain: Required},
	FFNNorm:   NormSpec{Name: "post_attention_norm", Gain: Required},
	FinalNorm: NormSpec{Name: "output_norm", Gain: Required},
	QKNorm:    Optional,

	Rotary:         HalfSplit,
	SectionsHalves: true, // and without them
	QKVBias:        Optional,

	Activation:   SiLU,
	Gating:       Gated,
	Experts:      Required,
	LeadingDense: true,
	NextLayers:   true,
	Needs:        []string{keyExpertFFN, keySharedExperts},
	Routing:      Routing{Score: Sigmoid, ScoreKey: true, NormKey: true, ScaleKey: true, Select: Required, Width: true, Shared: Optional, SharedWidth: ByCount},

	Head: Optional,
})
