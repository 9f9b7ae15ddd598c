// Package tales holds a model for those who have none at hand: 5.5 million
// parameters trained on 31 public-domain books of fairy tales, with LayerNorm
// (architecture stablelm), in Q8_0.
package tales

import (
	_ "embed"

	"github.com/normswap/normswap/gguf"
)

// Name is what the model is called.
const Name = "fairy-tales-5.5M-layernorm-Q8_0"

// About says in a line what the model is.
const About = "Built-in model: 5.5M parameters, LayerNorm, trained on 31 books of fairy tales."

//go:embed fairy-tales-5.5M-layernorm-Q8_0.gguf
var data []byte

// Open parses the model.
func Open() (*gguf.File, error) { return gguf.Parse(data) }
