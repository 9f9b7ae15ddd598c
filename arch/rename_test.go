package arch_test

import (
	"testing"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/gguf"
)

// TestRenameEpsilon: the epsilon of the other norm, which the model does not
// read, does not take the place of its own.
func TestRenameEpsilon(t *testing.T) {
	for _, keys := range [][2]string{{"layer_norm_epsilon", "layer_norm_rms_epsilon"}, {"layer_norm_rms_epsilon", "layer_norm_epsilon"}} {
		from, to := "olmo", "llama"
		if keys[0] == "layer_norm_rms_epsilon" {
			from, to = to, from
		}
		for first := range 2 {
			var m gguf.Meta
			for _, k := range []int{first, 1 - first} {
				if err := m.Set(from+".attention."+keys[k], []float32{0.5, 7}[k]); err != nil {
					t.Fatal(err)
				}
			}
			spec, _ := arch.Lookup(from)
			other, _ := arch.Lookup(to)
			if err := spec.Rename(&m, other); err != nil {
				t.Fatal(err)
			}
			if v, err := gguf.Get[float32](&m, to+".attention."+keys[1]); err != nil || v != 0.5 {
				t.Errorf("%s to %s: %v, %v, want 0.5", from, to, v, err)
			}
		}
	}
}
