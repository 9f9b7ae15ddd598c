package arch

// Qwen 3 with experts (Alibaba 2025), which Qwen3 Coder is.
var _ = register(Spec{
	Name:      "qwen3moe",
	Known:     "Qwen 3 30B-A3B, Qwen3 Coder",
	Norm:      RMSNorm,
	AttnNorm:  NormSpec{Name: "attn_norm", Gain: Required},
	FFNNorm:   NormSpec{Name: "ffn_norm", Gain: Required},
	FinalNorm: NormSpec{Name: "output_norm", Gain: Required},
	QKNorm:    Required,

	Rotary:  HalfSplit,
	QKVBias: Optional,

	Activation: SiLU,
	Gating:     Gated,
	Experts:    Required,
	Routing:    Routing{Width: true, Divided: true},

	Head: Optional,
})
