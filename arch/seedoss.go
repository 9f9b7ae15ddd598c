package arch

// Seed-OSS (ByteDance 2025).
var _ = register(Spec{
	Name:      "seed_oss",
	Known:     "Seed-OSS",
	Norm:      RMSNorm,
	AttnNorm:  NormSpec{Name: "attn_norm", Gain: Required},
	FFNNorm:   NormSpec{Name: "post_attention_norm", Gain: Required},
	FinalNorm: NormSpec{Name: "output_norm", Gain: Required},

	Rotary:    HalfSplit,
	QKVBias:   Optional,
	AttnScale: InvSqrtHead,

	Activation: SiLU,
	Gating:     Gated,

	Head: Optional,
})
