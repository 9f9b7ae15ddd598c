package arch

// Apertus (Swiss AI Initiative 2025): Llama with norms on queries and keys, and xIELU in
// place of a gated FFN.
var _ = register(Spec{
	Name:      "apertus",
	Known:     "Apertus",
	Norm:      RMSNorm,
	AttnNorm:  NormSpec{Name: "attn_norm", Gain: Required},
	FFNNorm:   NormSpec{Name: "ffn_norm", Gain: Required},
	FinalNorm: NormSpec{Name: "output_norm", Gain: Required},
	QKNorm:    Required,
	QKBias:    Unused,

	Rotary:     HalfSplit,
	RoPETables: ByScaling,
	QKVBias:    Optional,
	OutBias:    Optional,
	AttnScale:  InvSqrtHead,

	Activation: XIELU,

	Head: Required,
})
