package arch

// Jais 2 (G42 2025): the block of Nemotron, with LayerNorm and squared ReLU.
var _ = register(Spec{
	Name:      "jais2",
	Known:     "Jais 2",
	Norm:      LayerNorm,
	AttnNorm:  NormSpec{Name: "attn_norm", Gain: Required, Bias: Required},
	FFNNorm:   NormSpec{Name: "ffn_norm", Gain: Required, Bias: Required},
	FinalNorm: NormSpec{Name: "output_norm", Gain: Required, Bias: Required},

	Rotary:  HalfSplit,
	QKVBias: Optional,
	OutBias: Required,

	Activation: ReLU2,
	FFNBias:    Required,

	Head: Optional,
})
