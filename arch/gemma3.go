package arch

// Gemma 3 (Google 2025): Gemma 2 with norms on queries and keys in place of
// the soft caps, and five windowed layers to a global one.
var _ = register(Spec{
	Name:      "gemma3",
	Known:     "Gemma 3",
	Norm:      RMSNorm,
	AttnNorm:  NormSpec{Name: "attn_norm", Gain: Required},
	AttnPost:  NormSpec{Name: "post_attention_norm", Gain: Required},
	FFNNorm:   NormSpec{Name: "ffn_norm", Gain: Required},
	FFNPost:   NormSpec{Name: "post_ffw_norm", Gain: Required},
	FinalNorm: NormSpec{Name: "output_norm", Gain: Required},
	QKNorm:    Required,

	Rotary:           HalfSplit,
	WindowPeriod:     6,
	QKVBias:          Optional,
	Windows:          Optional,
	WindowRoPE:       WindowRoPE{BaseKey: true, Base: 10000, AttnFactor: true}, // the base of its predecessor
	AttnScaleByDepth: map[int]Scale{62: InvSqrtQuery},                          // the 27B model

	Activation: GELU,
	Gating:     Gated,

	EmbedScale: SqrtDim,
	Head:       Optional,
	Unused:     []string{"dense_2.weight", "dense_3.weight"}, // of an embedder
})
