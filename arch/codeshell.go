package arch

// CodeShell (PKU 2023): GPT-2's block with RoPE and grouped heads.
var _ = register(Spec{
	Name:      "codeshell",
	Known:     "CodeShell",
	Norm:      LayerNorm,
	AttnNorm:  NormSpec{Name: "attn_norm", Gain: Required, Bias: Required},
	FFNNorm:   NormSpec{Name: "ffn_norm", Gain: Required, Bias: Required},
	FinalNorm: NormSpec{Name: "output_norm", Gain: Required, Bias: Required},

	Rotary:  HalfSplit,
	QKVBias: Optional,
	OutBias: Required,

	Activation: GELU,
	FFNBias:    Required,

	Head:      Required,
	EmbedHead: true,
})
