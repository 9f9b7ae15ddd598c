// Package ollama holds this repository against Ollama's Go code and its ggml
// back end: norms, metadata and tensors of the same files. It is a module of its
// own, because it needs cgo and a C++ compiler; the script compare starts it.
package ollama

import (
	"context"
	"io"
	"log/slog"
	"os"
	"testing"

	"github.com/ollama/ollama/ml"
	_ "github.com/ollama/ollama/ml/backend/ggml"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil)))
	os.Exit(m.Run())
}

// open loads a model into Ollama's ggml back end: on the CPU, one thread.
func open(t testing.TB, path string) ml.Backend {
	t.Helper()
	b, err := ml.NewBackend(path, ml.BackendParams{AllocMemory: true, NumThreads: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	if err := b.Load(context.Background(), nil); err != nil {
		t.Fatal(err)
	}
	return b
}

// compute runs the graph that ends in y and returns its values.
func compute(ctx ml.Context, y ml.Tensor) []float32 {
	ctx.Forward(y).Compute(y)
	return y.Floats()
}
