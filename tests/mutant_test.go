package tests

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/internal/ggufbuild"
	"github.com/normswap/normswap/quant"
)

// A mutant is a model that is about to be written, in pieces that can be
// changed one by one so that the others still fit.
type mutant struct {
	arch    string
	version uint32
	pairs   []gguf.KV // a value may be a lie
	tensors []mutantTensor
	parts   int // files
	tail    int // bytes that are cut off the last file
}

// A lie is a value whose bytes are not those of its kind.
type lie struct {
	kind  uint32
	bytes []byte
}

type mutantTensor struct {
	name  string
	typ   uint32
	dims  []uint64
	shift uint64 // between where the data are and where the file says so
	data  []byte
}

// newMutant takes a file apart.
func newMutant(f *gguf.File) *mutant {
	m := &mutant{version: f.Version, pairs: slices.Clone(f.Meta.All()), parts: 1}
	m.arch, _ = gguf.Get[string](&f.Meta, "general.architecture")
	for _, t := range f.Tensors {
		x := mutantTensor{name: t.Name, typ: uint32(t.Type), data: t.Data}
		for _, d := range t.Dims {
			x.dims = append(x.dims, uint64(d))
		}
		m.tensors = append(m.tensors, x)
	}
	return m
}

// files returns the bytes of the parts.
func (m *mutant) files() [][]byte {
	var all [][]byte
	for no := range m.parts {
		pairs := m.pairs
		if m.parts > 1 {
			pairs = slices.Concat([]gguf.KV{
				{Key: "split.no", Value: uint16(no)}, {Key: "split.count", Value: uint16(m.parts)},
				{Key: "split.tensors.count", Value: int32(len(m.tensors))},
			}, pairs)
		}
		tensors := m.tensors[no*len(m.tensors)/m.parts : (no+1)*len(m.tensors)/m.parts]
		var head, infos [][]byte
		var data []byte
		for _, p := range pairs {
			head = append(head, encodePair(p))
		}
		for _, t := range tensors {
			infos = append(infos, ggufbuild.Tensor(t.name, t.typ, uint64(len(data))+t.shift, t.dims...))
			data = ggufbuild.Pad(append(data, t.data...), 32)
		}
		b := ggufbuild.Bytes(ggufbuild.Header(m.version, uint64(len(tensors)), uint64(len(pairs))), head, infos)
		all = append(all, append(ggufbuild.Pad(b, 32), data...))
	}
	last := &all[len(all)-1]
	*last = (*last)[:max(0, len(*last)-m.tail)]
	return all
}

func encodePair(p gguf.KV) []byte {
	switch v := p.Value.(type) {
	case lie:
		return ggufbuild.Pair(p.Key, v.kind, v.bytes)
	case []string:
		var b []byte
		for _, s := range v {
			b = append(b, ggufbuild.Bytes(s)...)
		}
		return ggufbuild.Pair(p.Key, 9, uint32(8), uint64(len(v)), b)
	case string:
		return ggufbuild.Pair(p.Key, 8, v)
	}
	one, n := kindOf(p.Value)
	if n < 0 {
		return ggufbuild.Pair(p.Key, one, p.Value)
	}
	return ggufbuild.Pair(p.Key, 9, one, uint64(n), p.Value)
}

// kindOf returns GGUF's number of a kind of number, and how many there are: -1
// where it is one.
func kindOf(v any) (kind uint32, n int) {
	switch v := v.(type) {
	case uint8:
		return 0, -1
	case int8:
		return 1, -1
	case uint16:
		return 2, -1
	case int16:
		return 3, -1
	case uint32:
		return 4, -1
	case int32:
		return 5, -1
	case float32:
		return 6, -1
	case bool:
		return 7, -1
	case uint64:
		return 10, -1
	case int64:
		return 11, -1
	case float64:
		return 12, -1
	case []uint32:
		return 4, len(v)
	case []int32:
		return 5, len(v)
	case []float32:
		return 6, len(v)
	case []bool:
		return 7, len(v)
	}
	panic(fmt.Sprintf("a value of type %T", v))
}

// choices are the bytes that decide; when they are used up, every decision is
// for the first.
type choices struct{ b []byte }

// of returns a number below n.
func (c *choices) of(n int) int {
	v := 0
	for size := 1; size < n; size <<= 8 {
		if len(c.b) > 0 {
			v = v<<8 | int(c.b[0])
			c.b = c.b[1:]
		}
	}
	return v % n
}

func pick[T any](c *choices, list []T) T { return list[c.of(len(list))] }

var (
	// edges are numbers at which something changes.
	edges = []int64{0, 1, 2, 3, 4, 5, 7, 8, 15, 16, 31, 32, 33, 48, 64, 96, 127, 128, 255, 256, 257, 300, 512, 1 << 15, 1 << 16,
		1 << 20, 1 << 24, math.MaxInt32, 1 << 31, math.MaxUint32, math.MaxInt64, -1, -2, math.MinInt64}
	floatEdges = []float32{0, 1, -1, 0.5, 2, 8, 1e-5, 1e-12, 1e-30, 1e-45, 1e30, math.MaxFloat32,
		float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()), float32(math.Copysign(0, -1))}
	words = []string{"", "gpt2", "llama", "bert", "none", "no_vocab", "default", "linear", "yarn", "longrope", "model", "adapter",
		"a\x00b", "\x1b[2J", "\u202e", "\xff\xfe", "<0x41>", "▁", "<s>", "</s>", "a b", " ", "é", "\n", strings.Repeat("x", 300)}
	templates = []string{"{% for m in messages %}", "{{ m.content }}", "{% endfor %}", "<|im_start|>", "{{ bos_token }}", "{%- if", "%}", "{#",
		"[INST]", "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "{{ 'a' * 1000000000 }}", "{% for a in range(1000000) %}", "\n", "<|start_header_id|>"}
	// suffixes are those of keys that change what is computed.
	suffixes = []string{"attention.causal", "attention.clamp_kqv", "attention.head_count", "attention.head_count_kv", "attention.key_length",
		"attention.value_length", "attention.layer_norm_epsilon", "attention.layer_norm_rms_epsilon", "attention.max_alibi_bias", "attention.scale",
		"attention.sliding_window", "attention.sliding_window_pattern", "attn_logit_softcapping", "final_logit_softcapping", "block_count",
		"context_length", "embedding_length", "embedding_scale", "expert_count", "expert_gating_func", "expert_shared_count", "expert_used_count",
		"expert_weights_norm", "expert_weights_scale", "feed_forward_length", "leading_dense_block_count", "logit_scale", "pooling_type",
		"residual_scale", "rope.dimension_count", "rope.dimension_sections", "rope.freq_base", "rope.freq_base_swa", "rope.scale_linear",
		"rope.scaling.attn_factor", "rope.scaling.factor", "rope.scaling.original_context_length", "rope.scaling.type",
		"rope.scaling.yarn_beta_fast", "rope.scaling.yarn_beta_slow", "rope.scaling.yarn_ext_factor", "rope.scaling.yarn_log_multiplier",
		"tensor_data_layout", "use_parallel_residual", "vocab_size"}
	otherKeys = []string{"general.alignment", "general.type", "general.file_type", "normswap.version", "tokenizer.chat_template",
		"tokenizer.ggml.add_bos_token", "tokenizer.ggml.add_eos_token", "tokenizer.ggml.add_space_prefix", "tokenizer.ggml.bos_token_id",
		"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.merges", "tokenizer.ggml.model", "tokenizer.ggml.pre",
		"tokenizer.ggml.scores", "tokenizer.ggml.token_type", "tokenizer.ggml.tokens", "tokenizer.ggml.unknown_token_id", "split.no", "split.count"}
	pretokenizers = []string{"default", "llama-bpe", "gpt-2", "qwen2", "falcon", "deepseek-llm", "gpt-4o", "tekken", "abacus"}
)

// value makes up a value of any kind.
func (c *choices) value() any {
	switch c.of(14) {
	case 0:
		return uint32(pick(c, edges))
	case 1:
		return pick(c, floatEdges)
	case 2:
		return pick(c, words)
	case 3:
		return c.of(2) == 1
	case 4:
		return uint64(pick(c, edges))
	case 5:
		return int32(pick(c, edges))
	case 6:
		return uint8(pick(c, edges))
	case 7:
		return float64(pick(c, floatEdges))
	case 8:
		return c.template()
	case 9:
		v := make([]uint32, c.of(5))
		for i := range v {
			v[i] = uint32(pick(c, edges))
		}
		return v
	case 10:
		v := make([]bool, c.of(5))
		for i := range v {
			v[i] = c.of(2) == 1
		}
		return v
	case 11:
		v := make([]float32, c.of(300))
		for i := range v {
			v[i] = pick(c, floatEdges)
		}
		return v
	case 12:
		v := make([]string, c.of(300))
		for i := range v {
			v[i] = pick(c, words)
		}
		return v
	}
	return lie{uint32(c.of(16)), bytes.Repeat([]byte{byte(c.of(256))}, c.of(24))}
}

func (c *choices) template() string {
	var b strings.Builder
	for range 1 + c.of(6) {
		b.WriteString(pick(c, templates))
	}
	return b.String()
}

// blockTypes are all types of tensors, and numbers that are none.
var blockTypes = func() (list []uint32) {
	for _, t := range quant.Types() {
		list = append(list, uint32(t))
	}
	return append(list, 4, 255, math.MaxUint32)
}()
