package arch

// Phi-3.5-MoE (Microsoft 2024). It was trained with LayerNorm; the GGUF
// architecture runs its norms as RMSNorm with a bias, which centring the
// writers makes exact (see package fold).
var _ = register(Spec{
	Name:             "phimoe",
	Known:            "Phi-3.5-MoE",
	Norm:             RMSNorm,
	TrainedLayerNorm: true,
	Exports:          []string{"phimoe"},
	AttnNorm:         NormSpec{Name: "attn_norm", Gain: Required, Bias: Required},
	FFNNorm:          NormSpec{Name: "ffn_norm", Gain: Required, Bias: Required},
	FinalNorm:        NormSpec{Name: "output_norm", Gain: Required, Bias: Required},

	Rotary:     HalfSplit,
	RoPETables: LongShort,
	QKVBias:    Optional,
	OutBias:    Required,

	Activation: SiLU,
	Gating:     Gated,
	Experts:    Required,

	Head:     Required,
	HeadBias: Required,
})
