package arch

// PLaMo-13B (Preferred Networks 2023): Llama with parallel branches on one
// norm.
var _ = register(Spec{
	Name:      "plamo",
	Known:     "PLaMo",
	Norm:      RMSNorm,
	AttnNorm:  NormSpec{Name: "attn_norm", Gain: Required},
	FinalNorm: NormSpec{Name: "output_norm", Gain: Required},
	Form:      Parallel,

	Rotary:  HalfSplit,
	QKVBias: Optional,

	Activation: SiLU,
	Gating:     Gated,

	Head: Required,
})
