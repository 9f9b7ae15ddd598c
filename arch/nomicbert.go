package arch

// Nomic Embed (Nomic 2024): BERT with RoPE in place of learned positions and
// with SwiGLU.
var _ = register(Spec{
	Name:      "nomic-bert",
	Known:     "nomic-embed-text v1, v1.5",
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

	Activation: SiLU,
	Gating:     Gated,
	FFNBias:    Unused,
})
