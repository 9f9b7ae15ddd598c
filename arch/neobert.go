package arch

// NeoBERT (Le Breton et al. 2025): an encoder built like Llama.
var _ = register(Spec{
	Name:      "neo-bert",
	Known:     "NeoBERT",
	Norm:      RMSNorm,
	AttnNorm:  NormSpec{Name: "attn_norm", Gain: Required},
	FFNNorm:   NormSpec{Name: "ffn_norm", Gain: Required},
	FinalNorm: NormSpec{Name: "enc.output_norm", Gain: Required},
	Encoder:   true,

	Rotary: Pairwise,

	Activation: SiLU,
	Gating:     FusedGate,

	Classifier: Classifier{Pooling: PoolCLS, Activation: Tanh},
})
