package arch

// OLMoE (Ai2 2024): experts whose weights are not normalized, and norms on queries
// and keys over their full width.
var _ = register(Spec{
	Name:      "olmoe",
	Known:     "OLMoE",
	Norm:      RMSNorm,
	AttnNorm:  NormSpec{Name: "attn_norm", Gain: Required},
	FFNNorm:   NormSpec{Name: "ffn_norm", Gain: Required},
	FinalNorm: NormSpec{Name: "output_norm", Gain: Required},
	QKNorm:    Required,
	QKGain:    AllHeads,

	Rotary:  HalfSplit,
	QKVBias: Optional,

	Activation: SiLU,
	Gating:     Gated,
	Experts:    Required,
	Routing:    Routing{Score: SoftmaxAll},

	Head: Required,
})
