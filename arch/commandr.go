package arch

// Command-R (Cohere 2024): LayerNorm with a gain alone, one a block; logits
// scaled; the models of 64 layers and more norm queries and keys per head.
var _ = register(Spec{
	Name:         "command-r",
	Known:        "Command R, Command R+, Aya",
	Norm:         LayerNorm,
	Exports:      []string{"plamo"},
	AttnNorm:     NormSpec{Name: "attn_norm", Gain: Required},
	FinalNorm:    NormSpec{Name: "output_norm", Gain: Required},
	QKNorm:       Required,
	QKGain:       HeadGains,
	QKNormLayers: 64,
	Form:         Parallel,

	Rotary:  Pairwise,
	QKVBias: Optional,

	Activation: SiLU,
	Gating:     Gated,

	LogitScale: Optional,
})
