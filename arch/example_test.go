package arch_test

import (
	"fmt"
	"log"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/gguf"
)

// The graph of a file: its norms, and what writes the residual stream that
// they read.
func Example() {
	f, err := gguf.Open("../tests/testdata/archs/gptneox.gguf")
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	m, err := arch.Load(f)
	if err != nil {
		log.Fatal(err) // an *UnknownError, or what does not fit the architecture
	}
	fmt.Println(m.Spec.Name, "of", m.Layers, "layers,", m.Dim, "wide")
	for _, n := range m.Norms() {
		fmt.Println(n.Site, n.Kind, n.Role)
	}
	for _, w := range m.Writers() {
		fmt.Println("written by", w.Name)
	}
	// Output:
	// gptneox of 2 layers, 32 wide
	// blk.0.attn_norm LayerNorm ln1
	// blk.0.ffn_norm LayerNorm ln2
	// blk.1.attn_norm LayerNorm ln1
	// blk.1.ffn_norm LayerNorm ln2
	// output_norm LayerNorm final
	// written by token_embd
	// written by blk.0.attn_output
	// written by blk.0.ffn_down
	// written by blk.1.attn_output
	// written by blk.1.ffn_down
}

// What an architecture is, without a file.
func ExampleLookup() {
	s, ok := arch.Lookup("phi2")
	fmt.Println(ok, s.Norm, s.Form == arch.Parallel, s.Activation)
	// Output:
	// true LayerNorm true GELU
}
