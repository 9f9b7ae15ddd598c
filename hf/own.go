package hf

import (
	"strings"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/quant"
)

// SetFileType writes the type that most weights of a file have, where llama.cpp
// has a number for that.
func SetFileType(m *gguf.Meta, most quant.Type) {
	numbers := map[quant.Type]uint32{quant.F32: 0, quant.F16: 1, quant.Q4_0: 2, quant.Q4_1: 3, quant.Q8_0: 7, quant.Q5_0: 8, quant.Q5_1: 9, quant.BF16: 32}
	if id, ok := numbers[most]; ok {
		_ = m.Set("general.file_type", id) // a uint32 can be set
	}
}

// OwnKeys lists the keys of a file that llama.cpp does not read for its
// architecture, or not in this meaning.
func OwnKeys(m *gguf.Meta) []string {
	name, _ := gguf.Get[string](m, arch.KeyArchitecture)
	s, ok := arch.Lookup(name)
	if !ok {
		return nil
	}
	var own []string
	for _, kv := range m.All() {
		short, _ := strings.CutPrefix(kv.Key, name+".")
		switch {
		case short == "hidden_activation" && name != "modern-bert",
			short == "attention.sliding_window" && s.WindowPeriod == 0,
			short == "attention.scale" && name != "granite",
			short == "attention.alibi_scale",
			strings.HasPrefix(short, "rope.scaling.yarn_beta"),
			strings.HasPrefix(kv.Key, "normswap.") && kv.Key != KeyUnread:
			own = append(own, kv.Key)
		}
	}
	return own
}
