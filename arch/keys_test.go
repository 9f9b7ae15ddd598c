package arch_test

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/internal/toy"
)

// changing are keys that change what llama.cpp computes for some architecture,
// with a value at which they do, and one at which they do not (nil: none).
var changing = map[string][2]any{
	"attention.causal":                    {false, true},
	"attention.clamp_kqv":                 {float32(0.3), float32(0)},
	"attention.max_alibi_bias":            {float32(4), float32(0)},
	"attention.output_scale":              {float32(0.5), float32(1)},
	"attention.value_scale":               {float32(0.5), float32(1)},
	"attention.temperature_length":        {uint32(4), uint32(0)},
	"attention.temperature_scale":         {float32(0.5), float32(0)},
	"attention.group_norm_groups":         {uint32(4), uint32(0)},
	"attention.shared_kv_layers":          {uint32(1), uint32(0)},
	"attention.q_lora_rank":               {uint32(4), uint32(0)},
	"attention.indexer.top_k":             {uint32(4), uint32(0)},
	"attention.sliding_window":            {uint32(4), uint32(0)},
	"attention.key_length_swa":            {uint32(16), uint32(8)},
	"attention.value_length_swa":          {uint32(16), uint32(8)},
	"expert_count":                        {uint32(2), uint32(0)},
	"expert_group_count":                  {uint32(2), uint32(1)},
	"expert_weights_norm":                 {true, false},
	"expert_gating_func":                  {uint32(2), uint32(1)},
	"expert_weights_scale":                {float32(2), float32(1)},
	"expert_shared_count":                 {uint32(1), uint32(0)},
	"expert_shared_feed_forward_length":   {uint32(48), uint32(0)},
	"expert_feed_forward_length":          {uint32(48), uint32(96)},
	"interleave_moe_layer_step":           {uint32(2), uint32(1)},
	"leading_dense_block_count":           {uint32(1), uint32(0)},
	"moe_every_n_layers":                  {uint32(2), uint32(1)},
	"nextn_predict_layers":                {uint32(1), uint32(0)},
	"logit_scale":                         {float32(0.3), float32(1)},
	"residual_scale":                      {float32(0.3), float32(1)},
	"embedding_scale":                     {float32(0.3), float32(1)},
	"swin_norm":                           {true, false},
	"deepstack_mapping":                   {[]int32{-1, 0}, []int32{-1, -1}},
	"rope.scaling.alpha":                  {float32(1000), float32(0)},
	"rope.dimension_sections":             {[]uint32{2, 1, 1, 0}, []uint32{0, 0, 0, 0}},
	"rope.dimension_count_swa":            {uint32(4), uint32(8)},
	"ssm.state_size":                      {uint32(16), uint32(0)},
	"hyper_connection.count":              {uint32(4), uint32(0)},
	"hidden_activation_that_nobody_knows": {nil, "relu"},
}

// honors tells which of these keys an architecture has a use for.
func honors(s *arch.Spec, key string) bool {
	switch key {
	case "attention.causal":
		return s.Encoder // always to all
	case "moe_every_n_layers":
		return s.ExpertsEvery
	case "attention.clamp_kqv":
		return s.Clamp != arch.Absent
	case "attention.max_alibi_bias":
		return s.ALiBi != arch.Absent
	case "attention.sliding_window":
		return s.WindowPeriod > 0 || s.WindowAll
	case "ssm.state_size":
		return s.Recurrence == arch.Mamba
	case "logit_scale":
		return s.LogitScale != arch.Absent
	case "expert_count":
		return s.Experts != arch.Absent
	case "leading_dense_block_count":
		return s.LeadingDense
	case "nextn_predict_layers":
		return s.NextLayers
	case "expert_shared_count", "expert_shared_feed_forward_length":
		return s.Routing.Shared != arch.Absent
	case "expert_feed_forward_length":
		return s.Routing.Width
	case "expert_weights_scale":
		return s.Routing.ScaleKey
	case "expert_weights_norm": // of no account where they are normalized anyway, or where there are none
		return s.Experts != arch.Required || s.Routing.NormKey || s.Routing.Normalize || s.Routing.Score == arch.SoftmaxChosen
	case "expert_gating_func":
		return s.Routing.ScoreKey
	case "embedding_scale", "residual_scale":
		return s.ScaleKeys
	case "attention.q_lora_rank", "attention.key_length_swa", "attention.value_length_swa": // heads have other widths
		return s.Latent
	case "attention.temperature_scale":
		return s.Temperature
	case "rope.dimension_sections":
		return s.SectionsHalves || s.Rotary == arch.NoRotary
	}
	return strings.HasPrefix(key, "rope.") && s.Rotary == arch.NoRotary // of no account
}

// TestChangingKeys: for every architecture, a key that would change the result
// is honoured, or refused in a line that names it, unless its value changes
// nothing.
func TestChangingKeys(t *testing.T) {
	for _, s := range runnable() {
		plain := tiny(t, toy.Tiny(s.Name, nil))
		for key, values := range changing {
			for i, v := range values {
				if v == nil || honors(s, key) {
					continue
				}
				f := *plain
				f.Meta = plain.Meta.Clone()
				if err := f.Meta.Set(s.Name+"."+key, v); err != nil {
					t.Fatal(err)
				}
				_, err := arch.Load(&f)
				switch {
				case i == 0 && s.Ignored[key] != "":
				case i == 0 && !oneLine(err, s.Name+"."+key):
					t.Errorf("%s.%s = %v: %v", s.Name, key, v, err)
				case i == 1 && err != nil:
					t.Errorf("%s.%s = %v changes nothing: %v", s.Name, key, v, err)
				}
			}
		}
	}
}

// TestNoWarnings: converters write informational keys.
func TestNoWarnings(t *testing.T) {
	for _, s := range runnable() {
		f := tiny(t, toy.Tiny(s.Name, nil))
		for key, v := range map[string]any{
			"vocab_size": uint32(128), "tensor_data_layout": "Meta AI original pth", "rope.scaling.finetuned": true, "pooling_type": uint32(1),
			"attention.causal": true, "expert_weights_norm": false, "classifier.output_labels": []string{"a"}, "rope.freq_base_swa": float32(10000),
		} {
			if err := f.Meta.Set(s.Name+"."+key, v); err != nil {
				t.Fatal(err)
			}
		}
		if s.Form != arch.ParallelByKey {
			if err := f.Meta.Set(s.Name+".use_parallel_residual", true); err != nil {
				t.Fatal(err)
			}
		}
		m, err := arch.Load(f)
		if err != nil || len(m.Warnings) > 0 {
			t.Errorf("%s: %v, %+v", s.Name, err, m)
		}
	}
	f := tiny(t, toy.Tiny("gpt2", nil))
	for _, key := range []string{"a", "b", "c", "d", "e", "f", "g"} {
		if err := f.Meta.Set("gpt2."+key, "?"); err != nil {
			t.Fatal(err)
		}
	}
	m, err := arch.Load(f)
	if err != nil || len(m.Warnings) != 1 || !strings.HasSuffix(m.Warnings[0], `"gpt2.d", "gpt2.e" and 2 more`) {
		t.Errorf("%v, %q", err, m.Warnings)
	}
}

// TestWindowRoPE: on layers with a sliding window each architecture has a base,
// a scale and an attention factor of its own.
func TestWindowRoPE(t *testing.T) {
	load := func(name string, keys map[string]any) (*arch.Model, error) {
		f := tiny(t, toy.Tiny(name, nil))
		for _, k := range slices.Sorted(maps.Keys(keys)) {
			if err := f.Meta.Set(name+"."+k, keys[k]); err != nil {
				t.Fatal(err)
			}
		}
		return arch.Load(f)
	}
	for _, c := range []struct {
		name              string
		base, scale, attn float64
	}{
		{"cohere2", 500, 0.25, 1.2}, {"gemma2", 500, 0.25, 1.2}, {"gemma3", 10000, 1, 1.2}, {"olmo2", 500, 1, 1},
	} {
		m, err := load(c.name, map[string]any{"attention.sliding_window": uint32(4), "rope.freq_base": float32(500), "rope.scaling.factor": float32(4), "rope.scaling.attn_factor": float32(1.2)})
		if err != nil {
			t.Fatal(err)
		}
		round := func(x float64) float64 { return float64(float32(x)) }
		if w := m.WindowRoPE; w.Base != c.base || w.Scale != c.scale || round(w.Attn) != round(c.attn) {
			t.Errorf("%s: base %v, scale %v, factor %v on windowed layers, want %+v", c.name, w.Base, w.Scale, w.Attn, c)
		}
		_, err = load(c.name, map[string]any{"attention.sliding_window": uint32(4), "rope.freq_base_swa": float32(300)})
		if s, _ := arch.Lookup(c.name); s.WindowRoPE.BaseKey && err != nil || !s.WindowRoPE.BaseKey && !oneLine(err, "rope.freq_base_swa") {
			t.Errorf("%s: a base for windowed layers: %v", c.name, err)
		}
	}
	for _, keys := range []map[string]any{
		{"rope.scaling.yarn_ext_factor": float32(0.5)},
		{"rope.scaling.type": "yarn", "rope.scaling.factor": float32(4), "rope.scaling.yarn_attn_factor": float32(1.3)},
	} {
		if _, err := load("llama", keys); !oneLine(err, "rope.scaling.yarn_") {
			t.Errorf("%v: %v", keys, err)
		}
	}
}

// TestDefaults: what Gemma 2 computes without a key.
func TestDefaults(t *testing.T) {
	m, err := arch.Load(tiny(t, toy.Tiny("gemma2", nil)))
	if err != nil {
		t.Fatal(err)
	}
	if m.AttnSoftcap != 50 || m.LogitSoftcap != 30 || m.Blocks[0].Window != 4096 || m.Blocks[1].Window != 0 {
		t.Errorf("%+v, windows %d and %d", m.Hyper, m.Blocks[0].Window, m.Blocks[1].Window)
	}
}

// TestNotModels: files that are no language model are named as what they are.
func TestNotModels(t *testing.T) {
	file := func(keys []gguf.KV, tensors ...string) *gguf.File {
		f := &gguf.File{}
		for _, kv := range keys {
			if err := f.Meta.Set(kv.Key, kv.Value); err != nil {
				t.Fatal(err)
			}
		}
		for _, n := range tensors {
			f.Tensors = append(f.Tensors, gguf.Tensor{Name: n, Dims: []int{4, 4}})
		}
		return f
	}
	keys := func(kvs ...any) (all []gguf.KV) {
		for i := 0; i < len(kvs); i += 2 {
			all = append(all, gguf.KV{Key: kvs[i].(string), Value: kvs[i+1]})
		}
		return all
	}
	for _, c := range []struct {
		want string
		f    *gguf.File
	}{
		{"a LoRA adapter", file(keys("general.type", "adapter", "general.architecture", "llama"), "blk.0.attn_q.weight.lora_a")},
		{"a LoRA adapter", file(keys("general.architecture", "llama"), "blk.0.attn_q.weight.lora_a", "blk.0.attn_q.weight.lora_b")},
		{"a multimodal projector", file(keys("general.type", "mmproj", "general.architecture", "clip"), "v.blk.0.attn_q.weight")},
		{"a multimodal projector", file(keys("general.architecture", "clip"), "v.blk.0.attn_q.weight")},
		{"an importance matrix", file(keys("general.type", "imatrix"), "blk.0.attn_q.weight.in_sum2", "blk.0.attn_q.weight.counts")},
		{"an importance matrix", file(nil, "blk.0.attn_q.weight.in_sum2", "blk.0.attn_q.weight.counts")},
		{"a control vector", file(keys("general.architecture", "controlvector"), "direction.1")},
		{"an image model", file(keys("general.architecture", "flux"), "double_blocks.0.img_attn.qkv.weight")},
		{"an image model", file(nil, "model.diffusion_model.input_blocks.0.0.weight")},
		{"Hugging Face's tensor names", file(keys("general.architecture", "llama"), "model.embed_tokens.weight", "model.layers.0.self_attn.q_proj.weight")},
		{"Hugging Face's tensor names", file(keys("general.architecture", "gpt2"), "transformer.h.0.attn.c_attn.weight")},
		{"a vocabulary", file(keys("general.architecture", "llama", "tokenizer.ggml.tokens", []string{"a"}))},
		{"part 2 of a model", file(keys("split.no", uint16(1), "split.count", uint16(2)), "blk.1.attn_q.weight")},
	} {
		_, err := arch.Load(c.f)
		var not *arch.NotModelError
		if !errors.As(err, &not) || !oneLine(err, c.want) {
			t.Errorf("want %q, got %v", c.want, err)
		}
	}
}

// TestShapeMessages: a message about a tensor of another shape shows the shape.
func TestShapeMessages(t *testing.T) {
	for _, name := range []string{"token_embd.weight", "blk.0.ffn_up.weight", "output_norm.bias"} {
		f := tiny(t, toy.Tiny("gpt2", nil))
		x, _ := f.Tensor(name)
		x.Dims = []int{7, 3, 5}
		if _, err := arch.Load(f); !oneLine(err, "tensor "+name+" is [7 3 5], want [") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSplitBiases: beside fused projections there are all three biases or none.
func TestSplitBiases(t *testing.T) {
	for biases, ok := range map[string]bool{"": true, "q": false, "qk": false, "qkv": true} {
		f := tiny(t, toy.Tiny("llama", func(n string) bool {
			return n == "blk.0.attn_qkv.weight" || n == "blk.1.attn_qkv.weight" || strings.HasSuffix(n, "_q.bias") || strings.HasSuffix(n, "_k.bias") || strings.HasSuffix(n, "_v.bias")
		}))
		f = &gguf.File{Meta: f.Meta, Tensors: slices.DeleteFunc(f.Tensors, func(x gguf.Tensor) bool {
			part, bias := strings.CutSuffix(x.Name, ".bias")
			return bias && strings.Contains(part, "attn_") && !strings.Contains(biases, part[len(part)-1:])
		})}
		m, err := arch.Load(f)
		if (err == nil) != ok || err != nil && !oneLine(err, "attn_qkv.weight") {
			t.Errorf("biases of %q: %v", biases, err)
		}
		if err == nil && !reflect.DeepEqual(m.Blocks[0].Q.B != nil, biases == "qkv") {
			t.Errorf("biases of %q: %v", biases, m.Blocks[0].Q.B)
		}
	}
}
