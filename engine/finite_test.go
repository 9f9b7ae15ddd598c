package engine

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/internal/testdata"
	"github.com/normswap/normswap/internal/toy"
	"github.com/normswap/normswap/internal/toytest"
	"github.com/normswap/normswap/ops"
	"github.com/normswap/normswap/quant"
)

// evaluate loads a file and evaluates tokens, all of whose logits are finite
// if there is no error.
func evaluate(f *gguf.File, o Options, so SessionOptions, tokens ...int32) error {
	m, err := Load(context.Background(), f, o)
	if err != nil {
		return err
	}
	defer m.Close()
	s, err := m.NewSession(so)
	if err != nil {
		return err
	}
	return s.EvalAll(context.Background(), tokens, func(int, []float32) error { return nil })
}

// poison sets the first number of a tensor, or the scale of its first block.
func poison(t *gguf.Tensor, v float32) {
	switch t.Type {
	case quant.F32:
		binary.LittleEndian.PutUint32(t.Data, math.Float32bits(v))
	case quant.Q4_0, quant.Q8_0, quant.F16:
		half := map[bool]uint16{true: 0x7e00, false: 0x7c00}[v != v]
		if v < 0 {
			half |= 0x8000
		}
		binary.LittleEndian.PutUint16(t.Data, half)
	default:
		panic("no poison for " + t.Type.String())
	}
}

// TestEveryTensorNotFinite puts NaN and infinities into each tensor of each
// architecture. A NaN must give an error that names the tensor; an infinity
// may also vanish, as behind a clamp or a ReLU.
func TestEveryTensorNotFinite(t *testing.T) {
	if testing.Short() {
		t.Skip("one thread has nothing for the race detector")
	}
	type model struct{ arch, typ string }
	var models []model
	for _, s := range arch.All() {
		if !s.Encoder {
			models = append(models, model{s.Name, "F32"})
		}
	}
	for _, typ := range []string{"Q8_0", "Q4_0", "F16"} {
		models = append(models, model{"gpt2", typ}, model{"llama", typ})
	}
	tried, vanished := 0, 0
	for _, m := range models {
		shape := toy.Tiny(m.arch, func(string) bool { return true })
		shape.FFN = 64
		whole := toytest.Bytes(t, shape, m.typ, 1)
		f := toytest.Parse(t, whole)
		spec, _ := arch.Lookup(m.arch)
		for i := range f.Tensors {
			if name := f.Tensors[i].Name; spec.QKBias == arch.Unused && strings.HasSuffix(name, "_norm.bias") && strings.Contains(name, ".attn_") || spec.OutBias == arch.Unused && strings.HasSuffix(name, "attn_output.bias") ||
				spec.FFNBias == arch.Unused && strings.Contains(name, "ffn_") && strings.HasSuffix(name, ".bias") {
				continue // it takes no part
			}
			data := f.Tensors[i].Data
			old := slices.Clone(data)
			for _, v := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))} {
				tried++
				f := toytest.Parse(t, whole)
				x := &f.Tensors[i]
				poison(x, v)
				err := evaluate(f, Options{Threads: 1}, SessionOptions{CheckFinite: true}, 0, 1, 2, 3, 4, 5)
				if err == nil && v == v {
					vanished++
				} else if err == nil || !strings.Contains(err.Error(), x.Name) || strings.Contains(err.Error(), "\n") {
					t.Errorf("%s %s: %v in %s: %v", m.arch, m.typ, v, x.Name, err)
				}
				copy(data, old)
			}
		}
	}
	t.Logf("%d tensors tried, %d infinities vanished", tried, vanished)
	if vanished > tried/5 {
		t.Errorf("of %d numbers that are not finite, %d vanish", tried, vanished)
	}
}

// TestNotFiniteTiers: no instruction set loses a NaN, whatever stores the
// weights and however many tokens go at once.
func TestNotFiniteTiers(t *testing.T) {
	defer ops.SelectISA("")
	for _, typ := range []string{"F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"} {
		whole := toytest.Bytes(t, toy.Tiny("gpt2", nil), typ, 1)
		for _, tier := range ops.ISAs() {
			if err := ops.SelectISA(tier); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"blk.0.attn_norm.weight", "blk.1.ffn_norm.bias", "output_norm.weight"} {
				for _, v := range []float32{float32(math.NaN()), float32(math.Inf(1))} {
					for _, n := range []int{1, 7} {
						f := toytest.Parse(t, slices.Clone(whole))
						x, _ := f.Tensor(name)
						poison(x, v)
						err := evaluate(f, Options{Threads: 1}, SessionOptions{CheckFinite: true}, []int32{0, 1, 2, 3, 4, 5, 6}[:n]...)
						if err == nil || !strings.Contains(err.Error(), name) {
							t.Errorf("%s, %s, %v in %s, %d tokens: %v", typ, tier, v, name, n, err)
						}
					}
				}
			}
		}
	}
}

// TestWhereNotFinite holds the words for each place in the graph.
func TestWhereNotFinite(t *testing.T) {
	nan := float32(math.NaN())
	for _, c := range []struct{ arch, tensor, want string }{
		{"gpt2", "token_embd.weight", "at position 1, before blk.0.attn_norm, from the embedding of token 0 on: tensor token_embd.weight (row 0) has NaN at index 0"},
		{"gpt2", "position_embd.weight", "at position 0, before blk.0.attn_norm, from the embedding of token 7 on: tensor position_embd.weight (row 0) has NaN"},
		{"gpt2", "blk.1.ffn_norm.bias", "at position 0, in the norm blk.1.ffn_norm: tensor blk.1.ffn_norm.bias has NaN at index 0"},
		{"gpt2", "blk.0.attn_output.weight", "in layer 0, between blk.0.attn_norm and blk.0.ffn_norm: tensor blk.0.attn_output.weight has NaN"},
		{"gpt2", "blk.1.ffn_down.weight", "in layer 1, between blk.1.ffn_norm and output_norm: tensor blk.1.ffn_down.weight has NaN"},
		{"phi2", "output.bias", "every norm is finite, so it arises in the head: tensor output.bias has NaN"},
		{"olmo2", "blk.0.attn_q.weight", "before blk.0.attn_q_norm, from the embedding of token 7 on: tensor blk.0.attn_q.weight has NaN"},
		{"bloom", "token_embd_norm.weight", "in the norm token_embd_norm: tensor token_embd_norm.weight has NaN"},
	} {
		f := toytest.Parse(t, toytest.Bytes(t, toy.Tiny(c.arch, nil), "F32", 1))
		x, ok := f.Tensor(c.tensor)
		if !ok {
			t.Fatalf("%s has no %s", c.arch, c.tensor)
		}
		poison(x, nan)
		if err := evaluate(f, Options{}, SessionOptions{CheckFinite: true}, 7, 0, 9); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.tensor, err, c.want)
		}
		f = toytest.Parse(t, toytest.Bytes(t, toy.Tiny(c.arch, nil), "F32", 1))
		x, _ = f.Tensor(c.tensor)
		poison(x, nan)
		var finite *FiniteError
		if err := evaluate(f, Options{}, SessionOptions{}, 7, 0, 9); !errors.As(err, &finite) || finite.Where != "" {
			t.Errorf("%s, without CheckFinite: %v", c.tensor, err)
		}
	}
}

// TestSuppressed: a logit of -Inf is a value, of a fold too, and no token that is
// drawn. The model's makers suppressed tokens 100 to 127 in the bias of the head.
func TestSuppressed(t *testing.T) {
	const name = "cases/round2/phi2-neginf.gguf"
	for _, mode := range []NormMode{Native, RMSFolded} {
		want := testdata.Logits(t, name)
		m := open(t, name, Options{Norm: mode})
		got := allLogits(t, m, testdata.Tokens())
		for i, v := range got {
			if suppressed := i%m.Vocab() >= 100; suppressed != math.IsInf(float64(v), -1) || suppressed != math.IsInf(float64(want[i]), -1) {
				t.Fatalf("%s: logit %d is %v, llama.cpp's %v", mode, i%m.Vocab(), v, want[i])
			}
			if i%m.Vocab() >= 100 {
				got[i], want[i] = 0, 0
			}
		}
		if e := testdata.NMSE(got, want); !(e <= 1e-6) {
			t.Errorf("%s: NMSE %.2g of the others", mode, e)
		}
		for id, err := range newSession(t, m, SessionOptions{}).Generate(t.Context(), testdata.Tokens(), GenerateOptions{Max: 200, Sample: SampleOptions{Temperature: 3}}) {
			if err != nil || id >= 100 {
				t.Fatalf("%s: token %d, %v", mode, id, err)
			}
		}
	}
	f := toytest.Parse(t, testdata.Read(t, name))
	bias, _ := f.Tensor("output.bias")
	for i := range bias.Items() {
		binary.LittleEndian.PutUint32(bias.Data[4*i:], math.Float32bits(float32(math.Inf(-1))))
	}
	err := evaluate(f, Options{}, SessionOptions{CheckFinite: true}, 1)
	if err == nil || !strings.Contains(err.Error(), "logit 0 is -Inf") || !strings.Contains(err.Error(), "output.bias has -Inf at index 0") {
		t.Errorf("every token suppressed: %v", err)
	}
}

// TestOverflow: finite weights whose products are not, in float32 and in the
// F16 cache alone.
func TestOverflow(t *testing.T) {
	fill := func(x *gguf.Tensor, v float32) {
		for i := 0; i < len(x.Data); i += 4 {
			binary.LittleEndian.PutUint32(x.Data[i:], math.Float32bits(v))
		}
	}
	for _, c := range []struct {
		tensor string
		v      float32
		kv     quant.Type
		want   string
	}{
		{"blk.0.attn_output.bias blk.0.ffn_down.bias", 3e38, quant.F32, "in layer 0, between blk.0.ffn_norm and blk.1.attn_norm: every weight there is finite, so numbers overflow"},
		{"blk.1.attn_v.bias", 7e4, quant.F16, "in layer 1, between blk.1.attn_norm and blk.1.ffn_norm: every weight there is finite, so numbers overflow, perhaps in the F16 cache"},
		{"blk.1.attn_v.bias", 7e4, quant.F32, ""},
		{"blk.0.attn_norm.weight", 0, quant.F16, ""},
		{"token_embd.weight", 0, quant.F16, ""},
		{"token_embd.weight", math.SmallestNonzeroFloat32, quant.F16, ""},
	} {
		f := toytest.Parse(t, toytest.Bytes(t, toy.Tiny("starcoder2", func(tensor string) bool { return strings.Contains(tensor, "attn_v.bias") }), "F32", 1))
		for name := range strings.FieldsSeq(c.tensor) {
			x, ok := f.Tensor(name)
			if !ok {
				t.Fatal(name)
			}
			fill(x, c.v)
		}
		err := evaluate(f, Options{}, SessionOptions{CheckFinite: true, KV: c.kv}, 1, 2, 3, 4, 5, 6)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%v in %s, cache %v: %v, want %q", c.v, c.tensor, c.kv, err, c.want)
		}
	}
}

// TestEncoderNotFinite puts NaN into each tensor of each encoder: the error names it.
func TestEncoderNotFinite(t *testing.T) {
	pooling := arch.PoolMean
	tried := 0
	for _, s := range arch.All() {
		if !s.Encoder {
			continue
		}
		shape := toy.Tiny(s.Name, func(string) bool { return true })
		shape.FFN = 64
		whole := toytest.Bytes(t, shape, "F32", 1)
		for i := range toytest.Parse(t, whole).Tensors {
			f := toytest.Parse(t, whole)
			x := &f.Tensors[i]
			if strings.HasPrefix(x.Name, "cls") || s.FFNBias == arch.Unused && strings.Contains(x.Name, "ffn_") && strings.HasSuffix(x.Name, ".bias") {
				continue // of scores, or without a part
			}
			data, old := x.Data, slices.Clone(x.Data)
			poison(x, float32(math.NaN()))
			m, err := Load(t.Context(), f, Options{Threads: 1})
			if err == nil {
				_, err = m.Embed(t.Context(), [][]int32{{0, 1, 2, 3, 4, 5}, {5, 4, 3}}, EmbedOptions{Pooling: &pooling})
				m.Close()
			}
			if tried++; err == nil || !strings.Contains(err.Error(), x.Name) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: NaN in %s: %v", s.Name, x.Name, err)
			}
			copy(data, old)
		}
	}
	t.Logf("%d tensors tried", tried)
}
