package arch

// Phi-2 (Microsoft 2023): one norm a block, read by both branches.
var _ = register(Spec{
	Name:      "phi2",
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
