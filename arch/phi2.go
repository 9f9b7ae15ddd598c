package arch

// Phi-2 (Microsoft 2023): one norm a block, read by both branches.
var _ = register(Spec{
	Name:      "phi2",
	Known:     "Phi-1, Phi-1.5, Phi-2; from folders GPT-J, CodeGen",
	Norm:      LayerNorm,
	AttnNorm:  NormSpec{Name: "attn_norm", Gain: Required, Bias: Required},
	FinalNorm: NormSpec{Name: "output_norm", Gain: Required, Bias: Required},
	Form:      Parallel,

	Rotary:  HalfSplit,
	QKVBias: Optional,
	OutBias: Required,

	Activation:    GELU,
	ActivationKey: true,
	FFNBias:       Required,

	Head:     Required,
	HeadBias: Required,
})
