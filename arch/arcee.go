package arch

// AFM (Arcee 2025): Llama with squared ReLU and without a gate.
var _ = register(Spec{
	Name:      "arcee",
	Known:     "Arcee AFM",
	Norm:      RMSNorm,
	AttnNorm:  NormSpec{Name: "attn_norm", Gain: Required},
	FFNNorm:   NormSpec{Name: "ffn_norm", Gain: Required},
	FinalNorm: NormSpec{Name: "output_norm", Gain: Required},

	Rotary:     Pairwise,
	RoPETables: OneTable,
	QKVBias:    Optional,
	AttnScale:  InvSqrtHead,

	Activation: ReLU2,

	Head: Optional,
})
