package ops

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/normswap/normswap/quant"
)

// sleeper sleeps in each item, and so is busy or waiting to the millisecond.
type sleeper struct{ each time.Duration }

func (t sleeper) Do(_, lo, hi int) { time.Sleep(time.Duration(hi-lo) * t.each) }

func TestObserveWait(t *testing.T) {
	p := NewPool(2)
	defer p.Close()
	var spans []Span
	p.Observe(func(s Span) { spans = append(spans, s) })
	p.Run(sleeper{20 * time.Millisecond}, 1, 1) // the other thread waits: half the time on average
	p.Run(sleeper{20 * time.Millisecond}, 2, 1) // both work
	p.Observe(nil)
	p.Run(sleeper{0}, 2, 1)
	if len(spans) != 2 {
		t.Fatalf("%d spans, want 2", len(spans))
	}
	if s := spans[0]; s.Time < 20*time.Millisecond || s.Wait < 10*time.Millisecond || s.Wait > s.Time {
		t.Errorf("one item on two threads: %+v", s)
	}
	// one may have slept twice before the other woke, never more
	if s := spans[1]; s.Time < 20*time.Millisecond || s.Wait > s.Time-20*time.Millisecond+5*time.Millisecond {
		t.Errorf("two items on two threads: %+v", s)
	}
}

func TestObserveDescribes(t *testing.T) {
	p := NewPool(2)
	defer p.Close()
	r := rand.New(rand.NewPCG(1, 2))
	w := randomMatrix(t, quant.Q8_0, 32, 256, r)
	kv := NewKV(2, 16, 10, true)
	gain := randoms(r, 256)
	x, y := randoms(r, 3*256), randoms(r, 3*256)
	table := make([]float32, 3*16)
	rope := NewRoPE(RoPEConfig{Dims: 8, Base: 10000, Scale: 1})

	var spans []Span
	p.Observe(func(s Span) { spans = append(spans, s) })
	in := new(Input)
	p.Prepare(in, x, 256, Quantized)
	p.MatMul(in, Product{Dst: make([]float32, 3*32), W: w}, Product{Dst: make([]float32, 3*32), W: w})
	p.Norm(y, x, 256, &Norm{Gain: gain, Center: true})
	p.Norm(y, x, 256, &Norm{})
	p.Add(x, y, 256)
	p.Activate(SiLU, x, x)
	p.Gate(GELU, x, x, y)
	p.RoPE(rope, x[:3*32], 2, 16, table)
	p.Store(kv, 0, x[:3*32], y[:3*32])
	p.Attention(make([]float32, 3*64), x[:3*64], kv, &Attention{Heads: 4, KVHeads: 2, HeadDim: 16, Scale: 1}, 0, 3)
	ColumnMeans(p, make([]float32, 256), w)

	want := []struct {
		op           string
		bytes, flops int
	}{
		{"quantize activations 256", 4 * 3 * 256, 0},
		{"matmul Q8_0 256>32+32", 2*32*256/32*34 + 2*4*3*32 + 4*3*256, 2 * 2 * 3 * 32 * 256},
		{"LayerNorm 256", 4 * 2 * 3 * 256, 0},
		{"RMSNorm 256", 4 * 2 * 3 * 256, 0},
		{"add 256", 4 * 3 * 3 * 256, 0},
		{"silu", 4 * 2 * 3 * 256, 0},
		{"gelu and gate", 4 * 3 * 3 * 256, 0},
		{"RoPE", 4 * (2*3*32 + 3*16), 0},
		{"store keys and values", 4 * 2 * 3 * 32, 0},
		{"attention", 2*2*3*2*16 + 2*4*3*64, 4 * 6 * 4 * 16},
		{"column means Q8_0", 32 * 256 / 32 * 34, 0},
	}
	if len(spans) != len(want) {
		t.Fatalf("%d spans, want %d: %v", len(spans), len(want), spans)
	}
	for i, w := range want {
		if s := spans[i]; s.Op != w.op || s.Bytes != w.bytes || s.Flops != w.flops || s.Time <= 0 || s.Wait < 0 || s.Wait > s.Time {
			t.Errorf("span %d: %+v, want %+v", i, s, w)
		}
	}
}
