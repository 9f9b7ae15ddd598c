package arch

// Nemotron (NVIDIA 2024): squared ReLU without a gate. The converter stores
// the gains of LayerNorm1P with their 1 added.
var _ = register(Spec{
	Name:      "nemotron",
	Known:     "Nemotron, Minitron",
	Norm:      LayerNorm,
	AttnNorm:  NormSpec{Name: "attn_norm", Gain: Required, Bias: Required},
	FFNNorm:   NormSpec{Name: "ffn_norm", Gain: Required, Bias: Required},
	FinalNorm: NormSpec{Name: "output_norm", Gain: Required, Bias: Required},

	QKNorm: Optional, // of Persimmon, for which llama.cpp has no architecture
	QKBias: Optional,

	Rotary:  HalfSplit,
	QKVBias: Optional,
	OutBias: Optional,

	Activation: ReLU2,
	FFNBias:    Optional,

	Head: Required,
})
