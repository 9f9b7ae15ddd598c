package engine

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/normswap/normswap/internal/testdata"
	"github.com/normswap/normswap/internal/toy"
	"github.com/normswap/normswap/internal/toytest"
	"github.com/normswap/normswap/ops"
	"github.com/normswap/normswap/quant"
	"github.com/normswap/normswap/tokenizer"
)

func newSession(t testing.TB, m *Model, o SessionOptions) *Session {
	t.Helper()
	s, err := m.NewSession(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestStory continues a story as llama.cpp does.
func TestStory(t *testing.T) {
	m := open(t, "trained/stories260K-F32.gguf", Options{})
	tok, err := m.Tokenizer()
	if err != nil {
		t.Fatal(err)
	}
	prompt, err := tok.Encode("Once upon a time", tokenizer.EncodeOptions{AddSpecial: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, kv := range []quant.Type{quant.F32, quant.F16} {
		var ids []int32
		for id, err := range newSession(t, m, SessionOptions{KV: kv}).Generate(t.Context(), prompt, GenerateOptions{Max: 40}) {
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, id)
		}
		want := ", there was a little girl named Lily. She loved to play outside in the park. One day, she saw a big, red ball."
		if got := string(tok.Decode(ids)); got != want {
			t.Errorf("%s cache: %q, want %q", kv, got, want)
		}
	}
}

// TestGenerate checks where a generation ends and what it leaves behind.
func TestGenerate(t *testing.T) {
	m := open(t, "trained/nano-sort-85k-F32.gguf", Options{})
	prompt := []int32{2, 1, 0, 1, 2, 0} // CBABCA
	run := func(ctx context.Context, prompt []int32, o GenerateOptions) (ids []int32, err error) {
		for id, e := range newSession(t, m, SessionOptions{}).Generate(ctx, prompt, o) {
			if e != nil {
				return ids, e
			}
			ids = append(ids, id)
		}
		return ids, nil
	}
	if got, err := run(t.Context(), prompt, GenerateOptions{Max: 5}); err != nil || !slices.Equal(got, []int32{0, 0, 1, 1, 2}) {
		t.Errorf("sorted %v (%v), want 0 0 1 1 2", got, err)
	}
	// The context holds 11: five tokens fit after six, and the logits of the
	// last give one more.
	if got, err := run(t.Context(), prompt, GenerateOptions{}); err != nil || len(got) != 6 {
		t.Errorf("%d tokens until the context is full (%v), want 6", len(got), err)
	}
	if _, err := run(t.Context(), make([]int32, 12), GenerateOptions{}); !errors.Is(err, ErrContextFull) {
		t.Errorf("prompt of 12 in a context of 11: %v", err)
	}
	if _, err := run(t.Context(), nil, GenerateOptions{}); err == nil {
		t.Error("an empty prompt gives no error")
	}
	if _, err := run(t.Context(), []int32{3}, GenerateOptions{}); err == nil || !strings.Contains(err.Error(), "token 3") {
		t.Errorf("token outside the vocabulary: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := run(ctx, prompt, GenerateOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := m.NewSession(SessionOptions{Context: 12}); err == nil {
		t.Error("a context beyond the learned positions gives no error")
	}
}

// TestSampler: each restriction keeps what it should, and seeds repeat.
func TestSampler(t *testing.T) {
	logits := []float32{1, 4, 2, 3, -1}
	drawn := func(o SampleOptions, recent ...int32) map[int32]int {
		t.Helper()
		s, err := NewSampler(o)
		if err != nil {
			t.Fatal(err)
		}
		n := map[int32]int{}
		for range 2000 {
			id, err := s.Sample(slices.Clone(logits), recent)
			if err != nil {
				t.Fatal(err)
			}
			n[id]++
		}
		return n
	}
	only := func(o SampleOptions, ids ...int32) {
		t.Helper()
		got := drawn(o)
		for id := range got {
			if !slices.Contains(ids, id) {
				t.Errorf("%+v drew %d", o, id)
			}
		}
		if len(got) != len(ids) {
			t.Errorf("%+v drew %v, want all of %v", o, got, ids)
		}
	}
	only(SampleOptions{}, 1)
	only(SampleOptions{Temperature: 2, TopK: 2}, 1, 3)
	only(SampleOptions{Temperature: 2, TopK: 99}, 0, 1, 2, 3, 4)
	only(SampleOptions{Temperature: 2, TopP: 0.5}, 1)       // 1 alone has 0.64
	only(SampleOptions{Temperature: 2, TopP: 0.7}, 1, 3)    // 0.64 + 0.24
	only(SampleOptions{Temperature: 2, MinP: 0.3}, 1, 3)    // e^-1 = 0.37, e^-2 = 0.14
	only(SampleOptions{Temperature: 2, MinP: 0.1}, 1, 2, 3) // e^-3 = 0.05
	// Frequencies follow the softmax of logits/temperature.
	const temp = 1.5
	var sum float64
	for _, v := range logits {
		sum += math.Exp(float64(v) / temp)
	}
	for id, n := range drawn(SampleOptions{Temperature: temp, Seed: 7}) {
		p := math.Exp(float64(logits[id])/temp) / sum
		if sd := math.Sqrt(p * (1 - p) / 2000); math.Abs(float64(n)/2000-p) > 5*sd {
			t.Errorf("token %d drawn %d times of 2000, want %.0f", id, n, 2000*p)
		}
	}
	if a, b := drawn(SampleOptions{Temperature: 1, Seed: 3}), drawn(SampleOptions{Temperature: 1, Seed: 3}); a[1] != b[1] || a[3] != b[3] {
		t.Error("the same seed draws differently")
	}
	// A penalty of 4 takes token 1 from 4 to 1, below tokens 2 and 3.
	if got := drawn(SampleOptions{RepeatPenalty: 4}, 1, 1); got[3] != 2000 {
		t.Errorf("penalised: %v, want 3 always", got)
	}
	for _, o := range []SampleOptions{{Temperature: math.NaN()}, {Temperature: -1}, {TopK: -1}, {TopP: 1.1}, {TopP: math.NaN()}, {MinP: -0.1}, {RepeatPenalty: -1}, {RepeatLast: -1}} {
		if _, err := NewSampler(o); err == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
}

// TestNoAllocation: a token costs no garbage, however it is drawn.
func TestNoAllocation(t *testing.T) {
	for _, name := range []string{"trained/stories260K-F32.gguf", "quantized/gpt2-256-Q4_K_M.gguf", "archs/dbrx.gguf", "archs/lfm2.gguf", "archs/plamo2.gguf"} {
		m := open(t, name, Options{Threads: 2})
		s := newSession(t, m, SessionOptions{KV: quant.F16})
		sampler, err := NewSampler(SampleOptions{Temperature: 0.8, TopK: 40, TopP: 0.9, MinP: 0.05, RepeatPenalty: 1.1})
		if err != nil {
			t.Fatal(err)
		}
		next := []int32{1}
		token := func() {
			logits, err := s.Eval(t.Context(), next)
			if err != nil {
				t.Fatal(err)
			}
			if next[0], err = sampler.Sample(logits, s.Tokens()); err != nil {
				t.Fatal(err)
			}
		}
		token()
		if n := testing.AllocsPerRun(100, token); n != 0 {
			t.Errorf("%s: %v allocations a token", name, n)
		}
	}
}

// TestTap: a tap sees every norm of every batch, in order, and the relation
// between the stages is the norm's.
func TestTap(t *testing.T) {
	for _, name := range []string{"archs/stablelm-12b.gguf", "archs/bloom.gguf", "archs/gemma2.gguf"} {
		m := open(t, name, Options{})
		norms := m.Arch.Norms()
		var seen []string
		var in []float32
		tap := &Tap{Std: true, Func: func(h Hidden) {
			if want := len(h.Tokens) * h.Site.Width * h.Site.Groups; len(h.Rows) != want {
				t.Errorf("%s %s: %d values, want %d", h.Site.Site, h.Stage, len(h.Rows), want)
			}
			switch h.Stage {
			case In:
				seen = append(seen, h.Site.Site)
				in = slices.Clone(h.Rows)
			case Std:
				w := h.Site.Width
				want := make([]float32, w)
				for i := 0; i < len(in); i += w {
					(&ops.Norm{Eps: m.Arch.Eps, Center: h.Site.Kind == 0}).Apply(want, in[i:i+w])
					if !slices.Equal(want, h.Rows[i:i+w]) {
						t.Fatalf("%s: std is not the norm of in", h.Site.Site)
					}
				}
			}
		}}
		s := newSession(t, m, SessionOptions{KV: quant.F32, Tap: tap})
		tokens := testdata.Tokens()
		logits, err := s.Eval(t.Context(), tokens)
		if err != nil {
			t.Fatal(err)
		}
		var want []string
		for _, n := range norms {
			want = append(want, n.Site)
		}
		if !slices.Equal(seen, want) {
			t.Errorf("%s: saw %v, want %v", name, seen, want)
		}
		plain, err := newSession(t, m, SessionOptions{KV: quant.F32}).Eval(t.Context(), tokens)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(logits, plain) {
			t.Errorf("%s: a tap changes the logits", name)
		}
	}
}

// TestNotFinite: a weight that is not a number is found at the first logit.
func TestNotFinite(t *testing.T) {
	m := open(t, "archs/llama.gguf", Options{})
	x, _ := m.File.Tensor("blk.1.ffn_norm.weight")
	b := slices.Clone(x.Data)
	for i := range 4 {
		b[i] = 0xff
	}
	x.Data = b
	bad, err := Load(t.Context(), m.File, Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = newSession(t, bad, SessionOptions{}).Eval(t.Context(), []int32{1, 2})
	if err == nil || !strings.Contains(err.Error(), "not finite") {
		t.Errorf("NaN in a gain: %v", err)
	}
}

// TestManySessions: sessions of one model do not disturb each other.
func TestManySessions(t *testing.T) {
	m := open(t, "archs/gptneox-parallel.gguf", Options{Threads: 2})
	want := allLogits(t, m, testdata.Tokens())
	done := make(chan bool)
	for range 64 {
		go func() {
			s, err := m.NewSession(SessionOptions{KV: quant.F32})
			var got []float32
			if err == nil {
				err = s.EvalAll(context.Background(), testdata.Tokens(), func(_ int, logits []float32) error {
					got = append(got, logits...)
					return nil
				})
			}
			if err != nil {
				t.Error(err)
			}
			done <- slices.Equal(got, want)
		}()
	}
	for range 64 {
		if !<-done {
			t.Error("a session among many gives other logits than one alone")
		}
	}
}

// TestNoTokenizer: a model without a vocabulary runs on ids.
func TestNoTokenizer(t *testing.T) {
	m := open(t, "archs/gpt2.gguf", Options{})
	if _, err := m.Tokenizer(); err == nil || !strings.Contains(err.Error(), "test") {
		t.Errorf("want an error that names the tokenizer's model, got %v", err)
	}
}

// TestDropGenerated: a text that was generated before does not change what a prompt
// gives, whatever the weights.
func TestDropGenerated(t *testing.T) {
	for _, typ := range []string{"F32", "BF16", "Q8_0"} {
		m, err := Load(t.Context(), toytest.Parse(t, toytest.Bytes(t, toy.Tiny("gptneox", nil), typ, 1)), Options{Threads: 2})
		if err != nil {
			t.Fatal(err)
		}
		s := newSession(t, m, SessionOptions{})
		for id, err := range s.Generate(t.Context(), []int32{1, 2, 3}, GenerateOptions{Max: 20, IgnoreEOG: true, Speculation: &Speculation{Lookup: true}}) {
			if err != nil {
				t.Fatal(id, err)
			}
		}
		text := append(slices.Clone(s.Tokens()), 9, 8)
		want, _, err := newSession(t, m, SessionOptions{}).Sync(t.Context(), text)
		if err != nil {
			t.Fatal(err)
		}
		s.DropGenerated()
		got, kept, err := s.Sync(t.Context(), text)
		if err != nil || !slices.Equal(got, want) || kept < 3 || typ == "Q8_0" && kept < 20 {
			t.Errorf("%s: other logits behind a text, of which %d tokens were kept (%v)", typ, kept, err)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
}
