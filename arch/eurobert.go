package arch

// EuroBERT (Boizard et al. 2025): Llama that looks both ways.
var _ = register(Spec{
	Name:      "eurobert",
	Known:     "EuroBERT",
	Norm:      RMSNorm,
	AttnNorm:  NormSpec{Name: "attn_norm", Gain: Required},
	FFNNorm:   NormSpec{Name: "ffn_norm", Gain: Required},
	FinalNorm: NormSpec{Name: "output_norm", Gain: Required},
	Encoder:   true,

	Rotary:  HalfSplit,
	QKVBias: Optional,

	Activation: SiLU,
	Gating:     Gated,
})
