package arch

// GPT-2 (OpenAI 2019): the plain pre-norm decoder with learned positions.
var _ = register(Spec{
	Name:      "gpt2",
	Known:     "GPT-2, DistilGPT2, Cerebras-GPT; from folders GPT-Neo, OPT, XGLM",
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
