package engine

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/internal/testdata"
	"github.com/normswap/normswap/internal/toy"
	"github.com/normswap/normswap/internal/toytest"
)

// writeMade writes the models, for llama.cpp to compute their logits anew
// (tests/peers: peer logits MODEL --tokens 3,8,...,78 --out NAME.logits.f32).
var writeMade = flag.String("made", "", "folder to write the models of TestMade to")

// madeShapes are models of forms that the files of tests/testdata lack: scaled
// RoPE, one key-value head, sliding windows shorter than the text, few of
// many experts, slopes for a number of heads that is no power of two. They
// are made up from a seed, so that only llama.cpp's logits need be stored.
func madeShapes() map[string]toy.Shape {
	kv := func(k string, v any) gguf.KV { return gguf.KV{Key: k, Value: v} }
	some := func(parts ...string) func(string) bool {
		return func(name string) bool {
			for _, p := range parts {
				if strings.Contains(name, p) {
					return true
				}
			}
			return name == "output.weight"
		}
	}
	yarn := func(a string, factor float32, context uint32) []gguf.KV {
		return []gguf.KV{kv(a+".rope.scaling.type", "yarn"), kv(a+".rope.scaling.factor", factor), kv(a+".rope.scaling.original_context_length", context)}
	}
	all := func(string) bool { return true }
	return map[string]toy.Shape{
		"phi3": {Arch: "phi3", Want: some()},
		"phi3-longrope": {Arch: "phi3", Want: some("rope_factors"), Keys: []gguf.KV{kv("phi3.rope.scaling.type", "longrope"),
			kv("phi3.rope.scaling.original_context_length", uint32(8)), kv("phi3.rope.scaling.attn_factor", float32(1.19))}},
		"llama-linear": {Arch: "llama", Want: some(), Keys: []gguf.KV{kv("llama.rope.scaling.type", "linear"), kv("llama.rope.scaling.factor", float32(2))}},
		"llama-yarn":   {Arch: "llama", Want: some(), Keys: yarn("llama", 4, 8)},
		"qwen2-yarn": {Arch: "qwen2", Want: some("attn_q.bias", "attn_k.bias", "attn_v.bias"),
			Keys: append(yarn("qwen2", 8, 4), kv("qwen2.rope.scaling.attn_factor", float32(1.1)))},
		"mixtral":       {Arch: "llama", Want: some("experts"), Experts: 8, Active: 2},
		"falcon-mqa":    {Arch: "falcon", KVHeads: 1, Want: some("attn_qkv")},
		"starcoder-mqa": {Arch: "starcoder", KVHeads: 1, Want: some("attn_qkv")},
		"mpt-alibi6":    {Arch: "mpt", Heads: 6, KVHeads: 6, Dim: 48, Want: some("attn_qkv.weight"), Keys: []gguf.KV{kv("mpt.attention.max_alibi_bias", float32(8))}},
		"gemma3-swa":    {Arch: "gemma3", Layers: 7, KVHeads: 2, Want: all, Keys: []gguf.KV{kv("gemma3.attention.sliding_window", uint32(5))}},
		"cohere2-swa": {Arch: "cohere2", Layers: 5, KVHeads: 2, Want: func(string) bool { return false },
			Keys: []gguf.KV{kv("cohere2.attention.sliding_window", uint32(5)), kv("cohere2.logit_scale", float32(0.5))}},
	}
}

// TestMade holds the logits of made-up models against llama.cpp's.
func TestMade(t *testing.T) {
	for name, s := range madeShapes() {
		d := toy.Tiny(s.Arch, s.Want)
		for _, v := range []struct {
			at  *int
			def int
		}{{&s.Layers, d.Layers}, {&s.Dim, d.Dim}, {&s.Heads, d.Heads}, {&s.KVHeads, d.KVHeads}, {&s.FFN, d.FFN}, {&s.Vocab, d.Vocab}, {&s.Context, d.Context}} {
			if *v.at == 0 {
				*v.at = v.def
			}
		}
		b := toytest.Bytes(t, s, "F32", 7)
		if *writeMade != "" {
			if err := os.WriteFile(filepath.Join(*writeMade, name+".gguf"), b, 0o666); err != nil {
				t.Fatal(err)
			}
			continue
		}
		m, err := Load(t.Context(), toytest.Parse(t, b), Options{})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		bound := 1e-10
		if m.Arch.Spec.Activation == arch.GELU {
			bound = 1e-7
		}
		raw, err := os.ReadFile(filepath.Join("testdata", "made", name+".logits.f32"))
		if err != nil {
			t.Fatal(err)
		}
		if e := testdata.NMSE(allLogits(t, m, testdata.Tokens()), testdata.Floats(t, raw)); !(e <= bound) {
			t.Errorf("%s: NMSE %.2g, want <= %.0e (if package toy makes other models now, make the references anew: -made)", name, e, bound)
		} else {
			t.Logf("%s: NMSE %.2g", name, e)
		}
		m.Close()
	}
}
