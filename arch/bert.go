package arch

// BERT (Devlin 2018) and the encoders built like it: MiniLM, BGE, E5, GTE,
// mxbai, Arctic, and XLM-RoBERTa. ELECTRA's smaller embedding is projected to the
// width of the model, and MPNet has biases of distances; both are not in llama.cpp. Its GELU is the erf form, with which it was
// trained; llama.cpp computes the tanh form.
var _ = register(Spec{
	Name:      "bert",
	Known:     "BERT, RoBERTa, MiniLM, bge, e5, gte, mxbai-embed, arctic-embed",
	Norm:      LayerNorm,
	EmbedNorm: NormSpec{Name: "token_embd_norm", Gain: Required, Bias: Required},
	AttnSum:   NormSpec{Name: "attn_output_norm", Gain: Required, Bias: Required},
	FFNSum:    NormSpec{Name: "layer_output_norm", Gain: Required, Bias: Required},
	Form:      PostNorm,
	Encoder:   true,

	Positions:    Required,
	TokenTypes:   Optional,
	EmbedProject: Optional,
	PositionBias: Optional,
	QKVBias:      Optional,
	OutBias:      Optional,

	Activation:    GELUErf,
	ActivationKey: true,
	FFNBias:       Optional,

	Classifier: Classifier{Pooling: PoolCLS, Activation: Tanh},
})
