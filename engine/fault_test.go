//go:build unix

package engine

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/internal/testdata"
	"github.com/normswap/normswap/internal/toy"
	"github.com/normswap/normswap/internal/toytest"
	"github.com/normswap/normswap/ops"
)

// onDisk writes a model that a test may damage.
func onDisk(t *testing.T, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model.gguf")
	if err := os.WriteFile(path, b, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestShrunkFile: a file that shrinks while it is mapped is an error of the
// call that meets it, whichever kernel on whichever goroutine touches it, and
// of the next; other models go on.
func TestShrunkFile(t *testing.T) {
	defer ops.SelectISA("")
	healthy := open(t, "archs/gpt2.gguf", Options{Threads: 2})
	want := allLogits(t, healthy, testdata.Tokens())
	faults := 0
	for _, typ := range []string{"F32", "F16", "Q8_0", "Q4_0", "Q4_K"} {
		shape := toy.Tiny("gpt2", nil)
		shape.Dim, shape.FFN = 256, 256
		whole := toytest.Bytes(t, shape, typ, 1)
		for _, tier := range ops.ISAs() {
			if err := ops.SelectISA(tier); err != nil {
				t.Fatal(err)
			}
			for _, threads := range []int{1, 3} {
				path := onDisk(t, whole)
				m, err := Open(t.Context(), path, Options{Threads: threads})
				if err != nil {
					t.Fatal(err)
				}
				s := newSession(t, m, SessionOptions{})
				tokens := testdata.Tokens()
				if _, err := s.Eval(t.Context(), tokens); err != nil {
					t.Fatal(err)
				}
				if err := os.Truncate(path, 8192); err != nil {
					t.Fatal(err)
				}
				drain := func(seq func(yield func(int32, error) bool)) (err error) {
					for _, e := range seq {
						err = errors.Join(err, e)
					}
					return err
				}
				for name, call := range map[string]func() error{
					"Eval":     func() error { _, err := s.Eval(t.Context(), tokens[:1]); return err },
					"EvalAll":  func() error { return s.EvalAll(t.Context(), tokens, func(int, []float32) error { return nil }) },
					"Append":   func() error { return s.Append(t.Context(), tokens) },
					"Sync":     func() error { _, _, err := s.Sync(t.Context(), tokens[:2]); return err },
					"Generate": func() error { return drain(s.Generate(t.Context(), tokens, GenerateOptions{Max: 2})) },
					"Load":     func() error { _, err := load2(m.File, RMSFolded); return err },
				} {
					faults++
					if err := call(); err == nil || !strings.Contains(err.Error(), path+" changed while it was in use") {
						t.Errorf("%s, %s, %d threads: %s: %v", typ, tier, threads, name, err)
					}
				}
				if err := m.Close(); err != nil {
					t.Error(err)
				}
			}
			if got := allLogits(t, healthy, testdata.Tokens()); tier == ops.ISAs()[0] && !slices.Equal(got, want) && testdata.NMSE(got, want) > 1e-10 {
				t.Error("another model suffers")
			}
		}
	}
	t.Logf("%d faults", faults)
}

// load2 loads a file once more, without taking it over.
func load2(f *gguf.File, mode NormMode) (*Model, error) {
	m, err := Load(context.Background(), f, Options{Threads: 2, Norm: mode})
	if err == nil {
		m.pool.Close()
	}
	return m, err
}

// TestReplacedFile: a file that is replaced by another is the old one to those
// who have it open; one that is overwritten gives an error or other numbers.
func TestReplacedFile(t *testing.T) {
	whole := toytest.Bytes(t, toy.Tiny("llama", nil), "Q4_0", 1)
	path := onDisk(t, whole)
	m, err := Open(t.Context(), path, Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	want := allLogits(t, m, testdata.Tokens())
	other := filepath.Join(filepath.Dir(path), "other")
	if err := errors.Join(os.WriteFile(other, make([]byte, 100), 0o666), os.Rename(other, path)); err != nil {
		t.Fatal(err)
	}
	if got := allLogits(t, m, testdata.Tokens()); !slices.Equal(got, want) {
		t.Error("another file of that name changes the logits")
	}

	path = onDisk(t, whole)
	m2, err := Open(t.Context(), path, Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer m2.Close()
	for _, b := range []byte{0x00, 0xff, 0x7c, 0x01} {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write(slices.Repeat([]byte{b}, len(whole))); err != nil {
			t.Fatal(err)
		}
		f.Close()
		err = newSession(t, m2, SessionOptions{CheckFinite: true}).EvalAll(context.Background(), testdata.Tokens(), func(int, []float32) error { return nil })
		if err != nil && !strings.Contains(err.Error(), "logit") {
			t.Errorf("overwritten with %#x: %v", b, err)
		}
	}
}
