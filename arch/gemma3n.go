package arch

// Gemma 3n (Google 2025): Gemma 3 with four residual streams (AltUp), an embedding for
// each layer, a low-rank path beside attention, sparse gates, and layers that read the
// keys and values of earlier ones.
var _ = register(Spec{
	Name:      "gemma3n",
	Known:     "Gemma 3n",
	Norm:      RMSNorm,
	AttnNorm:  NormSpec{Name: "attn_norm", Gain: Required},
	AttnPost:  NormSpec{Name: "post_attention_norm", Gain: Required},
	FFNNorm:   NormSpec{Name: "ffn_norm", Gain: Required},
	FFNPost:   NormSpec{Name: "post_ffw_norm", Gain: Required},
	FinalNorm: NormSpec{Name: "output_norm", Gain: Required},
	QKNorm:    Required,
	VNorm:     true,

	AltUp:        &AltUp{Streams: 4, LaurelRank: 64, InputWidth: 256, SparseLayers: 10, Sparsity: 1.6448533535003662},
	OwnKV:        20,
	Rotary:       HalfSplit,
	WindowPeriod: 5,
	Windows:      Required,
	WindowRoPE:   WindowRoPE{BaseKey: true, Base: 10000, AttnFactor: true},
	QKVBias:      Optional,
	AttnScale:    One,

	Activation: GELU,
	Gating:     Gated,

	EmbedScale:   SqrtDim,
	LogitSoftcap: 30,
	Head:         Optional,
})
