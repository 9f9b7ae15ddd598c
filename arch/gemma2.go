package arch

// Gemma 2 (Google 2024): norms after the branches too, a sliding window on
// every other layer, and soft caps.
var _ = register(Spec{
	Name:      "gemma2",
	Known:     "Gemma 2",
	Norm:      RMSNorm,
	AttnNorm:  NormSpec{Name: "attn_norm", Gain: Required},
	AttnPost:  NormSpec{Name: "post_attention_norm", Gain: Required},
	FFNNorm:   NormSpec{Name: "ffn_norm", Gain: Required},
	FFNPost:   NormSpec{Name: "post_ffw_norm", Gain: Required},
	FinalNorm: NormSpec{Name: "output_norm", Gain: Required},

	Rotary:           HalfSplit,
	WindowPeriod:     2,
	Windows:          Optional,
	Window:           4096,
	WindowRoPE:       WindowRoPE{BaseKey: true, Scaled: true, AttnFactor: true},
	AttnSoftcap:      50,
	QKVBias:          Optional,
	AttnScaleByDepth: map[int]Scale{46: InvSqrtQuery}, // the 27B model

	Activation: GELU,
	Gating:     Gated,

	EmbedScale:   SqrtDim,
	LogitSoftcap: 30,
})
