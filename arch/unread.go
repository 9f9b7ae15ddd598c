package arch

import (
	"fmt"
	"math"
	"reflect"
	"strings"
)

// informational are the keys of an architecture that say nothing about how
// logits are computed, or what the tensors say better. Converters write them.
var informational = map[string]bool{
	"vocab_size":               true, // the embedding has as many rows
	"tensor_data_layout":       true, // of the original, before it was converted
	"rope.scaling.finetuned":   true,
	"pooling_type":             true, // of embeddings
	"embedding_length_out":     true, // of embeddings
	"classifier.output_labels": true,
	"expert_group_used_count":  true, // nothing without expert_group_count
	keyExpertNorm:              true, // where the weights are normalized anyway: llama.cpp writes false there
	keyParallel:                true, // StableLM's converter writes true whatever the blocks are
	keyNormEps:                 true, // where the norms are of the other kind
	keyRMSNormEps:              true,
	keyRoPEWindowBase:          true, // nothing without a window
	keyWindowPattern:           true, // nothing without a window
	"dense_2_feat_in":          true, // of embeddings
	"dense_2_feat_out":         true,
	"dense_3_feat_in":          true,
	"dense_3_feat_out":         true,
}

// neutral are the keys that change what llama.cpp computes, in this
// architecture or in another one, with the values at which they change
// nothing. A file may have such a key where nothing reads it only with one of
// these. Keys that end in a dot stand for all that begin so.
var neutral = map[string][]float64{
	// Attention.
	keyCausal:                                {1},
	"attention.output_scale":                 {0, 1},
	"attention.value_scale":                  {0, 1},
	"attention.temperature_length":           {0},
	"attention.temperature_scale":            {0},
	"attention.relative_buckets_count":       {0},
	"attention.recurrent_layers":             {0},
	"attention.rope_pattern":                 {1},
	"attention.group_norm_epsilon":           {0},
	"attention.group_norm_groups":            {0},
	"attention.q_lora_rank":                  {0},
	"attention.kv_lora_rank":                 {0},
	"attention.kv_lora_rank_swa":             {0},
	"attention.decay_lora_rank":              {0},
	"attention.iclr_lora_rank":               {0},
	"attention.value_residual_mix_lora_rank": {0},
	"attention.gate_lora_rank":               {0},
	"attention.key_length_mla":               {0},
	"attention.value_length_mla":             {0},
	"attention.key_length_mla_swa":           {0},
	"attention.value_length_mla_swa":         {0},
	"attention.indexer.":                     {0},
	"attention.output_group_count":           {0},
	"attention.output_lora_rank":             {0},
	"attention.compress_rope_freq_base":      {0},
	"attention.compress_ratios":              {0},
	keyClamp:                                 {0},
	keyMaxALiBi:                              {0},
	keyWindow:                                {0},
	keyAttnSoftcap:                           {0},

	// Position.
	"rope.dimension_sections": {0},
	"rope.scaling.alpha":      {0},

	// Experts.
	KeyExperts:                          {0},
	KeyExpertsUsed:                      {0},
	"expert_shared_count":               {0},
	"expert_shared_feed_forward_length": {0},
	"expert_chunk_feed_forward_length":  {0},
	"expert_group_count":                {0, 1},
	"expert_group_scale":                {0},
	"experts_per_group":                 {0},
	"expert_weights_scale":              {0, 1},
	"expert_gating_func":                {0, 1}, // softmax
	"expert_latent_length":              {0},
	"moe_every_n_layers":                {0, 1},
	"moe_latent_size":                   {0},
	"interleave_moe_layer_step":         {0, 1},
	"leading_dense_block_count":         {0},
	"swiglu_clamp_exp":                  {0},
	"swiglu_clamp_shexp":                {0},

	// The residual stream and the head.
	KeyLogitScale:              {0, 1},
	keyLogitSoftcap:            {0},
	"residual_scale":           {0, 1},
	"embedding_scale":          {0, 1},
	"router_logit_softcapping": {0, 30}, // llama.cpp writes 30 where there is none
	"swin_norm":                {0},
	"norm_before_residual":     {0},
	"norm_before_fc":           {0},

	// Other layers than these architectures have.
	"nextn_predict_layers":             {0},
	"n_deepstack_layers":               {0},
	"deepstack_mapping":                {-1},
	"decoder_block_count":              {0},
	"embedding_length_per_layer_input": {0},
	"features_length":                  {0},
	"full_attention_interval":          {0, 1},
	"num_loops":                        {0, 1},
	"rescale_every_n_layers":           {0},
	"time_mix_extra_dim":               {0},
	"time_decay_extra_dim":             {0},
	"token_shift_count":                {0},
	"hash_layer_count":                 {0},
	"adapters.":                        {0},
	"attn_res.":                        {0},
	"activation.":                      {0},
	"altup.":                           {0},
	"hrm.":                             {0},
	"hyper_connection.":                {0},
	"kda.":                             {0},
	"laurel.":                          {0},
	"ple.":                             {0},
	"posnet.":                          {0},
	"convnext.":                        {0},
	"shortconv.":                       {0},
	"ssm.":                             {0},
	"wkv.":                             {0},
}

// unread looks at the keys of the architecture that nothing has read. One that
// would change the result is an error; a warning tells of any other that is
// not known to be informational.
func (r *reader) unread(h *Hyper) (warnings []string) {
	var unused []string
	for _, kv := range r.meta.All() {
		key, ok := strings.CutPrefix(kv.Key, r.spec.Name+".")
		if !ok || r.read[key] {
			continue
		}
		at, changes := r.neutral(key, h)
		switch {
		case changes && only(kv.Value, at), !changes && informational[key]:
		case strings.HasPrefix(key, "rope.") && r.spec.Rotary == NoRotary:
		case r.spec.Ignored[key] != "":
			warnings = append(warnings, fmt.Sprintf("the key %s is ignored: %s", kv.Key, r.spec.Ignored[key]))
		case changes:
			r.fail(fmt.Errorf("%s is %s, which would change the result and is not implemented for %s", kv.Key, short(kv.Value), r.spec.Name))
			return nil
		default:
			unused = append(unused, fmt.Sprintf("%.100q", kv.Key))
		}
	}
	if len(unused) > 0 {
		warnings = append(warnings, fmt.Sprintf("%s has no use for the metadata %s", r.spec.Name, some(unused)))
	}
	return warnings
}

// some joins a list, of which it shows the first few.
func some(list []string) string {
	const show = 5
	if more := len(list) - show; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(list[:show], ", "), more)
	}
	return strings.Join(list, ", ")
}

// neutral returns the values at which a key changes nothing, and whether
// others would change something.
func (r *reader) neutral(key string, h *Hyper) ([]float64, bool) {
	switch key { // the value that is computed anyway
	case keyAttnScale:
		return []float64{0, float64(h.AttnScale)}, true
	case "attention.key_length_swa", "attention.value_length_swa":
		return []float64{float64(h.HeadDim)}, true
	case "rope.dimension_count_swa":
		return []float64{0, float64(h.RoPE.Dims)}, true
	case keySharedKV:
		if own := r.spec.OwnKV; own > 0 {
			return []float64{float64(max(0, h.Layers-own))}, true
		}
		return []float64{0}, true
	case "altup.num_inputs":
		if u := r.spec.AltUp; u != nil {
			return []float64{float64(u.Streams)}, true
		}
	case "embedding_length_per_layer_input":
		if u := r.spec.AltUp; u != nil {
			return []float64{float64(u.InputWidth)}, true
		}
	case keyExpertNorm:
		return []float64{0}, h.Experts > 0 && !h.Normalize && h.Score != SoftmaxChosen
	case "expert_feed_forward_length":
		return []float64{0, float64(h.FFN)}, true
	case keyRoPEWindowBase:
		if r.spec.WindowPeriod == 0 {
			return nil, false
		}
		return []float64{0, h.RoPE.Base}, true
	case "rope.scaling.yarn_attn_factor":
		return []float64{1, 1 + 0.1*math.Log(1/h.RoPE.Scale)}, h.RoPE.Rotary != NoRotary && h.RoPE.Ext != 0
	}
	if at, ok := neutral[key]; ok {
		return at, true
	}
	for i, c := range key {
		if c == '.' {
			if at, ok := neutral[key[:i+1]]; ok {
				return at, true
			}
		}
	}
	return nil, false
}

// only reports whether a value, or each element of a list, is one of some
// numbers; true counts as 1.
func only(v any, at []float64) bool {
	x := reflect.ValueOf(v)
	switch {
	case x.Kind() == reflect.Slice:
		for i := range x.Len() {
			if !only(x.Index(i).Interface(), at) {
				return false
			}
		}
		return true
	case x.Kind() == reflect.Bool:
		n := 0.0
		if x.Bool() {
			n = 1
		}
		return contains(at, n)
	case x.CanInt():
		return contains(at, float64(x.Int()))
	case x.CanUint():
		return contains(at, float64(x.Uint()))
	case x.CanFloat():
		return contains(at, x.Float())
	}
	return false
}

// contains reports whether x is one of some numbers, to the rounding of a
// float32.
func contains(at []float64, x float64) bool {
	for _, a := range at {
		if math.Abs(x-a) <= 0x1p-23*math.Abs(a) {
			return true
		}
	}
	return false
}

// short shows a value in an error.
func short(v any) string {
	if s, ok := v.(string); ok {
		return fmt.Sprintf("%.40q", s)
	}
	if x := reflect.ValueOf(v); x.Kind() == reflect.Slice {
		return fmt.Sprintf("a list of %d", x.Len())
	}
	return fmt.Sprint(v)
}
