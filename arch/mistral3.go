package arch

// Ministral 3 and Mistral Large 3 (Mistral 2025): Llama whose queries grow with
// their position beyond the original context.
var _ = register(Spec{
	Name:      "mistral3",
	Known:     "Ministral 3",
	Norm:      RMSNorm,
	AttnNorm:  NormSpec{Name: "attn_norm", Gain: Required},
	FFNNorm:   NormSpec{Name: "ffn_norm", Gain: Required},
	FinalNorm: NormSpec{Name: "output_norm", Gain: Required},

	Rotary:      Pairwise,
	RoPETables:  ByScaling,
	Temperature: true,
	QKVBias:     Optional,
	OutBias:     Optional,
	AttnScale:   InvSqrtHead,

	Activation: SiLU,
	Gating:     Gated,
	Experts:    Optional,
	Routing:    Routing{Gateless: true},
	FFNBias:    Optional,

	Head: Optional,
})
