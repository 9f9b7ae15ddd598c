package arch

// Granite 3 (IBM 2024): Llama with scales of the embedding, of what branches
// write and of the logits.
var _ = register(Spec{
	Name:      "granite",
	Known:     "Granite 3",
	Norm:      RMSNorm,
	AttnNorm:  NormSpec{Name: "attn_norm", Gain: Required},
	FFNNorm:   NormSpec{Name: "ffn_norm", Gain: Required},
	FinalNorm: NormSpec{Name: "output_norm", Gain: Required},

	Rotary:       Pairwise,
	FinetunedKey: true,
	RoPETables:   ByScaling,
	QKVBias:      Optional,
	OutBias:      Optional,

	Activation: SiLU,
	Gating:     Gated,
	FFNBias:    Optional,

	ScaleKeys:  true,
	Head:       Optional,
	LogitScale: Required,
})
