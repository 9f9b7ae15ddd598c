package arch

import (
	"strings"

	"github.com/normswap/normswap/gguf"
)

// Keys of the metadata. [Spec.Key] puts the architecture's name before those
// that have no prefix here.
const (
	KeyArchitecture = "general.architecture"

	keyDim          = "embedding_length"
	keyLayers       = "block_count"
	keyContext      = "context_length"
	keyFFN          = "feed_forward_length"
	keyParallel     = "use_parallel_residual"
	keyHeads        = "attention.head_count"
	keyKVHeads      = "attention.head_count_kv"
	keyHeadDim      = "attention.key_length"
	keyValueDim     = "attention.value_length"
	keyQLatent      = "attention.q_lora_rank"
	keyKVLatent     = "attention.kv_lora_rank"
	keyKeyDim       = "attention.key_length_mla"
	keyValueDimMLA  = "attention.value_length_mla"
	keyNormEps      = "attention.layer_norm_epsilon"
	keyRMSNormEps   = "attention.layer_norm_rms_epsilon"
	keyClamp        = "attention.clamp_kqv"
	keyMaxALiBi     = "attention.max_alibi_bias"
	keyALiBiScale   = "attention.alibi_scale" // ours
	keyAttnScale    = "attention.scale"
	keyAttnSoftcap  = "attn_logit_softcapping"
	keyWindow       = "attention.sliding_window"
	keyLogitSoftcap = "final_logit_softcapping"

	keyWindowPattern = "attention.sliding_window_pattern"

	keyCausal       = "attention.causal"
	keyPooling      = "pooling_type"
	keyLabels       = "classifier.output_labels"
	keyActivation   = "hidden_activation"
	keyExpertsEvery = "moe_every_n_layers"
	keyDense2Out    = "dense_2_feat_out"
	keyDense3In     = "dense_3_feat_in"

	// KeyLogitScale is the factor of the logits.
	KeyLogitScale = "logit_scale"
	// KeyExperts and KeyExpertsUsed are how many experts a layer has, and how
	// many of them a token uses.
	KeyExperts     = "expert_count"
	KeyExpertsUsed = "expert_used_count"

	keyExpertFFN     = "expert_feed_forward_length"
	keyExpertScore   = "expert_gating_func"
	keyExpertNorm    = "expert_weights_norm"
	keyExpertScale   = "expert_weights_scale"
	keyExpertGroups  = "expert_group_count"
	keyGroupsUsed    = "expert_group_used_count"
	keySharedExperts = "expert_shared_count"
	keySharedFFN     = "expert_shared_feed_forward_length"
	keyLeadingDense  = "leading_dense_block_count"
	keyNextLayers    = "nextn_predict_layers"
	keyMoEStep       = "interleave_moe_layer_step"

	keyShortConv  = "shortconv.l_cache"
	keyConvTaps   = "ssm.conv_kernel"
	keyInner      = "ssm.inner_size"
	keyScanState  = "ssm.state_size"
	keyScanHeads  = "ssm.time_step_rank"
	keyScanGroups = "ssm.group_count"

	keySharedKV = "attention.shared_kv_layers"
	keySparsity = "activation_sparsity_scale"

	keyEmbedScale    = "embedding_scale"
	keyResidualScale = "residual_scale"
	keyTemperature   = "attention.temperature_scale"

	keyRoPEFinetuned   = "rope.scaling.finetuned"
	keyRoPESections    = "rope.dimension_sections"
	keyRoPEDims        = "rope.dimension_count"
	keyRoPEBase        = "rope.freq_base"
	keyRoPEWindowBase  = "rope.freq_base_swa"
	keyRoPELinear      = "rope.scale_linear"
	keyRoPEType        = "rope.scaling.type"
	keyRoPEFactor      = "rope.scaling.factor"
	keyRoPEAttnFactor  = "rope.scaling.attn_factor"
	keyRoPEOrigContext = "rope.scaling.original_context_length"
	keyYaRNExt         = "rope.scaling.yarn_ext_factor"
	keyYaRNLogMul      = "rope.scaling.yarn_log_multiplier"
	keyYaRNBetaFast    = "rope.scaling.yarn_beta_fast"
	keyYaRNBetaSlow    = "rope.scaling.yarn_beta_slow"
)

// Key returns a key of the architecture.
func (s *Spec) Key(key string) string { return s.Name + "." + key }

// epsKey returns the key of the epsilon.
func (s *Spec) epsKey() string {
	if s.Norm == RMSNorm {
		return keyRMSNormEps
	}
	return keyNormEps
}

// Rename gives the metadata of a model of this architecture the keys of
// another one.
func (s *Spec) Rename(m *gguf.Meta, to *Spec) error {
	var renamed gguf.Meta
	for _, kv := range m.All() {
		if rest, ok := strings.CutPrefix(kv.Key, s.Name+"."); ok {
			switch {
			case rest == s.epsKey():
				rest = to.epsKey()
			case rest == to.epsKey():
				continue // of a norm that the model does not have
			}
			kv.Key = to.Key(rest)
		}
		if kv.Key == KeyArchitecture {
			kv.Value = to.Name
		}
		if err := renamed.Set(kv.Key, kv.Value); err != nil {
			return err
		}
	}
	*m = renamed
	return nil
}
