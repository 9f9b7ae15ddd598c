package main

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/internal/testdata"
	"github.com/normswap/normswap/internal/toy"
	"github.com/normswap/normswap/quant"
)

// A change is a set of keys, without the architecture, with values at which
// they matter if they are read.
type change []gguf.KV

func key(name string, v any) gguf.KV { return gguf.KV{Key: name, Value: v} }

// plus returns the keys and one more.
func (c change) plus(more ...gguf.KV) change { return append(slices.Clone(c), more...) }

// name is that of the last key, which is the one under test.
func (c change) name() string {
	last := c[len(c)-1]
	return fmt.Sprintf("%s=%v", last.Key, last.Value)
}

// changes are those of every key that llama.cpp reads for the architectures
// here, or for others where it changes the result.
func changes() []change {
	linear := change{key("rope.scaling.factor", float32(4))}
	yarn := change{key("rope.scaling.factor", float32(4)), key("rope.scaling.original_context_length", uint32(8)), key("rope.scaling.type", "yarn")}
	window := change{key("attention.sliding_window", uint32(4))}
	all := []change{
		{key("attention.causal", false)},
		{key("attention.causal", true)},
		{key("attention.clamp_kqv", float32(0.3))},
		{key("attention.max_alibi_bias", float32(4))},
		{key("attention.scale", float32(0.2))},
		{key("attention.layer_norm_epsilon", float32(0.5))},
		{key("attention.layer_norm_epsilon", float32(0))},
		{key("attention.layer_norm_rms_epsilon", float32(0.5))},
		{key("attention.layer_norm_rms_epsilon", float32(0))},
		{key("attention.group_norm_epsilon", float32(0.5))},
		{key("attn_logit_softcapping", float32(0.5))},
		{key("final_logit_softcapping", float32(0.5))},
		{key("router_logit_softcapping", float32(0.5))},
		{key("logit_scale", float32(0.3))},
		{key("logit_scale", float32(0))},
		{key("residual_scale", float32(0.5))},
		{key("embedding_scale", float32(2))},
		{key("attention.output_scale", float32(0.5))},
		{key("attention.value_scale", float32(0.5))},
		{key("attention.temperature_length", uint32(4))},
		{key("attention.temperature_scale", float32(0.5))},
		{key("attention.key_length", uint32(16))},
		{key("attention.value_length", uint32(16))},
		{key("swin_norm", true)},
		{key("use_parallel_residual", true)},
		{key("use_parallel_residual", false)},
		{key("pooling_type", uint32(1))},
		{key("embedding_length_out", uint32(16))},
		{key("vocab_size", uint32(120))},
		{key("nextn_predict_layers", uint32(1))},
		{key("leading_dense_block_count", uint32(1))},
		{key("expert_count", uint32(4)), key("expert_used_count", uint32(2))},
		{key("expert_used_count", uint32(1))},
		{key("expert_used_count", []uint32{1, 2})},
		{key("expert_group_used_count", uint32(1)), key("expert_group_count", uint32(2))},
		{key("expert_weights_scale", float32(2))},
		{key("expert_weights_norm", false)},
		{key("expert_weights_norm", true)},
		{key("expert_gating_func", uint32(2))},
		{key("expert_feed_forward_length", uint32(48))},
		{key("expert_shared_count", uint32(1))},
		{key("expert_shared_feed_forward_length", uint32(48))},
		{key("moe_every_n_layers", uint32(2))},
		{key("attention.head_count_kv", uint32(2))},
		{key("block_count", uint32(1))},
		{key("embedding_length", uint32(16))},
		{key("classifier.output_labels", []string{"a", "b"})},
		{key("feed_forward_length", []uint32{96, 96})},
		{key("attention.head_count", []uint32{4, 4})},
		{key("attention.head_count_kv", []uint32{4, 4})},
		{key("context_length", uint32(128))},

		{key("rope.freq_base", float32(500))},
		{key("rope.dimension_count", uint32(4))},
		{key("rope.dimension_sections", []uint32{2, 1, 1, 0})},
		{key("rope.scale_linear", float32(4))},
		{key("rope.scale_linear", float32(4)), key("rope.scaling.factor", float32(0))},
		linear,
		linear.plus(key("rope.scaling.type", "none")),
		linear.plus(key("rope.scaling.type", "linear")),
		linear.plus(key("rope.scaling.type", "longrope")),
		linear.plus(key("rope.scaling.finetuned", true)),
		{key("rope.scaling.attn_factor", float32(1.2))},
		linear.plus(key("rope.scaling.attn_factor", float32(1.2))),
		{key("rope.scaling.alpha", float32(1000))},
		yarn,
		yarn.plus(key("rope.scaling.original_context_length", uint32(32))),
		yarn.plus(key("rope.scaling.attn_factor", float32(1.2))),
		yarn.plus(key("rope.scaling.yarn_ext_factor", float32(0.5))),
		yarn.plus(key("rope.scaling.yarn_attn_factor", float32(1.3))),
		yarn.plus(key("rope.scaling.yarn_beta_fast", float32(3))),
		yarn.plus(key("rope.scaling.yarn_beta_slow", float32(0.2))),
		yarn.plus(key("rope.scaling.yarn_log_multiplier", float32(0.5))),
		{key("rope.scaling.factor", float32(0.5)), key("rope.scaling.type", "yarn")},
		{key("rope.scaling.yarn_ext_factor", float32(0.5))},

		window,
		{key("attention.sliding_window", uint32(0))},
		window.plus(key("attention.sliding_window_pattern", uint32(2))),
		window.plus(key("attention.sliding_window_pattern", uint32(1))),
		window.plus(key("attention.sliding_window_pattern", uint32(0))),
		window.plus(key("attention.sliding_window_pattern", []bool{false, true})),
		window.plus(key("attention.sliding_window_pattern", []uint32{1, 0})),
		window.plus(key("rope.freq_base", float32(500))),
		window.plus(key("rope.freq_base_swa", float32(300))),
		window.plus(key("rope.dimension_count_swa", uint32(4))),
		window.plus(key("attention.key_length_swa", uint32(16))),
		window.plus(key("attention.value_length_swa", uint32(16))),
		window.plus(key("attention.shared_kv_layers", uint32(1))),
		window.plus(linear...),
		window.plus(linear...).plus(key("rope.scaling.type", "none")),
		window.plus(linear...).plus(key("rope.scaling.attn_factor", float32(1.2))),
		window.plus(yarn...),
		window.plus(yarn...).plus(key("rope.scaling.attn_factor", float32(1.2))),
	}
	return all
}

// byChoice are the keys that are honoured here and not by llama.cpp, where it
// does not read them for the architecture: docs/DIFFERENCES.md has the reasons.
var byChoice = []string{
	"attention.scale=", "attn_logit_softcapping=", "final_logit_softcapping=", "attention.max_alibi_bias=",
	"rope.scaling.yarn_ext_factor=", "rope.scaling.yarn_beta_fast=", "rope.scaling.yarn_beta_slow=", "rope.scaling.yarn_log_multiplier=",
	"attention.sliding_window_pattern=", // with a window, for each layer
}

// bases returns a model of each architecture that can be run, and those of
// mixtures.
func bases(t *testing.T) map[string]*gguf.File {
	t.Helper()
	all := map[string]*gguf.File{}
	for _, s := range arch.All() {
		if s.Encoder {
			continue // no logits; engine's fixtures of encoders are llama.cpp's
		}
		// Biases, heads of their own and all norms, but for MPT's on queries and
		// keys, with which llama.cpp asserts, and Nemotron's, which it does not know.
		want := func(name string) bool {
			if strings.Contains(name, "attn_q_norm") || strings.Contains(name, "attn_k_norm") {
				return !s.QKVFused && s.QKNormLayers == 0 && s.Name != "nemotron"
			}
			return !strings.Contains(name, "attn_qkv") && !strings.Contains(name, "position_embd") && name != "experts"
		}
		shape := toy.Tiny(s.Name, want)
		all[s.Name] = parse(t, shape)
		for _, layers := range depths(s) {
			deep := shape
			deep.Layers = layers
			all[fmt.Sprintf("%s (%d layers)", s.Name, layers)] = parse(t, deep)
		}
		if s.Experts == arch.Optional {
			shape.Want = func(name string) bool { return name == "experts" }
			all[s.Name+" (experts)"] = parse(t, shape)
		}
	}
	return all
}

// depths are further numbers of layers at which a model of an architecture
// computes something else.
func depths(s *arch.Spec) []int {
	all := slices.Clone(s.Depths)
	if len(all) > 0 {
		all = all[1:] // of the first is the model that toy makes
	}
	for _, n := range []int{s.WindowDepth, s.QKNormLayers} {
		if n > 0 {
			all = append(all, n)
		}
	}
	if s.OwnKV > 0 {
		all = append(all, s.OwnKV+5) // layers that read keys and values of others, of both kinds
	}
	return append(all, slices.Sorted(maps.Keys(s.AttnScaleByDepth))...)
}

func parse(t *testing.T, shape toy.Shape) *gguf.File {
	t.Helper()
	var b bytes.Buffer
	if err := toy.Write(&b, shape, "F32", 1); err != nil {
		t.Fatal(err)
	}
	f, err := gguf.Parse(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// An outcome is what became of a file on both sides.
type outcome struct {
	ours, theirs error
	crash        bool    // llama.cpp asserts, and refuses nothing
	nmse         float64 // of the logits, where both ran
	got, want    []float32
}

// both runs a file here and in llama.cpp.
func both(t *testing.T, f *gguf.File) (o outcome) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model.gguf")
	var b bytes.Buffer
	err := gguf.Write(&b, f)
	if err == nil {
		err = os.WriteFile(path, b.Bytes(), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	tokens := testdata.Tokens()
	// One variant of ggml's kernels: to choose among all of them takes as long as all the rest.
	o.want, _, o.theirs = peerLogits(path, "haswell", tokens)
	m, err := engine.Open(t.Context(), path, engine.Options{})
	if err != nil {
		o.ours = err
		return o
	}
	defer m.Close()
	s, err := m.NewSession(engine.SessionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	o.ours = s.EvalAll(t.Context(), tokens, func(_ int, row []float32) error {
		o.got = append(o.got, row...)
		return nil
	})
	o.crash = o.theirs != nil && strings.Contains(o.theirs.Error(), "signal: ")
	if o.ours == nil && o.theirs == nil {
		if o.nmse, err = nmse(o.got, o.want); err != nil {
			o.theirs = err // not finite
		}
	}
	return o
}

// boundOf is the NMSE that an architecture may be off by.
func boundOf(name string) float64 {
	if s, ok := arch.Lookup(name); ok && s.Activation == arch.GELU {
		return halfGELU
	}
	return 1e-10
}

// sweep runs f for every base, in parallel.
func sweep(t *testing.T, f func(t *testing.T, base, name string, file *gguf.File)) {
	all := bases(t)
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, base := range names {
		t.Run(base, func(t *testing.T) {
			t.Parallel()
			name, _, _ := strings.Cut(base, " ")
			f(t, base, name, all[base])
		})
	}
}

// TestKeys: for every architecture and every key, our logits are llama.cpp's, or
// the file is refused in a line that names the key. Where llama.cpp refuses,
// both may.
func TestKeys(t *testing.T) {
	sweep(t, func(t *testing.T, base, name string, f *gguf.File) {
		with := func(c change) outcome {
			changed := *f
			changed.Meta = f.Meta.Clone()
			for _, kv := range c {
				if err := changed.Meta.Set(name+"."+kv.Key, kv.Value); err != nil {
					t.Fatal(err)
				}
			}
			return both(t, &changed)
		}
		plain := with(nil)
		if err := errors.Join(plain.ours, plain.theirs); err != nil || plain.nmse > boundOf(name) {
			t.Fatalf("as it comes: NMSE %.2g, %v", plain.nmse, err)
		}
		count := map[string]int{}
		var refused, choice, lenient []string
		for _, c := range changes() {
			o := with(c)
			switch {
			case o.ours != nil && o.theirs != nil:
				count["both refuse"]++
			case o.theirs != nil:
				lenient = append(lenient, c.name())
			case o.ours != nil:
				if !slices.ContainsFunc(c, func(kv gguf.KV) bool { return strings.Contains(o.ours.Error(), kv.Key) }) && !strings.Contains(o.ours.Error(), ".weight") {
					t.Errorf("%s: refused without its name: %v", c.name(), o.ours)
				}
				refused = append(refused, c.name())
			case o.nmse > boundOf(name) && !(o.nmse < 1e-4 && strings.HasPrefix(base, "gemma3n (") && c.name() == "attention.layer_norm_rms_epsilon=0"): // which magnifies llama.cpp's GELU
				if e, err := nmse(o.want, with(c[:len(c)-1]).want); err != nil || e > 1e-12 || !slices.ContainsFunc(byChoice, func(k string) bool { return strings.HasPrefix(c.name(), k) }) {
					t.Errorf("%s: NMSE %.2g from llama.cpp, which the key changes by %.2g, %v", c.name(), o.nmse, e, err)
				}
				choice = append(choice, c.name())
			default:
				if e, err := nmse(o.want, plain.want); err != nil || e > 1e-12 {
					count["agree"]++
				} else {
					count["no effect"]++
				}
			}
		}
		t.Logf("| %s | %d | %d | %d | %d | %d | %d |", base, count["agree"], count["no effect"], len(refused), count["both refuse"], len(lenient), len(choice))
		t.Logf("llama.cpp refuses: %s", strings.Join(lenient, ", "))
		t.Logf("refused: %s", strings.Join(refused, ", "))
		t.Logf("by choice: %s", strings.Join(choice, ", "))
	})
}

// TestPresence: a file without one of its tensors, or with one more, is
// accepted here where llama.cpp accepts it, and gives its logits.
func TestPresence(t *testing.T) {
	sweep(t, func(t *testing.T, base, name string, full *gguf.File) {
		variant := strings.Contains(base, " ")
		count := map[string]int{}
		var strict []string
		try := func(what string, f *gguf.File) {
			o := both(t, f)
			switch {
			case o.crash:
				count["no reference"]++
			case o.ours != nil && o.theirs != nil:
				count["both refuse"]++
			case o.ours != nil:
				strict = append(strict, what)
				if !slices.Contains(refusedByChoice, strings.TrimLeft(what, "+-")) {
					t.Errorf("%s: llama.cpp accepts it: %v", what, o.ours)
				}
			case o.theirs != nil && (name == "command-r" || name == "nemotron") && strings.Contains(what, "_norm"):
				count["norms on queries and keys"]++ // docs/DIFFERENCES.md
			case o.theirs != nil:
				t.Errorf("%s: llama.cpp refuses it: %v", what, o.theirs)
			case o.nmse > boundOf(name):
				t.Errorf("%s: NMSE %.2g", what, o.nmse)
			default:
				count["agree"]++
			}
		}
		least := func(wanted func(string) bool) *gguf.File {
			shape := toy.Tiny(name, wanted)
			return parse(t, shape)
		}
		variants := []*gguf.File{full}
		if !variant {
			variants = append(variants, least(func(n string) bool { return strings.Contains(n, "attn_qkv") }), least(func(n string) bool { return n == "output.weight" }))
		}
		for _, f := range variants {
			try("as it is", f)
			for i := range f.Tensors {
				if n := f.Tensors[i].Name; !likeLayer1(f, n) {
					try("-"+strings.TrimPrefix(n, "blk.1."), &gguf.File{Version: f.Version, Alignment: f.Alignment, Meta: f.Meta, Tensors: slices.Delete(slices.Clone(f.Tensors), i, i+1)})
				}
			}
			for _, x := range more(f) {
				try("+"+strings.TrimPrefix(x.Name, "blk.1."), &gguf.File{Version: f.Version, Alignment: f.Alignment, Meta: f.Meta, Tensors: append(slices.Clone(f.Tensors), x)})
			}
		}
		if s, _ := arch.Lookup(name); !variant && s.Rotary != arch.NoRotary {
			long := &gguf.File{Version: full.Version, Alignment: full.Alignment, Meta: full.Meta.Clone(), Tensors: full.Tensors}
			if err := long.Meta.Set(name+".rope.scaling.type", "longrope"); err != nil {
				t.Fatal(err)
			}
			for _, x := range more(long) {
				if strings.HasPrefix(x.Name, "rope_") {
					try("+"+x.Name+" of longrope", &gguf.File{Version: long.Version, Alignment: long.Alignment, Meta: long.Meta, Tensors: append(slices.Clone(long.Tensors), x)})
				}
			}
		}
		t.Logf("| %s | %d | %d | %d | %d |", base, count["agree"], count["both refuse"], len(strict), count["no reference"])
		t.Logf("refused: %s", strings.Join(strict, ", "))
	})
}

// likeLayer1 reports whether a tensor is of a layer other than 1 which has it
// too, so that one of the two is enough to try.
func likeLayer1(f *gguf.File, name string) bool {
	parts := strings.SplitN(name, ".", 3)
	if parts[0] != "blk" || parts[1] == "1" {
		return false
	}
	_, ok := f.Tensor("blk.1." + parts[2])
	return ok
}

// refusedByChoice are tensors that llama.cpp accepts, and refusing which harms
// nobody: docs/DIFFERENCES.md has the reasons.
var refusedByChoice = []string{
	"attn_q.scale", // of NVFP4 and the like, in all architectures
}

// more returns tensors that a file may or may not have beside its own.
func more(f *gguf.File) []gguf.Tensor {
	dim, vocab, ffn := 32, 128, 96
	var all []gguf.Tensor
	add := func(name string, dims ...int) {
		if _, ok := f.Tensor(name); ok {
			return
		}
		x := gguf.Tensor{Name: name, Type: quant.F32, Dims: dims}
		x.Data = make([]byte, 4*x.Items())
		v := make([]float32, x.Items())
		for i := range v {
			v[i] = 1 + float32(i%7)/10
		}
		if err := quant.Encode(x.Data, quant.F32, v); err != nil {
			panic(err) // no row of float32 is too short
		}
		all = append(all, x)
	}
	for _, n := range []string{"token_embd_norm", "output_norm"} {
		add(n+".weight", dim)
		add(n+".bias", dim)
	}
	add("output.weight", dim, vocab)
	add("output.bias", vocab)
	add("position_embd.weight", dim, 256)
	add("rope_freqs.weight", 4)
	add("rope_factors_long.weight", 4)
	add("rope_factors_short.weight", 4)
	add("cls.output.weight", dim, 1)
	block := func(name string, dims ...int) { add("blk.1."+name, dims...) }
	for _, n := range []string{"attn_norm", "attn_norm_2", "ffn_norm", "attn_output_norm", "post_attention_norm", "post_ffw_norm"} {
		block(n+".weight", dim)
		block(n+".bias", dim)
	}
	for _, n := range []string{"attn_q", "attn_k", "attn_v", "attn_output", "ffn_down"} {
		block(n+".bias", dim)
	}
	block("attn_qkv.bias", 3*dim)
	for _, n := range []string{"ffn_gate", "ffn_up"} {
		block(n+".weight", dim, ffn)
		block(n+".bias", ffn)
	}
	for _, n := range []string{"attn_q_norm", "attn_k_norm"} {
		block(n+".weight", 8)
		block(n+".bias", 8)
	}
	block("ffn.act.scales", ffn)
	block("ffn_gate_inp.weight", dim, 2)
	block("attn_q.scale", 1)
	return all
}

// nmse is testdata.NMSE, or an error if a number is not finite.
func nmse(got, want []float32) (float64, error) {
	e := testdata.NMSE(got, want)
	if math.IsNaN(e) || math.IsInf(e, 0) {
		return 0, fmt.Errorf("logits are not finite, or not as many")
	}
	return e, nil
}
