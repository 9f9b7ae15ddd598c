package arch

// ERNIE 4.5 with experts (Baidu 2025), a shared one among them.
var _ = register(Spec{
	Name:      "ernie4_5-moe",
	Known:     "ERNIE 4.5 21B-A3B",
	Norm:      RMSNorm,
	AttnNorm:  NormSpec{Name: "attn_norm", Gain: Required},
	FFNNorm:   NormSpec{Name: "ffn_norm", Gain: Required},
	FinalNorm: NormSpec{Name: "output_norm", Gain: Required},

	Rotary:  Pairwise,
	QKVBias: Optional,
	OutBias: Unused,

	Activation:   SiLU,
	Gating:       Gated,
	Experts:      Required,
	LeadingDense: true,
	Needs:        []string{keyExpertFFN, keyMoEStep},
	Routing:      Routing{Score: SoftmaxAll, Normalize: true, Select: Optional, Width: true, Shared: Optional, Gateless: true},

	Head: Optional,
})
