package arch

// MiniCPM (OpenBMB 2024): Granite's scales, which older files leave out.
var _ = register(Spec{
	Name:      "minicpm",
	Known:     "MiniCPM",
	Norm:      RMSNorm,
	AttnNorm:  NormSpec{Name: "attn_norm", Gain: Required},
	FFNNorm:   NormSpec{Name: "ffn_norm", Gain: Required},
	FinalNorm: NormSpec{Name: "output_norm", Gain: Required},

	Rotary:     Pairwise,
	RoPETables: ByScaling,
	QKVBias:    Optional,
	OutBias:    Optional,
	AttnScale:  InvSqrtHead,

	Activation: SiLU,
	Gating:     Gated,
	FFNBias:    Optional,

	EmbedScale:    Twelve,
	ResidualScale: ByLayers,
	ScaleKeys:     true,
	LogitDivisor:  ByDim,
	Head:          Optional,
	LogitScale:    Optional,
})
