package arch

// PLaMo 2 (Preferred Networks 2024): every other layer has Mamba in place of attention.
var _ = register(Spec{
	Name:      "plamo2",
	Known:     "PLaMo 2",
	Norm:      RMSNorm,
	AttnNorm:  NormSpec{Name: "attn_norm", Gain: Required},
	AttnPost:  NormSpec{Name: "post_attention_norm", Gain: Required, NoSuffix: true},
	FFNNorm:   NormSpec{Name: "ffn_norm", Gain: Required},
	FFNPost:   NormSpec{Name: "post_ffw_norm", Gain: Required, NoSuffix: true},
	FinalNorm: NormSpec{Name: "output_norm", Gain: Required},
	QKNorm:    Required,
	QKGain:    HeadGains,

	Recurrence: Mamba,
	Rotary:     HalfSplit,
	QKVFused:   true,
	AttnScale:  InvSqrtHead,

	Activation: SiLU,
	Gating:     FusedGate,

	Head: Optional,
})
