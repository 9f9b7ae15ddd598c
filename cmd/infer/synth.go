package main

import (
	"io"

	"github.com/normswap/normswap/internal/toy"
	"github.com/spf13/cobra"
)

func newSynth() *cobra.Command {
	var shape, typ choice
	var out string
	var seed uint64
	var layers int
	var force bool
	cmd := &cobra.Command{
		Use:   "synth --shape SHAPE --type TYPE -o FILE",
		Short: "Write a model of a well-known shape with random weights",
		Long: `synth writes a GGUF file with the shape of a well-known model and random
weights: as good as the real one for a benchmark, and nothing to download. It
has no vocabulary: infer bench and infer logits run it, on token ids. The same
seed gives the same bytes.

Of types that normswap cannot encode the blocks are random bits under scales of
the right size. Mixtures are those of llama.cpp's quantizer: Q4_K_M, Q3_K_M,
IQ3_M, and as Q2_K-mix and IQ4_XS-mix those that it names as a type; UD-Q2_K_XL
and UD-IQ2_XXS are like the dynamic ones of Unsloth.`,
		Example: `  infer synth --shape gpt2-124M --type Q8_0 -o gpt2.gguf
  infer synth --shape llama-1B --type Q4_K_M -o llama.gguf --seed 7
  infer synth --shape llama-1B --layers 1 -o one.gguf   for long contexts`,
		Args: exactArgs(),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case shape.value == "":
				return usagef("synth needs --shape: %s", shape.Type())
			case out == "":
				return usagef("synth needs -o: the file to write")
			case layers < 0:
				return usagef("--layers %d: a model has one or more", layers)
			}
			s := toy.Shapes[shape.value]
			if layers > 0 {
				s.Layers = layers
			}
			return writeFile(cmd.Context(), out, force, func(w io.Writer) error {
				bar := newBar("writing", -1, bytesUnit)
				defer bar.done()
				return toy.Write(io.MultiWriter(w, bar), s, typ.value, seed)
			})
		},
	}
	addChoice(cmd, &shape, "shape", "", "the `shape`: one of the well-known models", toy.Names()...)
	addChoice(cmd, &typ, "type", "Q8_0", "the `type` of the matrices, or a mixture", toy.Types()...)
	f := cmd.Flags()
	f.StringVarP(&out, "out", "o", "", "the `file` to write")
	f.IntVar(&layers, "layers", 0, "`layers` of the model; 0: as many as the shape has")
	f.Uint64Var(&seed, "seed", 1, "random `seed`")
	f.BoolVar(&force, "force", false, "replace the file if it is there")
	return cmd
}
