package arch_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/internal/testdata"
	"github.com/normswap/normswap/internal/toy"
	"github.com/normswap/normswap/internal/toytest"
)

func open(t *testing.T, name string) *gguf.File {
	t.Helper()
	f, err := gguf.Open(testdata.Path(t, name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// tiny makes a tiny model and parses it.
func tiny(t *testing.T, s toy.Shape) *gguf.File {
	t.Helper()
	return toytest.Parse(t, toytest.Bytes(t, s, "F32", 1))
}

// TestEveryArchitecture makes a model of each architecture, once with no
// optional tensor and once with all, and loads it.
func TestEveryArchitecture(t *testing.T) {
	for _, s := range arch.All() {
		if s.Known == "" {
			t.Errorf("%s: no names that people know", s.Name)
		}
		for _, all := range []bool{false, true} {
			shape := toy.Tiny(s.Name, func(string) bool { return all })
			m, err := arch.Load(tiny(t, shape))
			if err != nil {
				t.Errorf("%s, all %v: %v", s.Name, all, err)
				continue
			}
			if m.Tied == all && s.Head == arch.Optional {
				t.Errorf("%s, all %v: tied is %v", s.Name, all, m.Tied)
			}
		}
	}
}

// TestGraph checks what the residual stream is written and read by, in the
// forms that a block has.
func TestGraph(t *testing.T) {
	for _, c := range []struct {
		file             string
		norms, writers   []string
		readers          string // of blk.0.attn_norm
		parallel, pooled bool
	}{
		{file: "archs/gpt2.gguf",
			norms:   []string{"blk.0.attn_norm", "blk.0.ffn_norm", "blk.1.attn_norm", "blk.1.ffn_norm", "output_norm"},
			writers: []string{"token_embd", "position_embd", "blk.0.attn_output", "blk.0.ffn_down", "blk.1.attn_output", "blk.1.ffn_down"},
			readers: "blk.0.attn_qkv blk.0.attn_qkv blk.0.attn_qkv"},
		{file: "archs/falcon-7b.gguf", parallel: true,
			norms:   []string{"blk.0.attn_norm", "blk.1.attn_norm", "output_norm"},
			writers: []string{"token_embd", "blk.0.attn_output", "blk.0.ffn_down", "blk.1.attn_output", "blk.1.ffn_down"},
			readers: "blk.0.attn_qkv blk.0.attn_qkv blk.0.attn_qkv blk.0.ffn_up"},
		{file: "archs/falcon-40b.gguf", parallel: true,
			norms:   []string{"blk.0.attn_norm_2", "blk.0.attn_norm", "blk.1.attn_norm_2", "blk.1.attn_norm", "output_norm"},
			writers: []string{"token_embd", "blk.0.attn_output", "blk.0.ffn_down", "blk.1.attn_output", "blk.1.ffn_down"},
			readers: "blk.0.ffn_up"},
		{file: "archs/bloom.gguf",
			norms:   []string{"token_embd_norm", "blk.0.attn_norm", "blk.0.ffn_norm", "blk.1.attn_norm", "blk.1.ffn_norm", "output_norm"},
			writers: []string{"token_embd_norm", "blk.0.attn_output", "blk.0.ffn_down", "blk.1.attn_output", "blk.1.ffn_down"},
			readers: "blk.0.attn_qkv blk.0.attn_qkv blk.0.attn_qkv"},
		{file: "archs/stablelm-12b.gguf", parallel: true,
			norms:   []string{"blk.0.attn_norm", "blk.0.attn_q_norm", "blk.0.attn_k_norm", "blk.1.attn_norm", "blk.1.attn_q_norm", "blk.1.attn_k_norm", "output_norm"},
			writers: []string{"token_embd", "blk.0.attn_output", "blk.0.ffn_down", "blk.1.attn_output", "blk.1.ffn_down"},
			readers: "blk.0.attn_q blk.0.attn_k blk.0.attn_v blk.0.ffn_gate blk.0.ffn_up"},
		{file: "archs/dbrx.gguf",
			norms:   []string{"blk.0.attn_norm", "blk.0.attn_output_norm", "blk.1.attn_norm", "blk.1.attn_output_norm", "output_norm"},
			writers: []string{"token_embd", "blk.0.attn_output", "blk.0.ffn_down_exps", "blk.1.attn_output", "blk.1.ffn_down_exps"},
			readers: "blk.0.attn_qkv blk.0.attn_qkv blk.0.attn_qkv"},
		{file: "archs/olmo2.gguf",
			norms: []string{"blk.0.attn_q_norm", "blk.0.attn_k_norm", "blk.0.post_attention_norm", "blk.0.post_ffw_norm",
				"blk.1.attn_q_norm", "blk.1.attn_k_norm", "blk.1.post_attention_norm", "blk.1.post_ffw_norm", "output_norm"},
			writers: []string{"token_embd", "blk.0.post_attention_norm", "blk.0.post_ffw_norm", "blk.1.post_attention_norm", "blk.1.post_ffw_norm"}},
	} {
		m, err := arch.Load(open(t, c.file))
		if err != nil {
			t.Errorf("%s: %v", c.file, err)
			continue
		}
		var norms, writers []string
		for _, n := range m.Norms() {
			norms = append(norms, n.Site)
			if n.Site == "blk.0.attn_norm" {
				var readers []string
				for _, l := range m.Readers(n) {
					readers = append(readers, l.Name)
				}
				if got := strings.Join(readers, " "); got != c.readers {
					t.Errorf("%s: %s is read by %s, want %s", c.file, n.Site, got, c.readers)
				}
			}
		}
		for _, w := range m.Writers() {
			writers = append(writers, w.Name)
		}
		if !slices.Equal(norms, c.norms) {
			t.Errorf("%s: norms\n%v, want\n%v", c.file, norms, c.norms)
		}
		if !slices.Equal(writers, c.writers) {
			t.Errorf("%s: writers\n%v, want\n%v", c.file, writers, c.writers)
		}
		if m.Blocks[0].Parallel != c.parallel {
			t.Errorf("%s: parallel is %v", c.file, m.Blocks[0].Parallel)
		}
		if got := len(m.BareReaders()) > 0; got != (c.file == "archs/olmo2.gguf") {
			t.Errorf("%s: bare readers %v", c.file, got)
		}
	}
}

// TestReaders: every matrix that reads the residual stream, and none else, is a
// reader of one norm or of none, at the norm that stands before its branch.
func TestReaders(t *testing.T) {
	for _, s := range runnable() {
		for _, all := range []bool{false, true} {
			m, err := arch.Load(tiny(t, toy.Tiny(s.Name, func(string) bool { return all })))
			if err != nil {
				t.Fatal(err)
			}
			times := map[*arch.Linear]int{}
			for _, n := range m.Norms() {
				for _, l := range m.Readers(n) {
					times[l]++
					if want := n.Layer; want >= 0 && !slices.Contains(m.Blocks[want].Linears(), l) {
						t.Errorf("%s: %s is read by %s of another layer", s.Name, n.Site, l.Name)
					}
				}
			}
			for _, l := range m.BareReaders() {
				times[l]++
			}
			want := map[*arch.Linear]int{}
			if !s.Encoder {
				want[&m.Head] = 1
			}
			if m.EmbedProject.W != nil {
				want[&m.EmbedProject] = 1
			}
			if m.ClassNorm != nil {
				want[&m.ClassOut] = 1
			}
			for i := range m.Blocks {
				for _, l := range m.Blocks[i].Linears() {
					if !slices.Contains([]arch.Role{arch.O, arch.Down, arch.ScanIn, arch.Step, arch.Predict, arch.Correct, arch.LaurelR, arch.InputGate, arch.InputProject, arch.QHeads, arch.KHeads, arch.VHeads}, l.Role) {
						want[l] = 1
					}
					if l.Role == arch.StreamRouter {
						want[l] = 2 // of the prediction and of the correction
					}
				}
				if n := m.Blocks[i].Up.Experts; m.Blocks[i].Router.Experts != 0 || n != m.Experts && !s.ExpertsEvery && !s.LeadingDense || (n > 0) != (m.Blocks[i].Router.W != nil) {
					t.Errorf("%s: %d experts, %+v", s.Name, m.Experts, m.Blocks[i].Up)
				}
			}
			if !maps.Equal(times, want) {
				t.Errorf("%s, all %v: %d matrices are read from norms or the stream, want %d", s.Name, all, len(times), len(want))
			}
		}
	}
}

// TestRefusals: what is wrong with a file is said in one line that names it.
func TestRefusals(t *testing.T) {
	gpt2 := func(change func(f *gguf.File)) *gguf.File {
		f := tiny(t, toy.Tiny("gpt2", nil))
		change(f)
		return f
	}
	set := func(key string, v any) func(*gguf.File) {
		return func(f *gguf.File) {
			if err := f.Meta.Set(key, v); err != nil {
				t.Fatal(err)
			}
		}
	}
	tensor := func(f *gguf.File, name string) *gguf.Tensor {
		x, ok := f.Tensor(name)
		if !ok {
			t.Fatalf("no %s", name)
		}
		return x
	}
	for _, c := range []struct {
		want   string
		change func(*gguf.File)
	}{
		{"general.architecture", func(f *gguf.File) { f.Meta.Delete("general.architecture") }},
		{"general.architecture", set("general.architecture", uint32(7))},
		{`unknown architecture "gpt5"`, set("general.architecture", "gpt5")},
		{"gpt2.block_count", set("gpt2.block_count", uint32(0))},
		{"gpt2.block_count", set("gpt2.block_count", uint32(1<<31))},
		{"gpt2.block_count", func(f *gguf.File) { f.Meta.Delete("gpt2.block_count") }},
		{"blk.2.attn_norm.weight", set("gpt2.block_count", uint32(3))},
		{"gpt2.embedding_length", set("gpt2.embedding_length", uint32(0))},
		{"heads", set("gpt2.embedding_length", uint32(33))},
		{"gpt2.attention.head_count", set("gpt2.attention.head_count", uint32(0))},
		{"gpt2.attention.head_count_kv", set("gpt2.attention.head_count_kv", uint32(0))},
		{"gpt2.attention.head_count_kv", set("gpt2.attention.head_count_kv", uint32(3))},
		{"gpt2.attention.layer_norm_epsilon", set("gpt2.attention.layer_norm_epsilon", float32(-1))},
		{"gpt2.attention.head_count", set("gpt2.attention.head_count", []int32{4, 4, 4})},
		{"gpt2.context_length", set("gpt2.context_length", uint32(0))},
		{"position_embd.weight", set("gpt2.context_length", uint32(100))},
		{"blk.1.attn_norm.weight", func(f *gguf.File) { tensor(f, "blk.1.attn_norm.weight").Dims = []int{31} }},
		{"blk.0.ffn_up.weight", func(f *gguf.File) { tensor(f, "blk.0.ffn_up.weight").Dims = []int{96, 32} }},
	} {
		_, err := arch.Load(gpt2(c.change))
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("want one line with %q, got %v", c.want, err)
		}
	}
	var unknown *arch.UnknownError
	if _, err := arch.Load(gpt2(set("general.architecture", "gpt5"))); !errors.As(err, &unknown) {
		t.Errorf("want an UnknownError, got %v", err)
	}
	// Tensors that nobody asked for.
	with := tiny(t, toy.Tiny("gpt2", func(name string) bool { return name == "output.weight" }))
	if err := with.Meta.Set("general.architecture", "gpt2"); err != nil {
		t.Fatal(err)
	}
	llama := tiny(t, toy.Tiny("jais", nil))
	for _, kv := range llama.Meta.All() {
		if rest, ok := strings.CutPrefix(kv.Key, "jais."); ok {
			if err := llama.Meta.Set("orion."+rest, kv.Value); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := llama.Meta.Set("general.architecture", "orion"); err != nil {
		t.Fatal(err)
	}
	if _, err := arch.Load(llama); err == nil {
		t.Error("a jais file loads as orion")
	}
}
