package arch

// Nomic Embed 2 (Nomic 2025): in every second layer the FFN is a mixture of
// experts. GELU is the erf form, as its maker has it.
var _ = register(Spec{
	Name:      "nomic-bert-moe",
	Known:     "nomic-embed-text v2",
	Norm:      LayerNorm,
	EmbedNorm: NormSpec{Name: "token_embd_norm", Gain: Required, Bias: Required},
	AttnSum:   NormSpec{Name: "attn_output_norm", Gain: Required, Bias: Required},
	FFNSum:    NormSpec{Name: "layer_output_norm", Gain: Required, Bias: Required},
	Form:      PostNorm,
	Encoder:   true,

	Rotary:     HalfSplit,
	TokenTypes: Optional,
	QKVBias:    Optional,
	OutBias:    Optional,

	Activation:   GELUErf,
	Experts:      Optional,
	ExpertsEvery: true,
	Routing:      Routing{Score: SoftmaxAll},
	FFNBias:      Optional,
})
