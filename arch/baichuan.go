package arch

// Baichuan (Baichuan 2023): the models of 32 layers have RoPE, those of 40 ALiBi.
var _ = register(Spec{
	Name:      "baichuan",
	Known:     "Baichuan",
	Norm:      RMSNorm,
	AttnNorm:  NormSpec{Name: "attn_norm", Gain: Required},
	FFNNorm:   NormSpec{Name: "ffn_norm", Gain: Required},
	FinalNorm: NormSpec{Name: "output_norm", Gain: Required},

	Rotary:     Pairwise,
	ALiBi:      Required,
	MaxALiBi:   8,
	ALiBiDepth: 40,
	Depths:     []int{32, 40},
	QKVBias:    Optional,

	Activation: SiLU,
	Gating:     Gated,

	Head: Required,
})
