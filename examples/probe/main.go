// Command probe collects the hidden vectors that one norm reads, a row of
// CSV for every token: the input of a linear probe.
//
//	go run ./examples/probe model.gguf blk.2.attn_norm "Once upon a time" > vectors.csv
package main

import (
	"context"
	"encoding/csv"
	"fmt"
	"log"
	"os"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/tokenizer"
)

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: probe MODEL SITE TEXT")
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
	ids, err := tok.Encode(os.Args[3], tokenizer.EncodeOptions{AddSpecial: true})
	if err != nil {
		log.Fatal(err)
	}
	out := csv.NewWriter(os.Stdout)
	s, err := m.NewSession(engine.SessionOptions{Tap: &engine.Tap{
		Sites: func(n *arch.Norm) bool { return n.Site == os.Args[2] },
		Func: func(h engine.Hidden) {
			if h.Stage != engine.In {
				return
			}
			for i, id := range h.Tokens {
				row := []string{tok.Piece(id)}
				for _, v := range h.Rows[i*h.Site.Width : (i+1)*h.Site.Width] {
					row = append(row, fmt.Sprint(v))
				}
				out.Write(row)
			}
		},
	}})
	if err == nil {
		err = s.Append(context.Background(), ids)
	}
	if out.Flush(); err != nil {
		log.Fatal(err)
	}
}
