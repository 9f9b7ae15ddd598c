package arch

// BLOOM (BigScience 2022): a norm on the embedding, and ALiBi.
var _ = register(Spec{
	Name:      "bloom",
	Known:     "BLOOM, BLOOMZ",
	Norm:      LayerNorm,
	EmbedNorm: NormSpec{Name: "token_embd_norm", Gain: Required, Bias: Required},
	AttnNorm:  NormSpec{Name: "attn_norm", Gain: Required, Bias: Required},
	FFNNorm:   NormSpec{Name: "ffn_norm", Gain: Required, Bias: Required},
	FinalNorm: NormSpec{Name: "output_norm", Gain: Required, Bias: Required},

	ALiBi:    Required,
	MaxALiBi: 8,
	QKVFused: true,
	QKVBias:  Required,
	OutBias:  Required,

	Activation: GELU,
	FFNBias:    Required,

	Head: Optional,
})
