package arch

// StableLM (Stability AI 2023-24). The 12B model has no second norm, so its
// blocks are parallel, and a gain per head on queries and keys.
var _ = register(Spec{
	Name:      "stablelm",
	Known:     "StableLM",
	Norm:      LayerNorm,
	Exports:   []string{"phimoe"},
	AttnNorm:  NormSpec{Name: "attn_norm", Gain: Required, Bias: Required},
	FFNNorm:   NormSpec{Name: "ffn_norm", Gain: Required, Bias: Optional, Optional: true},
	FinalNorm: NormSpec{Name: "output_norm", Gain: Required, Bias: Required},
	QKNorm:    Optional,
	QKGain:    HeadGains,

	Rotary:  HalfSplit,
	QKVBias: Optional,

	Activation: SiLU,
	Gating:     Gated,

	Head: Required,
})
