package arch_test

import (
	"testing"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/gguf"
)

// TestAltUp: the keys that converters write are those of what is computed, or refused by
// name, and layers behind the twentieth read the keys and values of layers with their window.
func TestAltUp(t *testing.T) {
	f := open(t, "archs/gemma3n.gguf")
	pattern, sparsity := make([]bool, 25), make([]float32, 25)
	for i := range pattern {
		pattern[i] = i%5 < 4
	}
	sparsity[3] = 1.5
	written := map[string]any{
		"altup.active_idx": uint32(0), "altup.num_inputs": uint32(4), "embedding_length_per_layer_input": uint32(256),
		"attention.shared_kv_layers": uint32(5), "activation_sparsity_scale": sparsity, "attention.sliding_window_pattern": pattern,
	}
	load := func(change map[string]any) (*arch.Model, error) {
		g := &gguf.File{Version: f.Version, Alignment: f.Alignment, Meta: f.Meta.Clone(), Tensors: f.Tensors}
		for _, keys := range []map[string]any{written, change} {
			for key, v := range keys {
				if err := g.Meta.Set("gemma3n."+key, v); err != nil {
					t.Fatal(err)
				}
			}
		}
		return arch.Load(g)
	}
	m, err := load(nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range m.Blocks {
		b, from := &m.Blocks[i], i
		if i >= 20 {
			from = map[bool]int{true: 18, false: 19}[i < 24]
		}
		if b.KVFrom != from || (b.CacheHeads() > 0) != (from == i) || b.Sparsity != sparsity[i] {
			t.Errorf("layer %d reads %d, %d heads, sparsity %v", i, b.KVFrom, b.CacheHeads(), b.Sparsity)
		}
	}
	pattern[18] = false
	for key, v := range map[string]any{
		"altup.active_idx": uint32(1), "altup.num_inputs": uint32(2), "embedding_length_per_layer_input": uint32(128),
		"attention.shared_kv_layers": uint32(10), "activation_sparsity_scale": sparsity[:24], "attention.sliding_window_pattern": pattern,
	} {
		if _, err := load(map[string]any{key: v}); !oneLine(err, "gemma3n."+key) {
			t.Errorf("%s: %v", key, err)
		}
	}
}
