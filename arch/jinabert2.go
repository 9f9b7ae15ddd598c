package arch

// Jina Embeddings 2 (Jina AI 2023): BERT with ALiBi of the distance both ways
// in place of learned positions; the gate, norms on queries and keys and a
// second norm of the sum come and go by model. GELU is the erf form, as its maker
// has it.
var _ = register(Spec{
	Name:      "jina-bert-v2",
	Known:     "jina-embeddings-v2",
	Norm:      LayerNorm,
	EmbedNorm: NormSpec{Name: "token_embd_norm", Gain: Required, Bias: Required},
	AttnSum:   NormSpec{Name: "attn_output_norm", Gain: Required, Bias: Required},
	AttnSum2:  NormSpec{Name: "attn_norm_2", Gain: Required, Bias: Optional, Optional: true},
	FFNSum:    NormSpec{Name: "layer_output_norm", Gain: Required, Bias: Required},
	QKNorm:    Optional,
	QKGain:    AllHeads,
	QKBias:    Optional,
	Form:      PostNorm,
	Encoder:   true,

	ALiBi:      Required,
	MaxALiBi:   8,
	TokenTypes: Required,
	QKVBias:    Optional,
	OutBias:    Required,

	Activation: GELUErf,
	Gating:     AnyGate,
	FFNBias:    Optional,

	Classifier: Classifier{Pooling: PoolCLS, Activation: Tanh, DenseRows: 1},
})
