package arch

// Command A with experts (Cohere 2026): Cohere2 with a mixture of experts behind
// leading plain layers, whose norms are LayerNorm or RMSNorm.
var _ = register(Spec{
	Name:      "cohere2moe",
	Known:     "Command A with experts",
	Norm:      LayerNorm,
	NormByKey: true,
	AttnNorm:  NormSpec{Name: "attn_norm", Gain: Required},
	FinalNorm: NormSpec{Name: "output_norm", Gain: Required},
	Form:      Parallel,

	Rotary:         Pairwise,
	WindowedRotary: true,
	WindowPeriod:   4,
	GlobalFirst:    true,
	Windows:        Required,
	WindowRoPE:     WindowRoPE{Scaled: true, AttnFactor: true},
	QKVBias:        Optional,

	Activation:   SiLU,
	Gating:       Gated,
	Experts:      Required,
	LeadingDense: true,
	NextLayers:   true,
	Needs:        []string{keyLeadingDense, keyExpertFFN},
	Routing:      Routing{Score: Sigmoid, ScoreKey: true, NormKey: true, ScaleKey: true, Width: true, Fused: true, Shared: Optional, SharedWidth: ByCountOrWidth, Half: true},

	Head:       Optional,
	LogitScale: Required,
})
