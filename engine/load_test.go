package engine

import (
	"context"
	"errors"
	"testing"

	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/internal/testdata"
)

// A load that is given up while it folds says so, and leaves the file as it
// was: it can be loaded afterwards.
func TestLoadCancelled(t *testing.T) {
	f, err := gguf.Open(testdata.Path(t, "archs/gpt2.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, o := range []Options{{Norm: RMSFolded}, {FoldGain: true}} {
		ctx, cancel := context.WithCancel(t.Context())
		if o.Norm == RMSFolded {
			o.Progress = func(_, _ int64) { cancel() } // after the first matrix
		} else {
			cancel()
		}
		if m, err := Load(ctx, f, o); !errors.Is(err, context.Canceled) || m != nil {
			t.Errorf("%+v: %v, %v", o.Norm, m, err)
		}
		cancel()
	}
	m, err := Load(t.Context(), f, Options{Norm: RMSFolded})
	if err != nil {
		t.Fatal(err)
	}
	m.pool.Close()
}
