// Command foldfile folds the mean removal of a LayerNorm model into its
// weights and writes the result, which every runner of the original runs.
//
//	go run ./examples/foldfile model.gguf folded.gguf
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/fold"
	"github.com/normswap/normswap/gguf"
)

func main() {
	ctx := context.Background()
	if len(os.Args) != 3 {
		log.Fatal("usage: foldfile MODEL OUT")
	}
	f, err := gguf.Open(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	m, err := arch.Load(f)
	if err != nil {
		log.Fatal(err)
	}
	out, err := fold.Prepare(ctx, f, m, fold.WriteOptions{Strategy: fold.Dequant})
	if err != nil {
		log.Fatal(err) // a *fold.Refusal says why; fold.ErrNothing that there is nothing to do
	}
	fmt.Print(out.Plan)
	err = gguf.WriteFile(os.Args[2], func(w io.Writer) error { return out.Write(ctx, w) })
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("largest |mean| left in a writer: %.1e\n", out.Report.LargestMean)
}
