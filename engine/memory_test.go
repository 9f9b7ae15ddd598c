//go:build linux

package engine

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/internal/toy"
	"github.com/normswap/normswap/internal/toytest"
	"github.com/normswap/normswap/quant"
	"golang.org/x/sys/unix"
)

// thin makes a model whose matrices have one row or column, but for what change
// makes wide.
func thin(t *testing.T, arch string, change func(s *toy.Shape)) []byte {
	s := toy.Tiny(arch, func(tensor string) bool { return strings.Contains(tensor, "norm") })
	s.Layers, s.Dim, s.Heads, s.KVHeads, s.FFN, s.Vocab = 1, 1, 1, 1, 1, 16
	s.Context, s.Rotary, s.Keys = 1<<31-1, 2, []gguf.KV{{Key: arch + ".attention.key_length", Value: uint32(2)}}
	change(&s)
	return toytest.Bytes(t, s, "F32", 1)
}

func wideFFN(s *toy.Shape) { s.FFN = 1 << 18 }

// hungry are models whose metadata and one row of each matrix ask for much.
func hungry(t *testing.T) map[string][]byte {
	key := func(name string, v any) gguf.KV { return gguf.KV{Key: name, Value: v} }
	shape := func(arch string, change func(s *toy.Shape)) []byte { return thin(t, arch, change) }
	widths := make([]int32, 32)
	for i := range widths {
		widths[i] = 1<<13 + int32(i)
	}
	pieces := func(key string, v any) []byte {
		return rewrite(t, toytest.Bytes(t, smallest("gpt2"), "F32", 1), func(f *gguf.File) {
			for _, kv := range []gguf.KV{{Key: "tokenizer.ggml.model", Value: "gpt2"}, {Key: "tokenizer.ggml.tokens", Value: []string{"a"}},
				{Key: "tokenizer.ggml.merges", Value: []string{"a a"}}, {Key: key, Value: v}} {
				if err := f.Meta.Set(kv.Key, kv.Value); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
	return map[string][]byte{
		"gains for each head": shape("stablelm", func(s *toy.Shape) { s.Heads, s.KVHeads = 4096, 4096 }),
		"heads over one":      shape("llama", func(s *toy.Shape) { s.Heads = 4096 }),
		"wide keys": shape("llama", func(s *toy.Shape) {
			s.Layers, s.Rotary, s.Keys = 8, 8192, []gguf.KV{key("llama.attention.key_length", uint32(8192))}
		}),
		"wide FFN":        shape("llama", wideFFN),
		"wide everywhere": shape("llama", func(s *toy.Shape) { s.Dim, s.FFN = 1<<13, 3 }),
		"widths of FFNs": shape("gpt2", func(s *toy.Shape) {
			s.Layers, s.Context, s.Keys = 32, 1024, []gguf.KV{key("gpt2.feed_forward_length", widths)}
		}),
		"vocabulary":     shape("llama", func(s *toy.Shape) { s.Vocab = 1 << 18 }),
		"experts":        shape("phimoe", func(s *toy.Shape) { s.Experts, s.Active = 4096, 4096 }),
		"layers":         shape("llama", func(s *toy.Shape) { s.Layers = 1024 }),
		"tokens of none": pieces("tokenizer.ggml.tokens", make([]string, 1<<18)),
		"merges of one":  pieces("tokenizer.ggml.merges", strings.Fields(strings.Repeat("a ", 1<<18))),
		"one token":      pieces("tokenizer.ggml.tokens", []string{"a", strings.Repeat("a", 100<<20)}),
		"one template":   pieces("tokenizer.chat_template", strings.Repeat("{% if x %}", 1<<20)),
	}
}

const envHungry = "NORMSWAP_TEST_HUNGRY"

// TestHungryChild is what TestHungry runs: it loads a model, evaluates tokens,
// and tells how much memory that took.
func TestHungryChild(t *testing.T) {
	path := os.Getenv(envHungry)
	if path == "" {
		return
	}
	limit := unix.Rlimit{Cur: 4 << 30, Max: 4 << 30}
	if err := unix.Setrlimit(unix.RLIMIT_AS, &limit); err != nil {
		t.Fatal(err)
	}
	m, err := Open(t.Context(), path, Options{Threads: 1})
	if err != nil {
		fmt.Println("error:", err)
	} else {
		s, err := m.NewSession(SessionOptions{Context: min(m.Context(), 1<<20), KV: quant.F16})
		if err == nil {
			_, err = s.Eval(context.Background(), make([]int32, min(8, m.Context())))
		}
		if err != nil {
			fmt.Println("error:", err)
		}
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if strings.HasPrefix(line, "VmHWM:") {
			fmt.Print(line)
		}
	}
}

// TestHungry runs each model in a process of its own, whose memory and time
// are limited: running out of memory cannot be caught.
func TestHungry(t *testing.T) {
	if testing.Short() {
		t.Skip("the race detector takes the address space for itself")
	}
	dir := t.TempDir()
	run := func(name string, b []byte) (kib int) {
		path := filepath.Join(dir, "hungry.gguf")
		if err := os.WriteFile(path, b, 0o666); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestHungryChild$")
		cmd.Env = append(os.Environ(), envHungry+"="+path, "GOCOVERDIR="+dir)
		start := time.Now()
		out, err := cmd.CombinedOutput()
		if i := bytes.Index(out, []byte("VmHWM:")); err == nil && i >= 0 {
			_, err = fmt.Sscanf(string(out[i:]), "VmHWM: %d kB", &kib)
		} else if err == nil {
			err = fmt.Errorf("no VmHWM")
		}
		if err != nil {
			t.Errorf("%s: %v: %.2000s", name, err, out)
		}
		t.Logf("%s: a file of %d KiB takes %d KiB and %v; %s", name, len(b)>>10, kib, time.Since(start).Round(time.Millisecond), bytes.SplitN(out, []byte("\n"), 2)[0])
		return kib
	}
	base := run("an ordinary one", toytest.Bytes(t, toy.Tiny("llama", nil), "F32", 1))
	for name, b := range hungry(t) {
		if kib, most := run(name, b), base+32<<10+32*len(b)>>10; kib > most {
			t.Errorf("%s: a file of %d KiB takes %d KiB, want at most %d", name, len(b)>>10, kib, most)
		}
	}
}

// TestBounds: a batch of a real model has the size that is fast, one of a
// model that is nothing but width has what memory permits.
func TestBounds(t *testing.T) {
	m := open(t, "archs/llama.gguf", Options{})
	if m.batch != batchTokens || m.headRows != headRows {
		t.Errorf("batches of %d tokens and %d rows of logits", m.batch, m.headRows)
	}
	wide, err := Load(t.Context(), toytest.Parse(t, thin(t, "llama", wideFFN)), Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	if bytes := wide.batch * 4 * 4 * wide.Arch.FFN; bytes > minActivations || bytes < minActivations/4 {
		t.Errorf("batches of %d tokens, whose hidden vectors take %d bytes", wide.batch, bytes)
	}
}
