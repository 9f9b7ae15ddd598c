package arch

// OLMo 2 and 3 (Ai2 2024-25): the norms stand after the branches instead of
// before them, and on queries and keys over their full width. OLMo 3 has
// sliding windows, on whose layers positions are not scaled.
var _ = register(Spec{
	Name:      "olmo2",
	Known:     "OLMo 2, OLMo 3",
	Norm:      RMSNorm,
	AttnPost:  NormSpec{Name: "post_attention_norm", Gain: Required},
	FFNPost:   NormSpec{Name: "post_ffw_norm", Gain: Required},
	FinalNorm: NormSpec{Name: "output_norm", Gain: Required},
	QKNorm:    Required,
	QKGain:    AllHeads,

	Rotary:       HalfSplit,
	WindowPeriod: 4,
	Windows:      Optional,
	QKVBias:      Optional,

	Activation: SiLU,
	Gating:     Gated,

	Head: Required,
})
