package arch

// LFM2 MoE (Liquid AI 2025): LFM2 with experts behind leading plain layers.
var _ = register(Spec{
	Name:      "lfm2moe",
	Known:     "LFM2 8B-A1B, LFM2 24B-A2B",
	Norm:      RMSNorm,
	AttnNorm:  NormSpec{Name: "attn_norm", Gain: Required},
	FFNNorm:   NormSpec{Name: "ffn_norm", Gain: Required},
	FinalNorm: NormSpec{Name: "token_embd_norm", Gain: Required},
	QKNorm:    Required,

	Recurrence: ShortConv,
	Rotary:     HalfSplit,
	QKVBias:    Optional,
	AttnScale:  InvSqrtHead,

	Activation:   SiLU,
	Gating:       Gated,
	Experts:      Required,
	LeadingDense: true,
	Needs:        []string{keyExpertFFN},
	Routing:      Routing{ScoreKey: true, Normalize: true, Select: Required, Width: true},

	Head:   Optional,
	Unused: []string{"dense_2.weight", "dense_2.bias"},
})
