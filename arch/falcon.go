package arch

// Falcon (TII 2023). In the 7B model both branches read attn_norm; in the
// 40B model attention has attn_norm_2 for itself.
var _ = register(Spec{
	Name:      "falcon",
	Known:     "Falcon 7B, 40B",
	Norm:      LayerNorm,
	AttnNorm:  NormSpec{Name: "attn_norm_2", Gain: Required, Bias: Optional, Optional: true},
	FFNNorm:   NormSpec{Name: "attn_norm", Gain: Required, Bias: Required},
	FinalNorm: NormSpec{Name: "output_norm", Gain: Required, Bias: Required},
	Form:      Parallel,

	Rotary:   HalfSplit,
	QKVFused: true,

	Activation:    GELU,
	ActivationKey: true,

	Head: Optional,
})
