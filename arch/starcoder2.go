package arch

// StarCoder2 (BigCode 2024): StarCoder with RoPE and grouped heads.
var _ = register(Spec{
	Name:      "starcoder2",
	Known:     "StarCoder2",
	Norm:      LayerNorm,
	AttnNorm:  NormSpec{Name: "attn_norm", Gain: Required, Bias: Required},
	FFNNorm:   NormSpec{Name: "ffn_norm", Gain: Required, Bias: Required},
	FinalNorm: NormSpec{Name: "output_norm", Gain: Required, Bias: Required},

	Rotary:  HalfSplit,
	QKVBias: Optional,
	OutBias: Required,

	Activation:    GELU,
	ActivationKey: true,
	FFNBias:       Required,

	Head: Optional,
})
