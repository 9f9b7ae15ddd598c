package arch

// StarCoder (BigCode 2023): GPT-2 with one key-value head for all queries.
var _ = register(Spec{
	Name:      "starcoder",
	Known:     "StarCoder",
	Norm:      LayerNorm,
	AttnNorm:  NormSpec{Name: "attn_norm", Gain: Required, Bias: Required},
	FFNNorm:   NormSpec{Name: "ffn_norm", Gain: Required, Bias: Required},
	FinalNorm: NormSpec{Name: "output_norm", Gain: Required, Bias: Required},

	Positions: Required,
	QKVFused:  true,
	QKVBias:   Required,
	OutBias:   Required,

	Activation:    GELU,
	ActivationKey: true,
	FFNBias:       Required,

	Head: Optional,
})
