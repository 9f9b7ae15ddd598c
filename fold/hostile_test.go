package fold_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/fold"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/internal/testdata"
	"github.com/normswap/normswap/internal/toy"
	"github.com/normswap/normswap/internal/toytest"
	"github.com/normswap/normswap/quant"
)

// FuzzFold takes any bytes through load, plan and write. What is written must
// load again.
func FuzzFold(f *testing.F) {
	for i, s := range arch.All() {
		shape := toy.Tiny(s.Name, func(tensor string) bool { return strings.Contains(tensor, "qkv") == (i%2 == 0) })
		shape.Vocab, shape.Context, shape.FFN = 16, 8, 32
		if s.Depths == nil {
			shape.Layers = 1
		}
		b := toytest.Bytes(f, shape, []string{"F16", "Q8_0", "F32"}[i%3], 1)
		f.Add(b, uint8(i))
		f.Add(b, uint8(37*i))
	}
	f.Fuzz(func(t *testing.T, b []byte, options uint8) {
		file, err := gguf.Parse(b)
		if err != nil {
			return
		}
		m, err := arch.Load(file)
		if err != nil {
			return
		}
		if plan, err := fold.New(m); err == nil && plan.String() == "" {
			t.Fatal("a plan without words")
		}
		o := fold.WriteOptions{Gain: options&1 != 0}
		if options&2 != 0 {
			o.Strategy = fold.Requant
		}
		if options&4 != 0 {
			o.Export = "auto"
		}
		if options&8 != 0 {
			typ := []quant.Type{quant.F32, quant.F16, quant.Q8_0, quant.Q4_K}[options>>4&3]
			o.Type = &typ
		}
		out, err := fold.Prepare(t.Context(), file, m, o)
		var written bytes.Buffer
		if err == nil {
			err = out.Write(t.Context(), &written)
		}
		if err != nil {
			if len(err.Error()) > 1000 || strings.ContainsAny(err.Error(), "\n\x00\x1b") {
				t.Fatalf("the error is not one short line: %.2000q", err)
			}
			return
		}
		again, err := gguf.Parse(written.Bytes())
		if err == nil {
			_, err = arch.Load(again)
		}
		if err != nil {
			t.Fatalf("what was written does not load: %v", err)
		}
	})
}

// TestCancelled: a fold can be given up at every moment that it tells of, and
// does no more than the chunks that were begun.
func TestCancelled(t *testing.T) {
	source := toytest.Parse(t, testdata.Read(t, "quantized/gpt2-256-Q4_K_M.gguf"))
	m, err := arch.Load(source)
	if err != nil {
		t.Fatal(err)
	}
	steps := 0
	run := func(at int) error {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		steps = 0
		out, err := fold.Prepare(ctx, source, m, fold.WriteOptions{Progress: func(_, _ int64) {
			if steps++; steps == at {
				cancel()
			}
		}})
		if err != nil {
			return err
		}
		return out.Write(ctx, io.Discard)
	}
	if err := run(0); err != nil {
		t.Fatal(err)
	}
	all := steps
	for at := 1; at <= all; at++ {
		if err := run(at); !errors.Is(err, context.Canceled) || steps >= at+runtime.GOMAXPROCS(0) {
			t.Errorf("cancelled at step %d of %d: %v, after step %d", at, all, err, steps)
		}
	}
	if all < 10 {
		t.Errorf("%d steps in all", all)
	}
}
