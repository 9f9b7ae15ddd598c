package arch

// EmbeddingGemma (Google 2025): Gemma 3 that looks both ways, with two
// matrices behind the pooling.
var _ = register(Spec{
	Name:      "gemma-embedding",
	Known:     "EmbeddingGemma",
	Norm:      RMSNorm,
	AttnNorm:  NormSpec{Name: "attn_norm", Gain: Required},
	AttnPost:  NormSpec{Name: "post_attention_norm", Gain: Required},
	FFNNorm:   NormSpec{Name: "ffn_norm", Gain: Required},
	FFNPost:   NormSpec{Name: "post_ffw_norm", Gain: Required},
	FinalNorm: NormSpec{Name: "output_norm", Gain: Required},
	QKNorm:    Required,
	Encoder:   true,

	Rotary:       HalfSplit,
	WindowPeriod: 6,
	Windows:      Optional,
	WindowRoPE:   WindowRoPE{BaseKey: true, Base: 10000, AttnFactor: true},
	QKVBias:      Optional,

	Activation: GELU,
	Gating:     Gated,

	EmbedScale: SqrtDim,
	Dense:      Optional,
})
