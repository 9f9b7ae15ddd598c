package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/hf"
	"github.com/normswap/normswap/quant"
	"github.com/spf13/cobra"
)

type convertFlags struct {
	out, typ string
	force    bool
}

func newConvert() *cobra.Command {
	var o convertFlags
	cmd := &cobra.Command{
		Use:   "convert FOLDER -o FILE",
		Short: "Make a GGUF file of a Hugging Face folder",
		Long: `convert writes the GGUF file that a folder of transformers stands for
(config.json, safetensors or pytorch_model.bin, tokenizer.json). The tensors
are those of llama.cpp's converter. What that loses (sliding windows, RoPE
bases, the exact GELU) is written under keys that this program reads, and one
line says which keys other runners may pass over. Commands take the folder
itself as well.`,
		Example: `  infer convert pythia-160m -o pythia.gguf
  infer convert pythia-160m -o pythia-Q8_0.gguf --type Q8_0`,
		Args: exactArgs("the folder"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.out == "" {
				return usagef("-o names the file to write")
			}
			return o.run(cmd.Context(), args[0])
		},
	}
	f := cmd.Flags()
	f.StringVarP(&o.out, "out", "o", "", "`file` to write; - is stdout")
	f.StringVar(&o.typ, "type", "", "`type` of the matrices, such as F32, F16, BF16 or Q8_0; default: that of the folder")
	f.BoolVar(&o.force, "force", false, "replace a file that is there")
	return cmd
}

func (o *convertFlags) run(ctx context.Context, dir string) error {
	dir, err := located(dir)
	if err != nil {
		return err
	}
	if !hf.Is(dir) {
		return fmt.Errorf("%s is no folder with a config.json", dir)
	}
	if o.out != "-" {
		if _, err := checkTarget(o.out, o.force); err != nil {
			return err
		}
	}
	f, err := openFile(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	infos, err := o.types(f)
	if err != nil {
		return err
	}
	if _, err := arch.Load(f); err != nil {
		var unknown *arch.UnknownError
		if !errors.As(err, &unknown) {
			return err
		}
		note("warning: this program does not run the architecture %s", unknown.Name)
	}
	if keys := hf.OwnKeys(&f.Meta); len(keys) > 0 {
		note("other runners may pass over %s, and then compute something else", strings.Join(keys, ", "))
	}
	return writeFile(ctx, o.out, o.force, func(w io.Writer) error {
		return f.Guard(func() error { return writeConverted(w, f, infos) })
	})
}

// types decides in which type each tensor is stored.
func (o *convertFlags) types(f *gguf.File) ([]gguf.TensorInfo, error) {
	want := quant.Type(math.MaxUint32)
	if o.typ != "" {
		t, err := quant.ParseType(o.typ)
		if err != nil || !t.CanEncode() {
			return nil, usagef("--type %q is not a type that can be written", o.typ)
		}
		want = t
	}
	var infos []gguf.TensorInfo
	counts := map[quant.Type]int{}
	for _, t := range f.Tensors {
		typ := want
		if o.typ == "" {
			typ = t.Type
		}
		typ = hf.TypeOf(t.Name, t.Dims, typ)
		if _, err := typ.RowBytes(t.Dims[0]); err != nil { // rows that blocks do not fill
			typ = quant.F16
		}
		if typ != quant.F32 {
			counts[typ] += t.Items()
		}
		infos = append(infos, gguf.TensorInfo{Name: t.Name, Type: typ, Dims: t.Dims})
	}
	most := quant.F32
	for t, n := range counts {
		if n > counts[most] || n == counts[most] && t < most {
			most = t
		}
	}
	hf.SetFileType(&f.Meta, most)
	return infos, nil
}

func writeConverted(w io.Writer, f *gguf.File, infos []gguf.TensorInfo) error {
	out, err := gguf.NewWriter(w, 3, &f.Meta, infos)
	if err != nil {
		return err
	}
	for i := range infos {
		data, err := encodeAs(&f.Tensors[i], infos[i].Type)
		if err != nil {
			return err
		}
		if err := out.Tensor(infos[i].Name, data); err != nil {
			return err
		}
	}
	return out.Close()
}

// encodeAs returns the data of a tensor in another type. A value that the type
// cannot hold is an error.
func encodeAs(t *gguf.Tensor, typ quant.Type) ([]byte, error) {
	if t.Type == typ {
		return t.Data, nil
	}
	x, err := t.Float32s()
	if err != nil {
		return nil, err
	}
	row, err := typ.RowBytes(t.Dims[0])
	if err != nil {
		return nil, err
	}
	data := make([]byte, row*(len(x)/t.Dims[0]))
	if err := quant.Encode(data, typ, x); err != nil {
		return nil, fmt.Errorf("tensor %s: %w", t.Name, err)
	}
	if err := quant.Decode(x, typ, data); err != nil {
		return nil, err
	}
	if slices.ContainsFunc(x, func(v float32) bool { return math.IsInf(float64(v), 0) || v != v }) {
		return nil, fmt.Errorf("tensor %s has values that %v cannot hold; --type BF16 or F32 can", t.Name, typ)
	}
	return data, nil
}
