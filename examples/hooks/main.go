// Command hooks generates text and prints, for every token, how long the
// residual stream is before the final norm.
//
//	go run ./examples/hooks model.gguf "Once upon a time"
package main

import (
	"context"
	"fmt"
	"log"
	"math"
	"os"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/ops"
	"github.com/normswap/normswap/tokenizer"
)

func main() {
	if len(os.Args) != 3 {
		log.Fatal("usage: hooks MODEL PROMPT")
	}
	m, err := engine.Open(context.Background(), os.Args[1], engine.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	tok, err := m.Tokenizer()
	if err != nil {
		log.Fatal(err)
	}
	var length float64
	s, err := m.NewSession(engine.SessionOptions{Tap: &engine.Tap{
		Sites: func(n *arch.Norm) bool { return n.Site == "output_norm" },
		Func: func(h engine.Hidden) {
			if h.Stage == engine.In { // the last token of the batch
				length = math.Sqrt(ops.SumSquares(h.Rows[len(h.Rows)-h.Site.Width:]))
			}
		},
	}})
	if err != nil {
		log.Fatal(err)
	}
	prompt, err := tok.Encode(os.Args[2], tokenizer.EncodeOptions{AddSpecial: true})
	if err != nil {
		log.Fatal(err)
	}
	for id, err := range s.Generate(context.Background(), prompt, engine.GenerateOptions{Max: 8}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%-12q ||x|| = %.2f\n", tok.Piece(id), length)
	}
}
