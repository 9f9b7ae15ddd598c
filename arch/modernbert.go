package arch

// ModernBERT (Answer.AI 2024): an encoder with LayerNorm before its branches,
// without biases; two layers of three have a window. The norm of the embedding
// serves the first layer's attention, which has none of its own.
var _ = register(Spec{
	Name:      "modern-bert",
	Known:     "ModernBERT, granite-embedding R2",
	Norm:      LayerNorm,
	EmbedNorm: NormSpec{Name: "token_embd_norm", Gain: Required},
	AttnNorm:  NormSpec{Name: "attn_norm", Gain: Required},
	FFNNorm:   NormSpec{Name: "ffn_norm", Gain: Required},
	FinalNorm: NormSpec{Name: "output_norm", Gain: Required},
	Encoder:   true,
	RawFirst:  true,

	Rotary:       HalfSplit,
	WindowPeriod: 3,
	GlobalFirst:  true,
	Windows:      Optional,
	WindowRoPE:   WindowRoPE{BaseKey: true, Base: 10000, AttnFactor: true},

	Activation:    GELUErf,
	ActivationKey: true,
	Gating:        FusedGate,

	Classifier: Classifier{Pooling: PoolMean, Activation: GELUErf, Norm: true},
})
