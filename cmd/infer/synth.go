package main

import (
	"io"
	"slices"

	"github.com/normswap/normswap/internal/toy"
	"github.com/normswap/normswap/quant"
	"github.com/spf13/cobra"
)

func newSynth() *cobra.Command {
	var shape, typ choice
	var out string
	var seed uint64
	var force bool
	cmd := &cobra.Command{
		Use:   "synth --shape SHAPE --type TYPE -o FILE",
		Short: "Write a model of a well-known shape with random weights",
		Long: `synth writes a GGUF file with the shape of a well-known model and random
weights: as good as the real one for a benchmark, and nothing to download. It
has no vocabulary: infer bench and infer logits run it, on token ids. The same
seed gives the same bytes.`,
		Example: `  infer synth --shape gpt2-124M --type Q8_0 -o gpt2.gguf
  infer synth --shape llama-1B --type Q4_K_M -o llama.gguf --seed 7`,
		Args: exactArgs(),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case shape.value == "":
				return usagef("synth needs --shape: %s", shape.Type())
			case out == "":
				return usagef("synth needs -o: the file to write")
			}
			return writeFile(cmd.Context(), out, force, func(w io.Writer) error {
				bar := newBar("writing", -1, bytesUnit)
				defer bar.done()
				return toy.Write(io.MultiWriter(w, bar), toy.Shapes[shape.value], typ.value, seed)
			})
		},
	}
	types := slices.Clone(toy.Types)
	for _, t := range quant.Types() {
		if t.CanEncode() {
			types = append(types, t.String())
		}
	}
	addChoice(cmd, &shape, "shape", "", "the `shape`: one of the well-known models", toy.Names()...)
	addChoice(cmd, &typ, "type", "Q8_0", "the `type` of the matrices", types...)
	f := cmd.Flags()
	f.StringVarP(&out, "out", "o", "", "the `file` to write")
	f.Uint64Var(&seed, "seed", 1, "random `seed`")
	f.BoolVar(&force, "force", false, "replace the file if it is there")
	return cmd
}
