package arch

// dots.llm1 (Xiaohongshu 2025): experts behind leading plain layers.
var _ = register(Spec{
	Name:      "dots1",
	Known:     "dots.llm1",
	Norm:      RMSNorm,
	AttnNorm:  NormSpec{Name: "attn_norm", Gain: Required},
	FFNNorm:   NormSpec{Name: "ffn_norm", Gain: Required},
	FinalNorm: NormSpec{Name: "output_norm", Gain: Required},
	QKNorm:    Required,

	Rotary:  HalfSplit,
	QKVBias: Optional,

	Activation:   SiLU,
	Gating:       Gated,
	Experts:      Required,
	LeadingDense: true,
	Needs:        []string{keyExpertFFN, keySharedExperts},
	Routing:      Routing{ScoreKey: true, NormKey: true, ScaleKey: true, Select: Optional, Width: true, Shared: Optional, SharedWidth: ByCount},

	Head: Required,
})
