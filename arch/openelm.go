package arch

// OpenELM (Apple 2024): heads and widths differ from layer to layer.
var _ = register(Spec{
	Name:      "openelm",
	Known:     "OpenELM",
	Norm:      RMSNorm,
	AttnNorm:  NormSpec{Name: "attn_norm", Gain: Required},
	FFNNorm:   NormSpec{Name: "ffn_norm", Gain: Required},
	FinalNorm: NormSpec{Name: "output_norm", Gain: Required},
	QKNorm:    Required,

	Rotary:   HalfSplit,
	QKVFused: true,

	Activation: SiLU,
	Gating:     Gated,
})
