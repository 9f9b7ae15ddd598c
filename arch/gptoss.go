package arch

// gpt-oss (OpenAI 2025): experts with biases and a clamped gate, and a score beside
// those of the keys that takes attention to nothing.
var _ = register(Spec{
	Name:      "gpt-oss",
	Known:     "gpt-oss",
	Norm:      RMSNorm,
	AttnNorm:  NormSpec{Name: "attn_norm", Gain: Required},
	FFNNorm:   NormSpec{Name: "post_attention_norm", Gain: Required},
	FinalNorm: NormSpec{Name: "output_norm", Gain: Required},

	Rotary:       HalfSplit,
	WindowPeriod: 2,
	Windows:      Required,
	WindowRoPE:   WindowRoPE{BaseKey: true, Scaled: true, AttnFactor: true},
	Sinks:        Required,
	QKVBias:      Optional,
	OutBias:      Required,

	Activation: ClampedSiLU,
	Gating:     Gated,
	Experts:    Required,
	Routing:    Routing{Bias: Required, Width: true},
	Needs:      []string{keyExpertFFN},

	Head: Required,
})
