package arch

// Jais (Inception/MBZUAI 2023): GPT-2 with ALiBi, SwiGLU and attention
// scaled by 1/(head width), as maximal update parametrisation has it.
var _ = register(Spec{
	Name:      "jais",
	Known:     "Jais",
	Norm:      LayerNorm,
	AttnNorm:  NormSpec{Name: "attn_norm", Gain: Required, Bias: Required},
	FFNNorm:   NormSpec{Name: "ffn_norm", Gain: Required, Bias: Required},
	FinalNorm: NormSpec{Name: "output_norm", Gain: Required, Bias: Required},

	ALiBi:     Optional,
	QKVFused:  true,
	QKVBias:   Required,
	OutBias:   Required,
	AttnScale: InvHeadDim,

	Activation: SiLU,
	Gating:     Gated,
	FFNBias:    Required,

	Head: Required,
})
