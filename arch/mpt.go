package arch

// MPT (MosaicML 2023): ALiBi; biases, learned positions, the clamp and the
// norms on queries and keys (over their full width) come and go by model.
var _ = register(Spec{
	Name:      "mpt",
	Known:     "MPT",
	Norm:      LayerNorm,
	AttnNorm:  NormSpec{Name: "attn_norm", Gain: Required, Bias: Optional},
	FFNNorm:   NormSpec{Name: "ffn_norm", Gain: Required, Bias: Optional},
	FinalNorm: NormSpec{Name: "output_norm", Gain: Required, Bias: Optional},
	QKNorm:    Optional,
	QKGain:    AllHeads,
	QKBias:    Optional,

	Positions:  Optional,
	ALiBi:      Optional,
	ALiBiScale: true,
	QKVFused:   true,
	QKVBias:    Optional,
	OutBias:    Optional,
	Clamp:      Optional,

	Activation:    GELU,
	ActivationKey: true,
	FFNBias:       Optional,
	FFNScales:     Optional,

	Head: Optional,
})
