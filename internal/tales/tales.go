// Package tales holds a model for those who have none at hand, and a text to
// measure models on.
//
// The model has 5.5 million parameters, trained on 31 public-domain books of
// fairy tales, with LayerNorm (architecture stablelm), in Q8_0. The text is of
// two more such books, which the model has not seen: Project Gutenberg's 902
// (Oscar Wilde, The Happy Prince and Other Tales) and 708 (George MacDonald,
// The Princess and the Goblin).
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

// Text is the text, 66,965 words.
//
//go:embed heldout.txt
var Text string

// TextName says what the text is.
const TextName = "held-out fairy tales (built in)"
