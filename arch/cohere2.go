package arch

// Cohere2, which Command-R7B is (Cohere 2024): three layers of four have a
// sliding window and RoPE, the fourth has neither.
var _ = register(Spec{
	Name:      "cohere2",
	Known:     "Command R7B, Command A",
	Norm:      LayerNorm,
	AttnNorm:  NormSpec{Name: "attn_norm", Gain: Required},
	FinalNorm: NormSpec{Name: "output_norm", Gain: Required},
	Form:      Parallel,

	Rotary:         Pairwise,
	WindowedRotary: true,
	WindowPeriod:   4,
	Windows:        Required,
	WindowRoPE:     WindowRoPE{Scaled: true, AttnFactor: true},
	QKVBias:        Optional,

	Activation: SiLU,
	Gating:     Gated,

	LogitScale: Required,
})
