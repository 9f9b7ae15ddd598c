package arch_test

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/internal/toy"
)

// The keys that say what a model is, without the architecture's prefix.
var (
	integerKeys = []string{"embedding_length", "block_count", "context_length", "attention.head_count", "attention.head_count_kv",
		"feed_forward_length", "attention.key_length", "attention.value_length", "expert_count", "expert_used_count", "moe_every_n_layers", "pooling_type", "dense_2_feat_out", "dense_3_feat_in",
		"rope.dimension_count", "rope.scaling.original_context_length", "attention.sliding_window", "attention.sliding_window_pattern"}
	floatKeys = []string{"attention.layer_norm_epsilon", "attention.layer_norm_rms_epsilon", "attention.clamp_kqv",
		"attention.max_alibi_bias", "attention.scale", "attn_logit_softcapping", "final_logit_softcapping", "logit_scale",
		"rope.freq_base", "rope.freq_base_swa", "rope.scaling.factor", "rope.scale_linear", "rope.scaling.attn_factor",
		"rope.scaling.yarn_beta_fast", "rope.scaling.yarn_beta_slow", "rope.scaling.yarn_ext_factor", "rope.scaling.yarn_log_multiplier"}
)

// runnable returns the architectures that can be loaded.
func runnable() []*arch.Spec {
	return arch.All()
}

// oneLine tells whether an error is one short line that has the words.
func oneLine(err error, words string) bool {
	return err != nil && strings.Contains(err.Error(), words) && !strings.ContainsAny(err.Error(), "\n\x00") && len(err.Error()) < 1000
}

// TestWrongKeys: a key of the wrong type or value is an error that names it,
// unless the architecture does not read it, and then it changes nothing.
func TestWrongKeys(t *testing.T) {
	notInteger := []any{"4", true, float32(4), math.NaN(), []string{"4"}, []bool{true}, []float32{4, 4}, []int32{}, []int32{4, 4, 4},
		int8(-1), int32(math.MinInt32), int64(math.MinInt64), uint64(1 << 31), uint64(1 << 40), uint64(1 << 62), uint64(1 << 63), uint64(math.MaxUint64)}
	notFloat := []any{"1", false, uint32(1), []float32{1}, math.NaN(), float32(math.NaN()), math.Inf(1), math.Inf(-1), float32(math.Inf(1)),
		float32(-1), -1e-30, 1e39, math.MaxFloat64, 1e-50, math.SmallestNonzeroFloat64}
	more := map[string][]any{
		"embedding_length": {uint32(0), uint32(33), uint32(1 << 20)}, "block_count": {uint32(0), uint32(3), uint32(1 << 31)}, "context_length": {uint32(0)},
		"attention.head_count": {uint32(0), uint32(5), []int32{4, 0}, []uint32{4, math.MaxUint32}}, "attention.head_count_kv": {uint32(0), uint32(3), []int32{4, -4}},
		"feed_forward_length": {uint32(0), uint32(95), []int64{96, 1 << 40}}, "attention.key_length": {uint32(0), uint32(7)}, "attention.value_length": {uint32(0), uint32(7)},
		"expert_used_count": {uint32(0), uint32(3)}, "rope.dimension_count": {uint32(0), uint32(7), uint32(10)},
		"rope.scaling.original_context_length": {uint32(0)},
		"attention.sliding_window_pattern":     {uint32(0), []bool{true}, []bool{true, false, true}},
		"rope.freq_base":                       {float32(0)}, "rope.freq_base_swa": {float32(0)}, "rope.scaling.factor": {float32(1e-45)},
	}
	tried, refused := 0, 0
	for _, s := range runnable() {
		plain := tiny(t, toy.Tiny(s.Name, func(string) bool { return true }))
		if s.WindowPeriod > 0 {
			if err := plain.Meta.Set(s.Name+".attention.sliding_window", uint32(8)); err != nil {
				t.Fatal(err)
			}
		}
		want, err := arch.Load(plain)
		if err != nil {
			t.Fatal(err)
		}
		try := func(key string, v any) {
			tried++
			f := *plain
			f.Meta = plain.Meta.Clone()
			if err := f.Meta.Set(s.Name+"."+key, v); err != nil {
				t.Fatal(err)
			}
			m, err := arch.Load(&f)
			switch {
			case err == nil && !reflect.DeepEqual(m.Hyper, want.Hyper):
				t.Errorf("%s.%s = %T %v loads, and gives %+v", s.Name, key, v, v, m.Hyper)
			case err == nil:
				return
			case !oneLine(err, s.Name+"."+key) && !oneLine(err, ".weight") && !oneLine(err, ".bias"):
				t.Errorf("%s.%s = %T %v: %v", s.Name, key, v, v, err)
			}
			refused++
		}
		for _, key := range integerKeys {
			for _, v := range append(notInteger, more[key]...) {
				try(key, v)
			}
		}
		for _, key := range floatKeys {
			for _, v := range append(notFloat, more[key]...) {
				try(key, v)
			}
		}
		for _, v := range []any{"true", uint32(1), float32(1), []bool{true}} {
			try("use_parallel_residual", v)
		}
		for _, v := range []any{"dynamic", "", strings.Repeat("y", 1<<20), uint32(1), []string{"yarn"}} {
			try("rope.scaling.type", v)
		}
	}
	t.Logf("%d values tried, %d refused", tried, refused)
	if refused < tried/2 {
		t.Errorf("of %d wrong values only %d are refused", tried, refused)
	}
}

// TestMissingKeys: what has no default is named.
func TestMissingKeys(t *testing.T) {
	for _, s := range runnable() {
		plain := tiny(t, toy.Tiny(s.Name, nil))
		for _, kv := range plain.Meta.All() {
			key, ok := strings.CutPrefix(kv.Key, s.Name+".")
			f := *plain
			f.Meta = plain.Meta.Clone()
			f.Meta.Delete(kv.Key)
			_, err := arch.Load(&f)
			optional := !ok && kv.Key != "general.architecture" && !strings.HasPrefix(kv.Key, "xielu.") || slices.Contains([]string{"vocab_size", "rope.dimension_count", "rope.freq_base", "attention.head_count_kv"}, key)
			if s.Recurrence != arch.NoRecurrence && key == "attention.head_count_kv" {
				optional = false
			}
			switch {
			case !s.Latent:
			case key == "attention.q_lora_rank":
				continue // without it queries have other tensors
			case key == "rope.dimension_count":
				optional = false
			case key == "attention.key_length" || key == "attention.value_length":
				optional = true
			}
			if key == "moe_every_n_layers" || key == "expert_count" && s.Experts == arch.Optional {
				optional = true
			}
			if optional && err != nil || !optional && !oneLine(err, kv.Key) {
				t.Errorf("%s without %s: %v", s.Name, kv.Key, err)
			}
		}
	}
}

// TestEveryWidth: an integer may come in any width, and as one number for all
// layers or one for each.
func TestEveryWidth(t *testing.T) {
	plain := tiny(t, toy.Tiny("gpt2", nil))
	want, err := arch.Load(plain)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"embedding_length", "block_count", "context_length", "attention.head_count", "attention.head_count_kv", "feed_forward_length"} {
		v, err := gguf.Get[int](&plain.Meta, "gpt2."+key)
		if err != nil {
			t.Fatal(err)
		}
		widths := []any{uint16(v), int16(v), int32(v), uint64(v), int64(v)}
		if v < 128 {
			widths = append(widths, uint8(v), int8(v))
		}
		if strings.Contains(key, "head") || strings.Contains(key, "feed") {
			widths = append(widths, []uint16{uint16(v), uint16(v)}, []int64{int64(v), int64(v)})
		}
		for _, w := range widths {
			f := *plain
			f.Meta = plain.Meta.Clone()
			if err := f.Meta.Set("gpt2."+key, w); err != nil {
				t.Fatal(err)
			}
			if m, err := arch.Load(&f); err != nil || !reflect.DeepEqual(m.Hyper, want.Hyper) {
				t.Errorf("%s as %T: %v", key, w, err)
			}
		}
	}
}

// TestWrongArchitecture: the name may be anything.
func TestWrongArchitecture(t *testing.T) {
	for _, v := range []any{"", "abacus", "GPT2", "gpt2 ", "gpt2\x00", strings.Repeat("a", 1<<20), "\n\x1b[31m", uint32(1), []string{"gpt2"}, true} {
		f := tiny(t, toy.Tiny("gpt2", nil))
		if err := f.Meta.Set("general.architecture", v); err != nil {
			t.Fatal(err)
		}
		if _, err := arch.Load(f); !oneLine(err, "architecture") {
			t.Errorf("%T %.20v: %.200v", v, v, err)
		}
	}
}

// TestWrongTensors: every tensor that an architecture requires is named when
// it is not there or has another shape.
func TestWrongTensors(t *testing.T) {
	tried := 0
	for _, s := range runnable() {
		for _, all := range []bool{false, true} {
			plain := tiny(t, toy.Tiny(s.Name, func(string) bool { return all }))
			whole, err := arch.Load(plain)
			if err != nil {
				t.Fatal(err)
			}
			for i := range plain.Tensors {
				name := plain.Tensors[i].Name
				try := func(what, words string, mayLoad bool, change func(f *gguf.File)) {
					tried++
					f := &gguf.File{Version: 3, Alignment: 32, Meta: plain.Meta, Tensors: slices.Clone(plain.Tensors)}
					change(f)
					if _, err := arch.Load(f); !oneLine(err, words) && !(mayLoad && err == nil) {
						t.Errorf("%s, all %v: %s %s: %v", s.Name, all, name, what, err)
					}
				}
				// Of the optional ones some bring others with them.
				try("missing", map[bool]string{false: name, true: ""}[all], all || s.EmbedHead && name == "token_embd.weight" || s.Routing.Gateless && strings.Contains(name, "ffn_gate_exps"), func(f *gguf.File) { f.Tensors = slices.Delete(f.Tensors, i, i+1) })
				dims := func(d ...int) func(f *gguf.File) { return func(f *gguf.File) { f.Tensors[i].Dims = d } }
				is := plain.Tensors[i].Dims
				vocab := name == "token_embd.weight" || name == "output.weight" && len(is) == 2
				if len(is) > 1 && is[0] != is[1] {
					turned := slices.Clone(is)
					turned[0], turned[1] = turned[1], turned[0]
					try("transposed", "tensor ", false, dims(turned...))
				}
				for d := range is {
					for _, n := range []int{0, is[d] - 1, is[d] + 1, 2 * is[d], math.MaxInt32} {
						if name == "token_types.weight" && d == 1 && n > 0 {
							continue // it has types that nobody uses
						}
						if vocab && d == 1 && (whole.Tied || s.Encoder) && n > 0 {
							continue // the vocabulary is what this tensor has
						}
						if s.Gating == arch.AnyGate && !all && d == 1 && n == 2*is[d] && strings.Contains(name, "ffn_up") {
							continue // with a gate in it
						}
						other := slices.Clone(is)
						other[d] = n
						try(fmt.Sprint(other), "tensor ", false, dims(other...))
					}
				}
				try("with another dimension", name, false, dims(append(slices.Clone(is), 2)...))
				trailing := *plain
				trailing.Tensors = slices.Clone(plain.Tensors)
				trailing.Tensors[i].Dims = append(slices.Clone(is), 1, 1)[:min(len(is)+2, 4)]
				if _, err := arch.Load(&gguf.File{Version: 3, Alignment: 32, Meta: plain.Meta, Tensors: trailing.Tensors}); err != nil {
					t.Errorf("%s, all %v: %s with trailing dimensions of 1: %v", s.Name, all, name, err)
				}
				try("flat", "tensor ", false, dims(is[0]*2))
			}
		}
	}
	t.Logf("%d files tried", tried)
}

// TestExtraTensors: what nobody reads is listed.
func TestExtraTensors(t *testing.T) {
	f := tiny(t, toy.Tiny("gpt2", nil))
	for i := range 7 {
		f.Tensors = append(f.Tensors, gguf.Tensor{Name: fmt.Sprintf("extra\n%d", i), Dims: []int{1}})
	}
	f = &gguf.File{Meta: f.Meta, Tensors: f.Tensors}
	if _, err := arch.Load(f); !oneLine(err, `"extra\n0", "extra\n1", "extra\n2", "extra\n3", "extra\n4" and 2 more`) {
		t.Error(err)
	}
}
