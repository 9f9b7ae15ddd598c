package fold_test

import (
	"bytes"
	"context"
	"fmt"
	"log"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/fold"
	"github.com/normswap/normswap/gguf"
)

// A runner that folds models as it loads them carries out the plan itself.
func ExamplePlan_runner() {
	f, err := gguf.Open("../tests/testdata/archs/gptneox.gguf")
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	m, err := arch.Load(f)
	if err != nil {
		log.Fatal(err)
	}
	plan, err := fold.New(m)
	if err != nil {
		log.Fatal(err) // ErrNothing, or a *Refusal with the reason
	}
	for _, s := range plan.Steps {
		switch s.Action {
		case fold.CenterRows: // take from each row its mean
			fmt.Println("centre each row of", s.Rows.Name)
		case fold.CenterColumns: // take from each column its mean over these rows, and from the bias its own
			l := s.Linear
			fmt.Printf("centre rows %d to %d of %s\n", l.From, l.From+l.Rows-1, l.W.Name)
		case fold.CenterOutput: // take from each vector that this norm writes its mean
			fmt.Println("centre what is written by", s.Norm.Site)
		case fold.Swap:
			fmt.Println("RMSNorm with the same gain, bias and epsilon:", s.Norm.Site)
		}
	}
	for _, k := range plan.Kept {
		fmt.Println("LayerNorm as before:", k.Norm.Site, k.Reason)
	}
	// Output:
	// centre each row of token_embd.weight
	// centre rows 0 to 31 of blk.0.attn_output.weight
	// centre rows 0 to 31 of blk.0.ffn_down.weight
	// centre rows 0 to 31 of blk.1.attn_output.weight
	// centre rows 0 to 31 of blk.1.ffn_down.weight
	// RMSNorm with the same gain, bias and epsilon: blk.0.attn_norm
	// RMSNorm with the same gain, bias and epsilon: blk.0.ffn_norm
	// RMSNorm with the same gain, bias and epsilon: blk.1.attn_norm
	// RMSNorm with the same gain, bias and epsilon: blk.1.ffn_norm
	// RMSNorm with the same gain, bias and epsilon: output_norm
}

// A file is measured before its norms are swapped, whatever its keys say.
func ExampleVerify() {
	ctx := context.Background()
	f, err := gguf.Open("../tests/testdata/archs/gpt2.gguf")
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	m, err := arch.Load(f)
	if err != nil {
		log.Fatal(err)
	}
	_, err = fold.Verify(ctx, f, m)
	fmt.Println(err)

	out, err := fold.Prepare(ctx, f, m, fold.WriteOptions{})
	if err != nil {
		log.Fatal(err)
	}
	var b bytes.Buffer
	if err := out.Write(ctx, &b); err != nil {
		log.Fatal(err)
	}
	if f, err = gguf.Parse(b.Bytes()); err != nil {
		log.Fatal(err)
	}
	if m, err = arch.Load(f); err != nil {
		log.Fatal(err)
	}
	_, err = fold.Verify(ctx, f, m)
	fmt.Println("after the fold:", err)
	// Output:
	// fold: not folded: row 0 of token_embd.weight has the mean 1.11, and rounding leaves at most 1.3e-07
	// after the fold: <nil>
}
