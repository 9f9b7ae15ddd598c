package fold_test

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/fold"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/internal/testdata"
	"github.com/normswap/normswap/internal/toy"
	"github.com/normswap/normswap/internal/toytest"
	"github.com/normswap/normswap/quant"
)

// TestDefaultPrecision: by default a folded file is within 1e-6 of its source,
// in every architecture and from every type, and within 1e-11 as F32.
func TestDefaultPrecision(t *testing.T) {
	f32 := quant.F32
	worst := map[bool]float64{}
	for _, s := range arch.All() {
		if s.Form == arch.PostNorm || fold.Check(load(t, tinyOf(t, s.Name, "F32")), fold.WriteOptions{Export: "auto"}) != nil {
			continue
		}
		for _, typ := range []string{"F16", "BF16", "Q4_K"} {
			b := tinyOf(t, s.Name, typ)
			want := logits(t, toytest.Parse(t, b), engine.Native)
			if s.TrainedLayerNorm {
				want = logits(t, toytest.Parse(t, b), engine.Centered)
			}
			for _, o := range []fold.WriteOptions{{Gain: typ == "BF16"}, {Type: &f32}} {
				o.Export = "auto"
				f, out := folded(t, b, o)
				bound := 1e-6
				if o.Type != nil {
					bound = 1e-11
				}
				e := testdata.NMSE(logits(t, f, engine.Native), want)
				if !(e <= bound) {
					t.Errorf("%s in %s, gain %v, as F32 %v: NMSE %.2g, want <= %.0e", s.Name, typ, o.Gain, o.Type != nil, e, bound)
				}
				worst[o.Type != nil] = max(worst[o.Type != nil], e)
				for i := range f.Tensors {
					if x := &f.Tensors[i]; (len(x.Dims) == 1 || strings.Contains(x.Name, "_norm.") || o.Type != nil) && x.Type != quant.F32 {
						t.Errorf("%s in %s: %s is %s", s.Name, typ, x.Name, x.Type)
					}
				}
				if out.Report.Requantized {
					t.Errorf("%s in %s: requantised", s.Name, typ)
				}
			}
		}
	}
	t.Logf("the worst NMSE is %.2g, and %.2g as F32", worst[false], worst[true])
}

func tinyOf(t *testing.T, name, typ string) []byte {
	t.Helper()
	shape := toy.Tiny(name, func(tensor string) bool {
		return strings.Contains(tensor, "bias") || strings.Contains(tensor, "ffn_norm")
	})
	shape.Dim, shape.FFN = 256, 256
	var b bytes.Buffer
	if err := toy.Write(&b, shape, typ, 7); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func load(t *testing.T, b []byte) *arch.Model {
	t.Helper()
	m, err := arch.Load(toytest.Parse(t, b))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// alter decodes a tensor, changes its values, and stores them in another type.
func alter(t *testing.T, f *gguf.File, name string, typ quant.Type, change func(v []float32)) {
	t.Helper()
	x, ok := f.Tensor(name)
	if !ok {
		t.Fatalf("no tensor %s", name)
	}
	v, err := x.Float32s()
	if err != nil {
		t.Fatal(err)
	}
	v = slices.Clone(v)
	change(v)
	size, err := typ.RowBytes(x.Dims[0])
	if err != nil {
		t.Fatal(err)
	}
	x.Type, x.Data = typ, make([]byte, size*(len(v)/x.Dims[0]))
	if err := quant.Encode(x.Data, typ, v); err != nil {
		t.Fatal(err)
	}
}

// rewritten returns the bytes of a model with other tensors.
func rewritten(t *testing.T, b []byte, change func(f *gguf.File)) []byte {
	t.Helper()
	f := toytest.Parse(t, b)
	change(f)
	var out bytes.Buffer
	if err := gguf.Write(&out, f); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestBeyondF16: weights that F16 cannot hold are stored as F32, and a type that
// was asked for and cannot hold them is refused before anything is written.
func TestBeyondF16(t *testing.T) {
	b := rewritten(t, tinyOf(t, "stablelm", "Q8_0"), func(f *gguf.File) {
		x, _ := f.Tensor("blk.0.ffn_down.weight")
		x.Data = slices.Clone(x.Data)
		x.Data[0], x.Data[1] = 0xd0, 0x63 // a scale of 1000, with codes of up to 127
	})
	f, out := folded(t, b, fold.WriteOptions{})
	if x, _ := f.Tensor("blk.0.ffn_down.weight"); x.Type != quant.F32 || !slices.Equal(out.Report.BeyondF16, []string{x.Name}) {
		t.Errorf("stored as %s, reported %q", x.Type, out.Report.BeyondF16)
	}
	if e := testdata.NMSE(logits(t, f, engine.Native), logits(t, toytest.Parse(t, b), engine.Native)); !(e <= 1e-6) {
		t.Errorf("NMSE %.2g", e)
	}
	f16 := quant.F16
	_, err := prepare(t, b, fold.WriteOptions{Type: &f16})
	var encode *fold.EncodeError
	if !errors.As(err, &encode) || encode.Tensor != "blk.0.ffn_down.weight" || encode.Type != f16 {
		t.Errorf("as F16: %v", err)
	}
	for _, iq := range quant.Types() {
		if iq.CanEncode() {
			continue
		}
		if _, err := prepare(t, b, fold.WriteOptions{Type: &iq}); !errors.As(err, &encode) {
			t.Errorf("as %s: %v", iq, err)
		}
		break
	}
}

// TestNotFinite: a weight that is no number is an error that names the tensor.
func TestNotFinite(t *testing.T) {
	b := tinyOf(t, "gpt2", "F32")
	for _, name := range []string{"token_embd.weight", "position_embd.weight", "blk.0.attn_output.weight", "blk.1.ffn_down.bias"} {
		for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1))} {
			_, err := prepare(t, rewritten(t, b, func(f *gguf.File) {
				alter(t, f, name, quant.F32, func(v []float32) { v[7] = bad })
			}), fold.WriteOptions{})
			if err == nil || !strings.Contains(err.Error(), "tensor "+name) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v in %s: %v", bad, name, err)
			}
		}
	}
}

// TestVectorsAreF32: llama.cpp wants gains and biases in F32, whatever the
// source has.
func TestVectorsAreF32(t *testing.T) {
	b := rewritten(t, tinyOf(t, "stablelm", "F16"), func(f *gguf.File) {
		for i := range f.Tensors {
			if x := &f.Tensors[i]; len(x.Dims) == 1 {
				alter(t, f, x.Name, quant.F16, func([]float32) {})
				x.Dims = append(x.Dims, 1)
			}
		}
	})
	for _, o := range []fold.WriteOptions{{}, {Export: "phimoe"}, {Gain: true, Export: "phimoe"}} {
		f, _ := folded(t, b, o)
		for i := range f.Tensors {
			x := &f.Tensors[i]
			if rows := x.Items() / x.Dims[0]; rows == 1 && x.Type != quant.F32 {
				t.Errorf("%+v: %s %v is %s", o, x.Name, x.Dims, x.Type)
			}
		}
		if e := testdata.NMSE(logits(t, f, engine.Native), logits(t, toytest.Parse(t, b), engine.Native)); !(e <= 1e-6) {
			t.Errorf("%+v: NMSE %.2g", o, e)
		}
	}
}

// TestHeadAsEmbedding: CodeShell's files may have the head alone. Folded, the
// embedding is centred and the head is not, so the file has both.
func TestHeadAsEmbedding(t *testing.T) {
	b := rewritten(t, testdata.Read(t, "archs/codeshell.gguf"), func(f *gguf.File) {
		f.Tensors = slices.DeleteFunc(f.Tensors, func(x gguf.Tensor) bool { return x.Name == "token_embd.weight" })
	})
	f, _ := folded(t, b, fold.WriteOptions{})
	embed, ok := f.Tensor("token_embd.weight")
	head, also := f.Tensor("output.weight")
	if !ok || !also || bytes.Equal(embed.Data, head.Data) {
		t.Fatalf("an embedding %v, a head %v", ok, also)
	}
	if e := testdata.NMSE(logits(t, f, engine.RMSNaive), logits(t, toytest.Parse(t, b), engine.Native)); !(e <= 1e-11) {
		t.Errorf("NMSE %.2g", e)
	}
}

// TestCheck: what metadata tell is refused without a look at the weights.
func TestCheck(t *testing.T) {
	for name, want := range map[string]string{"llama": "RMSNorm already", "bloom": "token_embd_norm", "command-r": "its head is the embedding"} {
		f := toytest.Parse(t, testdata.Read(t, "archs/"+name+".gguf"))
		m, err := arch.Load(f)
		if err != nil {
			t.Fatal(err)
		}
		for i := range f.Tensors {
			f.Tensors[i].Data = nil
		}
		if err := fold.Check(m, fold.WriteOptions{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	m := load(t, testdata.Read(t, "archs/olmo.gguf"))
	for _, o := range []fold.WriteOptions{{Export: "phimoe"}, {Strategy: "magic"}} {
		if fold.Check(m, o) == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
	if err := fold.Check(m, fold.WriteOptions{Export: "llama"}); err != nil {
		t.Error(err)
	}
}

// TestFusedExports: an export does not depend on whether queries, keys and
// values are one matrix, or on which of them have a bias.
func TestFusedExports(t *testing.T) {
	for _, name := range []string{"olmo", "stablelm", "orion", "command-r"} {
		for _, parts := range []string{"", "attn_qkv.weight", "attn_qkv", "attn_qkv.weight attn_q.bias attn_k.bias attn_v.bias", "attn_q.bias", "attn_output.bias attn_v.bias"} {
			shape := toy.Tiny(name, func(tensor string) bool {
				_, part, _ := strings.Cut(strings.TrimPrefix(tensor, "blk."), ".")
				return strings.HasPrefix(part, "ffn_norm") || slices.ContainsFunc(strings.Fields(parts), func(p string) bool { return strings.HasPrefix(part, p) })
			})
			shape.KVHeads = 2
			var b bytes.Buffer
			if err := toy.Write(&b, shape, "F32", 5); err != nil {
				t.Fatal(err)
			}
			want := logits(t, toytest.Parse(t, b.Bytes()), engine.Native)
			for _, gain := range []bool{false, true} {
				f, out := folded(t, b.Bytes(), fold.WriteOptions{Export: "auto", Gain: gain})
				if out.Report.Arch == name {
					t.Errorf("%s with %q is not exported", name, parts)
				}
				if e := testdata.NMSE(logits(t, f, engine.Native), want); !(e <= 1e-11) {
					t.Errorf("%s with %q, gain %v: NMSE %.2g", name, parts, gain, e)
				}
			}
		}
	}
}
