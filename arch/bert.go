package arch

// The BERT family (Devlin 2018) normalises after the residual sum: there is
// no un-normalised stream whose mean could be folded away.
var (
	_ = register(postNorm("bert"))
	_ = register(postNorm("nomic-bert"))
	_ = register(postNorm("jina-bert-v2"))
)

func postNorm(name string) Spec {
	return Spec{
		Name:     name,
		Norm:     LayerNorm,
		AttnNorm: NormSpec{Name: "attn_output_norm", Gain: Required, Bias: Required},
		FFNNorm:  NormSpec{Name: "layer_output_norm", Gain: Required, Bias: Required},
		Form:     PostNorm,
	}
}
