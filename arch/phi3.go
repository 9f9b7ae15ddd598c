package arch

// Phi-3 (Microsoft 2024): Llama with fused projections.
var _ = register(Spec{
	Name:      "phi3",
	Known:     "Phi-3, Phi-4",
	Norm:      RMSNorm,
	AttnNorm:  NormSpec{Name: "attn_norm", Gain: Required},
	FFNNorm:   NormSpec{Name: "ffn_norm", Gain: Required},
	FinalNorm: NormSpec{Name: "output_norm", Gain: Required},

	Ignored: map[string]string{keyWindow: "converters write it for models of either kind; llama.cpp ignores it too"},

	Rotary:     HalfSplit,
	RoPETables: LongShort,
	QKVBias:    Optional,

	Activation: SiLU,
	Gating:     FusedGate,

	Head: Optional,
})
