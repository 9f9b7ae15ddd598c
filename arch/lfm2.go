package arch

// LFM2 (Liquid AI 2025): short convolutions in place of attention in most layers.
var _ = register(Spec{
	Name:      "lfm2",
	Known:     "LFM2",
	Norm:      RMSNorm,
	AttnNorm:  NormSpec{Name: "attn_norm", Gain: Required},
	FFNNorm:   NormSpec{Name: "ffn_norm", Gain: Required},
	FinalNorm: NormSpec{Name: "token_embd_norm", Gain: Required}, // whatever the name says
	QKNorm:    Required,

	Recurrence: ShortConv,
	Rotary:     HalfSplit,
	WindowAll:  true,
	QKVBias:    Optional,
	AttnScale:  InvSqrtHead,

	Activation: SiLU,
	Gating:     Gated,

	Head:   Optional,
	Unused: []string{"dense_2.weight", "dense_2.bias"}, // of an embedder
})
