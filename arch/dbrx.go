package arch

// DBRX (Databricks 2024): a mixture of experts with LayerNorm.
var _ = register(Spec{
	Name:      "dbrx",
	Known:     "DBRX",
	Norm:      LayerNorm,
	AttnNorm:  NormSpec{Name: "attn_norm", Gain: Required},
	FFNNorm:   NormSpec{Name: "attn_output_norm", Gain: Required},
	FinalNorm: NormSpec{Name: "output_norm", Gain: Required},

	Rotary:   HalfSplit,
	QKVFused: true,
	Clamp:    Required,

	Activation: SiLU,
	Gating:     Gated,
	Experts:    Required,

	Head: Required,
})
