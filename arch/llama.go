package arch

// Llama (Meta 2023), and with it Mistral, TinyLlama, SmolLM; with experts
// Mixtral.
var _ = register(Spec{
	Name:      "llama",
	Known:     "Llama, TinyLlama, Mistral, Mixtral, SmolLM, Yi, DeepSeek LLM",
	Norm:      RMSNorm,
	AttnNorm:  NormSpec{Name: "attn_norm", Gain: Required},
	FFNNorm:   NormSpec{Name: "ffn_norm", Gain: Required},
	FinalNorm: NormSpec{Name: "output_norm", Gain: Required},

	Rotary:     Pairwise,
	RoPETables: ByScaling,
	QKVBias:    Optional,
	OutBias:    Optional,

	Activation: SiLU,
	Gating:     Gated,
	Experts:    Optional,
	Routing:    Routing{Gateless: true},
	FFNBias:    Optional,

	Head: Optional,
})
