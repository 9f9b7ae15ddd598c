package hf_test

import (
	"fmt"
	"log"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/hf"
)

// A folder that transformers wrote is a model like one in a GGUF file.
func Example() {
	f, err := hf.Open("SmolLM2-135M")
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	m, err := arch.Load(f)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.Spec.Name, m.Layers, "layers,", len(f.Tensors), "tensors")
}
