package engine

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/internal/testdata"
	"github.com/normswap/normswap/ops"
	"github.com/normswap/normswap/quant"
)

// TestSaveRestore: a session that is restored goes on with the logits of the one that
// was saved, to the last bit, in every architecture.
func TestSaveRestore(t *testing.T) {
	tokens := testdata.Tokens()[:12]
	for _, name := range testdata.Fixtures(t, "archs") {
		m := open(t, name, Options{Threads: 2})
		if m.Arch.Spec.Encoder {
			continue
		}
		for _, kv := range []quant.Type{quant.F16, quant.F32} {
			o := SessionOptions{Context: 32, KV: kv}
			s := newSession(t, m, o)
			if err := s.Append(t.Context(), tokens); err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			if err := s.Save(t.Context(), &b); err != nil {
				t.Fatal(err)
			}
			r := newSession(t, m, o)
			if err := r.Restore(t.Context(), &b); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(r.Tokens(), tokens) {
				t.Errorf("%s: tokens %v", name, r.Tokens())
			}
			want, err := s.Eval(t.Context(), tokens[:1])
			if err != nil {
				t.Fatal(err)
			}
			got, err := r.Eval(t.Context(), tokens[:1])
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("%s, cache %v: other logits (%v)", name, kv, err)
			}
		}
	}
}

// TestRestoreRefuses: what is not for a session is refused by name, and leaves it as
// it was.
func TestRestoreRefuses(t *testing.T) {
	open2 := func(name string, o Options) *Model { o.Threads = 1; return open(t, name, o) }
	m := open2("archs/gpt2.gguf", Options{})
	s := newSession(t, m, SessionOptions{KV: quant.F16})
	if err := s.Append(t.Context(), []int32{1, 2, 3}); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := s.Save(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	whole := b.Bytes()
	changed := func(at int, v byte) []byte {
		x := slices.Clone(whole)
		x[(at+len(x))%len(x)] ^= v
		return x
	}
	own := func(_ *arch.Norm, n *ops.Norm) Norm { return n }
	for _, c := range []struct {
		want  string
		model *Model
		o     SessionOptions
		state []byte
	}{
		{"of another model", open2("archs/gptneox.gguf", Options{}), SessionOptions{KV: quant.F16}, whole},
		{"with other norms", open2("archs/gpt2.gguf", Options{Norm: RMSFolded}), SessionOptions{KV: quant.F16}, whole},
		{"float activations false", open2("archs/gpt2.gguf", Options{FloatActivations: true}), SessionOptions{KV: quant.F16}, whole},
		{"caller's own", open2("archs/gpt2.gguf", Options{ReplaceNorm: own}), SessionOptions{KV: quant.F16}, whole},
		{"a cache of F16, here it is F32", m, SessionOptions{}, whole},
		{"has 3 tokens, room is for 2", m, SessionOptions{KV: quant.F16, Context: 2}, whole},
		{"is cut off", m, SessionOptions{KV: quant.F16}, whole[:len(whole)-1]},
		{"is cut off", m, SessionOptions{KV: quant.F16}, whole[:len(whole)/2]},
		{"is cut off", m, SessionOptions{KV: quant.F16}, nil},
		{"is damaged", m, SessionOptions{KV: quant.F16}, changed(-1, 1)},
		{"is damaged", m, SessionOptions{KV: quant.F16}, changed(-100, 1)},
		{"is damaged", m, SessionOptions{KV: quant.F16}, append(slices.Clone(whole), 0)},
		{"is none, or of another version", m, SessionOptions{KV: quant.F16}, changed(3, 1)},
		{"a header of", m, SessionOptions{KV: quant.F16}, changed(len(stateMagic)+3, 0x7f)},
	} {
		s := newSession(t, c.model, c.o)
		if err := s.Append(t.Context(), []int32{5}); err != nil {
			t.Fatal(err)
		}
		before, err := s.Eval(t.Context(), []int32{6})
		if err != nil {
			t.Fatal(err)
		}
		before = slices.Clone(before)
		err = s.Restore(t.Context(), bytes.NewReader(c.state))
		if err == nil || !errors.Is(err, ErrState) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
		s.Truncate(1)
		after, err := s.Eval(t.Context(), []int32{6})
		if err != nil || !slices.Equal(after, before) {
			t.Errorf("%s: the session was changed (%v)", c.want, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Save(ctx, io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// FuzzRestore: no bytes make a session panic, or take memory that they do not have.
func FuzzRestore(f *testing.F) {
	m := open(f, "archs/gpt2.gguf", Options{Threads: 1})
	s := newSession(f, m, SessionOptions{Context: 8})
	if err := s.Append(f.Context(), []int32{1, 2}); err != nil {
		f.Fatal(err)
	}
	var b bytes.Buffer
	if err := s.Save(f.Context(), &b); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, state []byte) {
		if err := s.Restore(t.Context(), bytes.NewReader(state)); err == nil {
			if _, err := s.Eval(t.Context(), []int32{1}); err != nil && !errors.Is(err, ErrContextFull) {
				t.Error(err)
			}
		}
	})
}
