package main

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/normswap/normswap/internal/testdata"
	"github.com/normswap/normswap/internal/toy"
	"github.com/normswap/normswap/internal/toytest"
	"github.com/normswap/normswap/quant"
)

// ftypes are the values of llama.cpp's enum llama_ftype for what its quantiser
// writes without an importance matrix.
var ftypes = map[string]int{
	"F32": 0, "F16": 1, "Q4_0": 2, "Q4_1": 3, "Q8_0": 7, "Q5_0": 8, "Q5_1": 9, "Q2_K": 10, "Q3_K_S": 11, "Q3_K_M": 12, "Q3_K_L": 13,
	"Q4_K_S": 14, "Q4_K_M": 15, "Q5_K_S": 16, "Q5_K_M": 17, "Q6_K": 18, "IQ4_NL": 25, "IQ4_XS": 30, "BF16": 32, "TQ1_0": 36, "TQ2_0": 37,
}

// quantizedBound is what two engines may differ by on one quantised file: each
// rounds activations to 8 bits in its own way.
const quantizedBound = 2e-3

// TestQuantized: what infer fold writes loads in llama.cpp in every type that
// infer fold has, loads in both after llama.cpp has quantised it in every type,
// and gives the same logits on both sides.
func TestQuantized(t *testing.T) {
	for _, c := range []struct{ from, export string }{
		{"olmo", "llama"}, {"stablelm", "phimoe"}, {"orion", "phimoe"}, {"command-r", "plamo"}, {"phimoe", "phimoe"},
		{"olmo", ""}, {"stablelm", ""}, {"orion", ""}, {"gpt2", ""}, {"gptneox", ""}, {"phi2", ""}, {"falcon", ""}, {"mpt", ""},
		{"starcoder", ""}, {"starcoder2", ""}, {"codeshell", ""}, {"nemotron", ""}, {"jais", ""}, {"dbrx", ""},
	} {
		t.Run(c.from+"-"+c.export, func(t *testing.T) {
			t.Parallel()
			shape := toy.Tiny(c.from, func(tensor string) bool {
				return strings.Contains(tensor, "ffn_norm") || strings.Contains(tensor, "attn_qkv") && c.from != "command-r" || strings.Contains(tensor, "output.weight")
			})
			shape.Dim, shape.FFN, shape.Heads, shape.KVHeads = 256, 512, 4, 4
			dir := t.TempDir()
			for _, source := range []string{"F32", "F16", "BF16", "Q8_0"} {
				path := filepath.Join(dir, "source.gguf")
				if err := os.WriteFile(path, toytest.Bytes(t, shape, source, 1), 0o666); err != nil {
					t.Fatal(err)
				}
				args := []string{}
				if c.export != "" {
					args = append(args, "--export", c.export)
				}
				agree(t, source+" folded", fold(t, path, args...))
				if source != "F32" {
					continue
				}
				folded := fold(t, path, args...)
				for _, typ := range quant.Types() {
					if typ.CanEncode() {
						agree(t, "fold --type "+typ.String(), fold(t, path, append(args, "--type", typ.String())...))
					}
				}
				for name, ftype := range ftypes {
					out := filepath.Join(dir, name+".gguf")
					if _, err := execute("peer", nil, "quantize", folded, "--ftype", strconv.Itoa(ftype), "--out", out); err != nil {
						t.Errorf("llama.cpp does not quantise the folded file to %s: %v", name, err)
						continue
					}
					agree(t, "folded, then "+name+" by llama.cpp", out)
				}
			}
		})
	}
}

// TestFusedExports: exports load in llama.cpp whether or not queries, keys and
// values are one matrix, and whichever of them have a bias.
func TestFusedExports(t *testing.T) {
	for _, name := range []string{"olmo", "stablelm", "orion", "command-r"} {
		for _, parts := range []string{"", "attn_qkv.weight", "attn_qkv", "attn_qkv.weight attn_q.bias attn_k.bias attn_v.bias", "attn_q.bias", "attn_v.bias"} {
			t.Run(name+" "+parts, func(t *testing.T) {
				shape := toy.Tiny(name, func(tensor string) bool {
					_, part, _ := strings.Cut(strings.TrimPrefix(tensor, "blk."), ".")
					return strings.HasPrefix(part, "ffn_norm") || slices.ContainsFunc(strings.Fields(parts), func(p string) bool { return strings.HasPrefix(part, p) })
				})
				shape.KVHeads = 2
				path := filepath.Join(t.TempDir(), "source.gguf")
				if err := os.WriteFile(path, toytest.Bytes(t, shape, "F32", 1), 0o666); err != nil {
					t.Fatal(err)
				}
				foldAndCompare(t, path, map[string]string{"olmo": "llama", "command-r": "plamo", "stablelm": "phimoe", "orion": "phimoe"}[name], exact, "--export", "auto")
			})
		}
	}
}

// agree runs a file on both sides.
func agree(t *testing.T, what, path string) {
	t.Helper()
	want, _, err := peerLogits(path, "", testdata.Tokens())
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	got, _ := logits(t, path, testdata.Tokens())
	if e, err := nmse(got, want); err != nil || e > quantizedBound {
		t.Errorf("%s: NMSE %.2g, %v", what, e, err)
	}
}
