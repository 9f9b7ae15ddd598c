package arch

import "fmt"

// GGUF's names of tensors, without the suffix and, in blocks, the prefix.
// Those of norms stand in the Specs.
const (
	NameEmbed = "token_embd" // the embedding, which a head may share

	namePositions    = "position_embd"
	nameQKV          = "attn_qkv" // queries, keys and values in one matrix
	nameQNorm        = "attn_q_norm"
	nameKNorm        = "attn_k_norm"
	nameVNorm        = "attn_v_norm" // has no tensor
	nameQLatentNorm  = "attn_q_a_norm"
	nameKVLatentNorm = "attn_kv_a_norm"
	nameTokenTypes   = "token_types"
	namePosBias      = "position_bias"
	nameClassNorm    = "cls.norm"
	nameFFNScales    = "ffn.act.scales" // has no suffix
	nameRoPE         = "rope_freqs"
	nameRoPEShort    = "rope_factors_short"
	nameRoPELong     = "rope_factors_long"
	nameSelectBias   = "exp_probs_b" // has a bias alone
	nameSinks        = "attn_sinks"
	nameGateUp       = "ffn_gate_up"
	nameShortConv    = "shortconv."
	suffixOfExperts  = "_exps"
	suffixOfShared   = "_shexp"
	suffixOfWeight   = ".weight"
	suffixOfBias     = ".bias"
)

// matrixNames are the names of the matrices.
var matrixNames = map[Role]string{
	Q: "attn_q", K: "attn_k", V: "attn_v", O: "attn_output",
	Gate: "ffn_gate", Up: "ffn_up", Down: "ffn_down", Router: "ffn_gate_inp",
	QLatent: "attn_q_a", QHeads: "attn_q_b", KVLatent: "attn_kv_a_mqa", KHeads: "attn_k_b", VHeads: "attn_v_b",
	InputModel: "per_layer_model_proj", Widen: "altup_proj", Merge: "altup_unembd_proj",
	StreamRouter: "altup_router", Predict: "altup_predict_coef", Correct: "altup_correct_coef", LaurelL: "laurel_l", LaurelR: "laurel_r",
	InputGate: "inp_gate", InputProject: "proj",
	EmbedProject: "token_embd_project", Head: "output", Dense2: "dense_2", Dense3: "dense_3", ClassDense: "cls", ClassOut: "cls.output",
}

// Name returns the GGUF name of a matrix with this role, without a suffix.
// A head is outside the layers, and has layer -1.
func (r Role) Name(layer int) string {
	if layer < 0 {
		return matrixNames[r]
	}
	return block(layer, matrixNames[r])
}

// ExpertsName returns the GGUF name of the matrices that the experts of a
// layer have in this role, without a suffix.
func (r Role) ExpertsName(layer int) string { return r.Name(layer) + suffixOfExperts }

// SharedName returns the GGUF name of the matrix that the shared expert of a
// layer has in this role, without a suffix.
func (r Role) SharedName(layer int) string { return r.Name(layer) + suffixOfShared }

// WeightName returns the name of the tensor with the weights of a matrix, or
// the gain of a norm; name has no suffix.
func WeightName(name string) string { return name + suffixOfWeight }

// BiasName returns the name of the tensor with the bias of a matrix or a norm;
// name has no suffix.
func BiasName(name string) string { return name + suffixOfBias }

// BlockName returns the name of a block, which is the beginning of those of its tensors.
func BlockName(layer int) string { return fmt.Sprintf("blk.%d", layer) }

func block(i int, name string) string { return BlockName(i) + "." + name }
