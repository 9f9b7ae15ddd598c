package hf

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/normswap/normswap/arch"
)

// becomeLlama makes an OLMo that of LlamaForCausalLM: norms with gains of 1, and
// the epsilon that OLMo's LayerNorm has.
func (e *Export) becomeLlama(m *arch.Model) {
	dtype := cmp.Or(e.opts.Type, "F32")
	ones := func(name string) {
		v := float32s(slices.Repeat([]float32{1}, m.Dim), m.Dim)
		e.tensors = append(e.tensors, &exported{name: e.b.family.prefixes[0] + name + ".weight", value: v, dtype: dtype})
	}
	for i := range m.Layers {
		ones(fmt.Sprintf("layers.%d.input_layernorm", i))
		ones(fmt.Sprintf("layers.%d.post_attention_layernorm", i))
	}
	ones("norm")
	delete(e.config, "clip_qkv")
	delete(e.config, "auto_map")
	maps.Copy(e.config, map[string]any{
		"model_type": "llama", "architectures": []string{"LlamaForCausalLM"}, "rms_norm_eps": 1e-5, "mlp_bias": false,
	})
}
