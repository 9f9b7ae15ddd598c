package arch

// DeepSeek-V2 and V3 (DeepSeek-AI 2024), and those that share their form: latent
// attention, and experts behind leading plain layers.
var _ = register(Spec{
	Name:      "deepseek2",
	Known:     "DeepSeek-V2, V3 and R1, Kimi K2, GLM-4.7-Flash",
	Norm:      RMSNorm,
	AttnNorm:  NormSpec{Name: "attn_norm", Gain: Required},
	FFNNorm:   NormSpec{Name: "ffn_norm", Gain: Required},
	FinalNorm: NormSpec{Name: "output_norm", Gain: Required},

	Latent: true,
	Rotary: Pairwise,

	Activation:   SiLU,
	Gating:       Gated,
	Experts:      Required,
	LeadingDense: true,
	NextLayers:   true,
	Needs:        []string{keyKVLatent, keyKeyDim, keyValueDimMLA, keyExpertFFN, keySharedExperts},
	Routing: Routing{Score: SoftmaxAll, ScoreKey: true, NormKey: true, ScaleKey: true, Select: Optional, Width: true, Fused: true,
		Shared: Optional, SharedWidth: ByCount, GroupKey: true, SigmoidVocab: 154880},

	Head: Optional,
})
