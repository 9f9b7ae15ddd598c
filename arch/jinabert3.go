package arch

// Jina Embeddings 3 (Jina AI 2024): XLM-RoBERTa with RoPE. GELU is the erf
// form, as its maker has it. GTE has a gate beside that, which is not in llama.cpp.
var _ = register(Spec{
	Name:      "jina-bert-v3",
	Known:     "jina-embeddings-v3",
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

	Activation: GELUErf,
	Gating:     AnyGate,
	FFNBias:    Optional,
})
