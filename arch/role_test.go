package arch_test

import (
	"path/filepath"
	"testing"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/internal/testdata"
)

// Roles in the order of evaluation, of graphs that differ in their norms.
func TestRole(t *testing.T) {
	for name, want := range map[string][]arch.Role{
		"gpt2":         {"ln1", "ln2", "ln1", "ln2", "final"},
		"bloom":        {"embedding", "ln1", "ln2", "ln1", "ln2", "final"},
		"falcon-7b":    {"ln1", "ln1", "final"},
		"falcon-40b":   {"ln1", "ln2", "ln1", "ln2", "final"},
		"qwen3":        {"ln1", "qk", "qk", "ln2", "ln1", "qk", "qk", "ln2", "final"},
		"olmo2":        {"qk", "qk", "post", "post", "qk", "qk", "post", "post", "final"},
		"gemma2":       {"ln1", "post", "ln2", "post", "ln1", "post", "ln2", "post", "final"},
		"stablelm-12b": {"ln1", "qk", "qk", "ln1", "qk", "qk", "final"},
	} {
		f, err := gguf.Open(testdata.Path(t, filepath.Join("archs", name+".gguf")))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		m, err := arch.Load(f)
		if err != nil {
			t.Fatal(err)
		}
		var got []arch.Role
		for _, n := range m.Norms() {
			got = append(got, n.Role)
		}
		if len(got) != len(want) {
			t.Errorf("%s: %v, want %v", name, got, want)
			continue
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%s: %v, want %v", name, got, want)
				break
			}
		}
	}
}
