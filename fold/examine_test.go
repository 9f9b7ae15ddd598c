package fold_test

import (
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/fold"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/internal/testdata"
	"github.com/normswap/normswap/internal/toytest"
	"github.com/normswap/normswap/quant"
)

func examined(t *testing.T, f *gguf.File) *fold.Examination {
	t.Helper()
	m, err := arch.Load(f)
	if err != nil {
		t.Fatal(err)
	}
	x, err := fold.Examine(t.Context(), f, m)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// plant edits a tensor of F32 of a parsed file.
func plant(t *testing.T, f *gguf.File, name string, edit func(row []float32)) {
	t.Helper()
	w, ok := f.Tensor(name)
	if !ok || w.Type != quant.F32 {
		t.Fatalf("no tensor %s of F32", name)
	}
	data := append([]byte(nil), w.Data...)
	row := make([]float32, w.Dims[0])
	for at := 0; at < len(data); at += 4 * len(row) {
		for i := range row {
			row[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[at+4*i:]))
		}
		edit(row)
		for i, v := range row {
			binary.LittleEndian.PutUint32(data[at+4*i:], math.Float32bits(v))
		}
	}
	w.Data = data
}

func centered(row []float32) {
	var sum float32
	for _, v := range row {
		sum += v
	}
	for i := range row {
		row[i] -= sum / float32(len(row)) // in float32, as pipelines do
	}
}

// TestExamine: files are what they say, and planted mistakes are named.
func TestExamine(t *testing.T) {
	read := func(name string) *gguf.File { return toytest.Parse(t, testdata.Read(t, name)) }
	written := func(name string, o fold.WriteOptions) *gguf.File {
		f, _ := folded(t, testdata.Read(t, name), o)
		return f
	}
	wrong := read("trained/stories260K-F32.gguf")
	plant(t, wrong, "token_embd.weight", centered)
	half := read("archs/gpt2.gguf")
	for _, name := range []string{"token_embd.weight", "position_embd.weight"} {
		plant(t, half, name, centered)
	}
	liar := written("archs/gpt2.gguf", fold.WriteOptions{})
	plant(t, liar, "token_embd.weight", func(row []float32) { row[0]++ })
	q8 := quant.Q8_0
	for _, c := range []struct {
		name string
		f    *gguf.File
		want []string
	}{
		{"RMSNorm", read("trained/stories260K-F32.gguf"), []string{"RMSNorm as trained"}},
		{"LayerNorm", read("archs/gpt2.gguf"), []string{"LayerNorm, not folded"}},
		{"folded", written("archs/gpt2.gguf", fold.WriteOptions{}), []string{"it is folded", "computes the same"}},
		{"folded, F16", written("quantized/gpt2-256-Q4_K_M.gguf", fold.WriteOptions{}), []string{"it is folded"}},
		{"folded, Q8_0", written("quantized/gpt2-256-Q4_K_M.gguf", fold.WriteOptions{Type: &q8}), []string{"encoded in blocks", "not exact"}},
		{"readers", written("archs/gpt2.gguf", fold.WriteOptions{Readers: true}), []string{"LayerNorm, not folded"}},
		{"export", written("archs/olmo.gguf", fold.WriteOptions{Export: "auto"}), []string{"re-expressed"}},
		{"wrong centering", wrong, []string{"token_embd.weight is centered though no RMSNorm asks", "not the model that was trained"}},
		{"half a fold", half, []string{"half done", "token_embd.weight"}},
		{"broken fold", liar, []string{"says that it is folded, and is not", "token_embd.weight"}},
		{"phimoe", read("archs/phimoe.gguf"), []string{"was trained with LayerNorm and runs RMSNorm", "a fold mends"}},
		{"post-norm", read("encoders/bert.gguf"), []string{"follow the sums"}},
	} {
		x := examined(t, c.f)
		for _, w := range c.want {
			if !strings.Contains(x.Verdict, w) {
				t.Errorf("%s: %q does not say %q", c.name, x.Verdict, w)
			}
		}
	}
}
