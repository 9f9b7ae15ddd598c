package arch

// EXAONE 4 (LG 2025): norms behind the branches and on queries and keys. The model
// of 64 layers has windows, and RoPE on their layers alone.
var _ = register(Spec{
	Name:      "exaone4",
	Known:     "EXAONE 4",
	Norm:      RMSNorm,
	AttnPost:  NormSpec{Name: "post_attention_norm", Gain: Required},
	FFNPost:   NormSpec{Name: "post_ffw_norm", Gain: Required},
	FinalNorm: NormSpec{Name: "output_norm", Gain: Required},
	QKNorm:    Required,

	Rotary:         HalfSplit,
	WindowedRotary: true,
	WindowPeriod:   4,
	Windows:        Optional,
	Window:         4096,
	WindowDepth:    64,
	WindowRoPE:     WindowRoPE{Scaled: true, AttnFactor: true},
	RoPETables:     OneTable,
	QKVBias:        Optional,

	Activation: SiLU,
	Gating:     Gated,

	Head: Optional,
})
