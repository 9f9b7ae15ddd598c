package arch

// Granite 3 with experts (IBM 2024), and a shared one.
var _ = register(Spec{
	Name:      "granitemoe",
	Known:     "Granite 3 with experts",
	Norm:      RMSNorm,
	AttnNorm:  NormSpec{Name: "attn_norm", Gain: Required},
	FFNNorm:   NormSpec{Name: "ffn_norm", Gain: Required},
	FinalNorm: NormSpec{Name: "output_norm", Gain: Required},

	Rotary:     Pairwise,
	RoPETables: ByScaling,
	QKVBias:    Optional,
	OutBias:    Optional,

	Activation: SiLU,
	Gating:     Gated,
	Experts:    Required,
	Routing:    Routing{Shared: Optional, Gateless: true},

	ScaleKeys:  true,
	Head:       Optional,
	LogitScale: Required,
})
