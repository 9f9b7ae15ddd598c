package arch

// GPT-NeoX (EleutherAI 2022), which Pythia is: both branches of a block read
// the block's input through norms of their own, and RoPE turns a part of
// each head.
var _ = register(Spec{
	Name:      "gptneox",
	Known:     "Pythia, GPT-NeoX, Dolly, RedPajama",
	Norm:      LayerNorm,
	AttnNorm:  NormSpec{Name: "attn_norm", Gain: Required, Bias: Required},
	FFNNorm:   NormSpec{Name: "ffn_norm", Gain: Required, Bias: Required},
	FinalNorm: NormSpec{Name: "output_norm", Gain: Required, Bias: Required},
	Form:      ParallelByKey,

	Rotary:   HalfSplit,
	QKVFused: true,
	QKVBias:  Required,
	OutBias:  Required,

	Activation:    GELU,
	ActivationKey: true,
	FFNBias:       Required,

	Head: Required,
})
