package arch

// Refact (Refact.ai 2023): Llama with ALiBi, and one key-value head.
var _ = register(Spec{
	Name:      "refact",
	Known:     "Refact",
	Norm:      RMSNorm,
	AttnNorm:  NormSpec{Name: "attn_norm", Gain: Required},
	FFNNorm:   NormSpec{Name: "ffn_norm", Gain: Required},
	FinalNorm: NormSpec{Name: "output_norm", Gain: Required},

	ALiBi:    Required,
	MaxALiBi: 8,
	QKVBias:  Optional,
	OutBias:  Unused,

	Activation: SiLU,
	Gating:     Gated,
	FFNBias:    Unused,

	Head:   Optional,
	Unused: []string{"rope_freqs.weight"}, // llama.cpp looks for it, and there is no RoPE
})
