// Command onefile is a program and its model in one file: go build it, copy
// the binary anywhere, run it.
//
//	go run ./examples/onefile CBABCA
package main

import (
	"context"
	_ "embed"
	"fmt"
	"log"
	"os"

	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/tokenizer"
)

// The model sorts six of the letters A, B and C (minGPT's gpt-nano, MIT).
//
//go:embed model.gguf
var model []byte

func main() {
	if len(os.Args) != 2 || len(os.Args[1]) != 6 {
		log.Fatal("usage: onefile LETTERS, six of A, B and C")
	}
	f, err := gguf.Parse(model)
	if err != nil {
		log.Fatal(err)
	}
	m, err := engine.Load(context.Background(), f, engine.Options{Threads: 1})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	tok, err := m.Tokenizer()
	if err != nil {
		log.Fatal(err)
	}
	prompt, err := tok.Encode(os.Args[1], tokenizer.EncodeOptions{})
	if err != nil {
		log.Fatal(err)
	}
	s, err := m.NewSession(engine.SessionOptions{})
	if err != nil {
		log.Fatal(err)
	}
	for id, err := range s.Generate(context.Background(), prompt, engine.GenerateOptions{Max: 6}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Print(tok.Piece(id))
	}
	fmt.Println()
}
