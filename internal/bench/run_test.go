package bench

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/internal/toy"
	"github.com/normswap/normswap/quant"
)

func tinyModel(t testing.TB) *engine.Model {
	t.Helper()
	var b bytes.Buffer
	if err := toy.Write(&b, toy.Tiny("gpt2", nil), "F32", 1); err != nil {
		t.Fatal(err)
	}
	f, err := gguf.Parse(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	m, err := engine.Load(t.Context(), f, engine.Options{Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

func TestTests(t *testing.T) {
	var names []string
	for _, x := range Tests([]int{512, 0, 64}, []int{128}, []int{0, 1024}, nil) {
		names = append(names, x.Name())
	}
	want := []string{"pp512", "pp64", "tg128", "pp512 @ d1024", "pp64 @ d1024", "tg128 @ d1024"}
	for _, x := range Tests([]int{0}, []int{64}, []int{0, 9}, []int{1, 8}) {
		names = append(names, x.Name())
	}
	want = append(want, "tg64 x 1", "tg64 x 8", "tg64 x 1 @ d9", "tg64 x 8 @ d9")
	if !slices.Equal(names, want) {
		t.Errorf("%q, want %q", names, want)
	}
}

func TestRunner(t *testing.T) {
	m := tinyModel(t)
	ctx := context.Background()
	for _, test := range []Test{{Prompt: 20}, {Gen: 3}, {Prompt: 5, Depth: 40}, {Gen: 12, Depth: 40}, {Gen: 3, Sessions: 1}, {Gen: 4, Depth: 9, Sessions: 5}} {
		r, err := NewRunner(ctx, m, test, quant.F16)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if tps, err := r.Run(ctx); err != nil || !(tps > 0) {
				t.Errorf("%s: %v tokens/s, %v", test.Name(), tps, err)
			}
			for _, s := range r.sessions {
				if n, want := s.Len(), test.Depth+test.Prompt+test.Gen; n != want {
					t.Errorf("%s: %d tokens evaluated, want %d", test.Name(), n, want)
				}
			}
		}
	}
	if _, err := NewRunner(ctx, m, Test{Prompt: 1000}, quant.F16); err == nil {
		t.Error("a prompt longer than the learned positions is no error")
	}
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := NewRunner(ctx, m, Test{Prompt: 20}, quant.F16); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// A token reads the matrices of a model, and hardly more.
func TestTokenBytes(t *testing.T) {
	m := tinyModel(t)
	r, err := NewRunner(context.Background(), m, Test{Gen: 3}, quant.F16)
	if err != nil {
		t.Fatal(err)
	}
	weights := 0
	for i := range m.File.Tensors {
		if tensor := &m.File.Tensors[i]; len(tensor.Dims) == 2 && tensor.Name != "position_embd.weight" {
			weights += len(tensor.Data)
		}
	}
	bytes, err := r.TokenBytes(context.Background())
	if err != nil || bytes < weights || bytes > weights*5/4 {
		t.Errorf("%d bytes for a token, %d of matrices: %v", bytes, weights, err)
	}
	if speed := r.ReadSpeed(); !(speed > 0) {
		t.Errorf("reads %v bytes per second", speed)
	}
}

func TestInterleave(t *testing.T) {
	var order []int
	values, err := Interleave(3, 3, func(v int) (float64, error) {
		order = append(order, v)
		return float64(len(order)), nil
	})
	if err != nil || !slices.Equal(order, []int{0, 1, 2, 1, 2, 0, 2, 0, 1}) {
		t.Errorf("order %v, %v", order, err)
	}
	if !slices.Equal(values[0], []float64{1, 6, 8}) || !slices.Equal(values[2], []float64{3, 5, 7}) {
		t.Errorf("values %v", values)
	}
	boom := errors.New("boom")
	if _, err := Interleave(2, 1, func(int) (float64, error) { return 0, boom }); err != boom {
		t.Errorf("error %v", err)
	}
}
