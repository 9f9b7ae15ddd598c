package arch

// Qwen 1.5 and 2 with experts (Alibaba 2024): their weights are not normalized,
// and that of the shared one is a sigmoid.
var _ = register(Spec{
	Name:      "qwen2moe",
	Known:     "Qwen 1.5 and 2 with experts",
	Norm:      RMSNorm,
	AttnNorm:  NormSpec{Name: "attn_norm", Gain: Required},
	FFNNorm:   NormSpec{Name: "ffn_norm", Gain: Required},
	FinalNorm: NormSpec{Name: "output_norm", Gain: Required},

	Rotary:  HalfSplit,
	QKVBias: Optional,

	Activation: SiLU,
	Gating:     Gated,
	Experts:    Required,
	Routing:    Routing{Score: SoftmaxAll, Width: true, Divided: true, Shared: Required, SharedGate: true},

	Head: Required,
})
