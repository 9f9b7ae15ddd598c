package engine

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/internal/toy"
	"github.com/normswap/normswap/internal/toytest"
	"github.com/normswap/normswap/quant"
)

// smallest is a model in as few bytes as its parts permit.
func smallest(name string) toy.Shape {
	s := toy.Tiny(name, func(tensor string) bool { return strings.Contains(tensor, "qkv") })
	s.Vocab, s.Context, s.FFN = 16, 8, 32
	if spec, ok := arch.Lookup(name); ok && spec.Depths == nil {
		s.Layers = 1
	}
	return s
}

// try loads any bytes and evaluates two tokens. What does not work must say
// so in one short line.
func try(t testing.TB, b []byte) error { return tryWith(t, b, 0) }

// tryWith is try with the options that the bits choose.
func tryWith(t testing.TB, b []byte, bits uint8) error {
	o := Options{Threads: 1, Norm: NormModes[bits&3], FloatActivations: bits&4 != 0, FoldGain: bits&8 != 0}
	so := SessionOptions{CheckFinite: bits&16 == 0}
	if bits&32 != 0 {
		so.KV = quant.F16
	}
	f, err := gguf.Parse(b)
	if err == nil {
		err = evaluate(f, o, so, 1, 0)
	}
	if err != nil && (len(err.Error()) > 1000 || strings.ContainsAny(err.Error(), "\n\x00\x1b")) {
		t.Errorf("the error is not one short line: %.2000q", err)
	}
	return err
}

// TestCutModels: of two whole files, no part is a model, but for the padding
// at the end.
func TestCutModels(t *testing.T) {
	for _, m := range []struct{ arch, typ string }{{"gpt2", "Q4_0"}, {"llama", "F16"}} {
		whole := toytest.Bytes(t, smallest(m.arch), m.typ, 1)
		if err := try(t, whole); err != nil {
			t.Fatal(err)
		}
		last := toytest.Parse(t, whole).Tensors
		end := 0
		for _, x := range last {
			end = max(end, int(x.Offset)+len(x.Data))
		}
		for n := range whole {
			if err := try(t, whole[:n:n]); (err == nil) != (n >= end) {
				t.Errorf("%s: the first %d of %d bytes: %v", m.arch, n, len(whole), err)
			}
		}
		t.Logf("%s: %d cuts", m.arch, len(whole))
	}
}

// TestChangedModels: whatever a byte is changed to, the result is an error or
// a model that works.
func TestChangedModels(t *testing.T) {
	if testing.Short() {
		t.Skip("one thread has nothing for the race detector")
	}
	whole := toytest.Bytes(t, smallest("gpt2"), "Q4_0", 1)
	data := int(toytest.Parse(t, whole).Tensors[0].Offset)
	tried, loaded := 0, 0
	for i, old := range whole {
		values := []byte{0, 1, 9, 0x20, 0x7f, 0x80, 0xff, old + 1}
		if i >= data {
			values = []byte{0xff, 0x7c}[i%2 : i%2+1] // together, an infinite half
		}
		for _, b := range values {
			whole[i] = b
			tried++
			if try(t, whole) == nil {
				loaded++
			}
		}
		whole[i] = old
	}
	t.Logf("%d changes, %d of them models", tried, loaded)
}

// rewrite parses a file, changes it, and writes it anew.
func rewrite(t testing.TB, b []byte, change func(f *gguf.File)) []byte {
	t.Helper()
	f := toytest.Parse(t, slices.Clone(b))
	change(f)
	var out bytes.Buffer
	if err := gguf.Write(&out, f); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// retyped changes the type of a tensor in the bytes of a file.
func retyped(t testing.TB, b []byte, name string, typ byte) []byte {
	t.Helper()
	b = slices.Clone(b)
	at := bytes.Index(b, []byte(name))
	if at < 0 {
		t.Fatalf("no %s", name)
	}
	at += len(name)
	b[at+4+8*int(b[at])] = typ
	return b
}

// hostileModels are whole files, wrong in one thing. Those that want nothing
// run.
func hostileModels(t testing.TB) map[string]struct {
	file []byte
	want string
} {
	type file = struct {
		file []byte
		want string
	}
	all := map[string]file{}
	gpt2, llama := toytest.Bytes(t, smallest("gpt2"), "Q4_0", 1), toytest.Bytes(t, smallest("llama"), "F16", 1)
	set := func(key string, v any) func(*gguf.File) {
		return func(f *gguf.File) {
			if err := f.Meta.Set(key, v); err != nil {
				t.Fatal(err)
			}
		}
	}
	add := func(name, want string, b []byte, change func(f *gguf.File)) {
		if change != nil {
			b = rewrite(t, b, change)
		}
		all[name] = file{b, want}
	}
	add("gpt2", "", gpt2, nil)
	add("llama", "", llama, nil)
	add("no tensors", "it has no tensors", gpt2, func(f *gguf.File) { f.Tensors = nil })
	add("no metadata", "general.architecture", gpt2, func(f *gguf.File) { f.Meta = gguf.Meta{} })
	add("context 2^40", "gpt2.context_length", gpt2, set("gpt2.context_length", uint64(1<<40)))
	add("context 2^31-1", "", llama, set("llama.context_length", uint32(1<<31-1)))
	add("context of a learned table", "position_embd.weight", gpt2, set("gpt2.context_length", uint32(1<<31-1)))
	add("blocks 4096", "missing tensor blk.1.", gpt2, set("gpt2.block_count", uint32(4096)))
	add("eps denormal", "", gpt2, set("gpt2.attention.layer_norm_epsilon", float32(1e-44)))
	add("base tiny", "", llama, set("llama.rope.freq_base", float32(1e-30)))
	add("base huge", "", llama, set("llama.rope.freq_base", float32(1e38)))
	add("factor huge", "", llama, set("llama.rope.scaling.factor", float32(1e38)))
	add("unknown type", `tensor blk.0.attn_output.weight`, retyped(t, gpt2, "blk.0.attn_output.weight", 99), nil)
	add("unknown type of a norm", `tensor "blk.0.attn_norm.weight" has unknown type 99`, retyped(t, gpt2, "blk.0.attn_norm.weight", 99), nil)
	add("unknown type that nobody needs", `does not: "extra"`, retyped(t, rewrite(t, gpt2, func(f *gguf.File) {
		f.Tensors = append(f.Tensors, gguf.Tensor{Name: "extra", Dims: []int{1}, Data: make([]byte, 4)})
	}), "extra", 99), nil)
	add("no items", `does not: "extra"`, gpt2, func(f *gguf.File) {
		f.Tensors = append(f.Tensors, gguf.Tensor{Name: "extra", Dims: []int{0}})
	})
	add("norm of no items", "tensor blk.0.attn_norm.weight is [0]", gpt2, func(f *gguf.File) {
		x, _ := f.Tensor("blk.0.attn_norm.weight")
		x.Dims, x.Data = []int{0}, nil
	})
	add("short norm", "tensor blk.0.ffn_norm.bias is [31], want [32]", gpt2, func(f *gguf.File) {
		x, _ := f.Tensor("blk.0.ffn_norm.bias")
		x.Dims, x.Data = []int{31}, x.Data[:4*31]
	})
	add("quantised norm", "", gpt2, func(f *gguf.File) {
		x, _ := f.Tensor("blk.0.attn_norm.weight")
		x.Type, x.Data = quant.Q8_0, slices.Repeat([]byte{0, 0x3c}, 17)
	})
	add("reversed", "", gpt2, func(f *gguf.File) { slices.Reverse(f.Tensors) })
	add("tokens fewer than rows", "", gpt2, func(f *gguf.File) {
		set("tokenizer.ggml.model", "gpt2")(f)
		set("tokenizer.ggml.tokens", []string{"a"})(f)
		set("tokenizer.ggml.merges", []string{"a a"})(f)
	})
	add("tokens of no kind", "", gpt2, set("tokenizer.ggml.tokens", uint8(1))) // it still runs on ids
	return all
}

func TestHostileModels(t *testing.T) {
	for name, h := range hostileModels(t) {
		if err := try(t, h.file); h.want == "" && err != nil || h.want != "" && (err == nil || !strings.Contains(err.Error(), h.want)) {
			t.Errorf("%s: %v, want %q", name, err, h.want)
		}
	}
}

// TestGaps: where the data lie in the file is nothing to the model.
func TestGaps(t *testing.T) {
	whole := toytest.Bytes(t, smallest("gpt2"), "Q4_0", 1)
	f := toytest.Parse(t, whole)
	m, err := Load(t.Context(), f, Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	want := allLogits(t, m, []int32{1, 2, 3})
	slices.Reverse(f.Tensors)
	wide := &gguf.File{Version: 3, Meta: f.Meta.Clone(), Tensors: f.Tensors}
	if err := wide.Meta.Set("general.alignment", uint32(4096)); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := gguf.Write(&b, wide); err != nil {
		t.Fatal(err)
	}
	again, err := Load(t.Context(), toytest.Parse(t, b.Bytes()), Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	if got := allLogits(t, again, []int32{1, 2, 3}); !slices.Equal(got, want) {
		t.Error("other logits with tensors in another order and gaps between them")
	}
}

// FuzzLoad takes any bytes through the whole: parse, load, swap or fold the
// norms, evaluate.
func FuzzLoad(f *testing.F) {
	for _, h := range hostileModels(f) {
		f.Add(h.file, uint8(0))
	}
	for i, s := range arch.All() {
		if !s.Encoder {
			f.Add(toytest.Bytes(f, smallest(s.Name), "F16", 1), uint8(37*i))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte, bits uint8) { _ = tryWith(t, b, bits) })
}
