package arch

// DeciLM and Llama-Nemotron (Deci 2024, NVIDIA 2025): Llama after a search that took
// attention out of some layers, or left its output matrix alone, and gave each its width.
var _ = register(Spec{
	Name:      "deci",
	Known:     "DeciLM, Llama-Nemotron",
	Norm:      RMSNorm,
	AttnNorm:  NormSpec{Name: "attn_norm", Gain: Required},
	FFNNorm:   NormSpec{Name: "ffn_norm", Gain: Required},
	FinalNorm: NormSpec{Name: "output_norm", Gain: Required},
	Uneven:    true,

	Rotary:     Pairwise,
	RoPETables: ByScaling,
	QKVBias:    Optional,
	OutBias:    Optional,
	AttnScale:  InvSqrtHead,

	Activation: SiLU,
	Gating:     Gated,
	FFNBias:    Optional,

	Head: Optional,
})
