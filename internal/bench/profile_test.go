package bench

import (
	"context"
	"testing"
	"time"

	"github.com/normswap/normswap/ops"
	"github.com/normswap/normswap/quant"
)

func TestProfile(t *testing.T) {
	p := Profile{Elapsed: 10 * time.Millisecond}
	p.Add(ops.Span{Op: "b", Time: 1 * time.Millisecond, Bytes: 5})
	p.Add(ops.Span{Op: "a", Time: 4 * time.Millisecond, Wait: 2 * time.Millisecond, Flops: 7})
	p.Add(ops.Span{Op: "b", Time: 2 * time.Millisecond, Bytes: 6})
	got := p.Operations()
	want := []Operation{
		{ops.Span{Op: "a", Time: 4 * time.Millisecond, Wait: 2 * time.Millisecond, Flops: 7}, 1},
		{ops.Span{Op: "b", Time: 3 * time.Millisecond, Bytes: 11}, 2},
		{ops.Span{Op: "between the operations", Time: 3 * time.Millisecond}, 0},
	}
	if len(got) != len(want) {
		t.Fatalf("%v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%d: %v, want %v", i, got[i], want[i])
		}
	}
}

// A profile of a whole model has its norms on their own lines, as many as
// there are in the graph, and accounts for the time.
func TestProfileOfModel(t *testing.T) {
	m := tinyModel(t) // GPT-2: two blocks of two norms, and the final one
	r, err := NewRunner(context.Background(), m, Test{Prompt: 20}, quant.F16)
	if err != nil {
		t.Fatal(err)
	}
	p, err := r.Profile(context.Background(), 3)
	if err != nil {
		t.Fatal(err)
	}
	norms, sum := 0, time.Duration(0)
	for _, o := range p.Operations() {
		if o.Op == "LayerNorm 32" || o.Op == "LayerNorm 32, prepare" {
			norms += o.Calls
		}
		sum += o.Time
	}
	if norms != 3*5 {
		t.Errorf("%d norms in three runs, want 15: %v", norms, p.Operations())
	}
	if p.Runs != 3 || sum != p.Elapsed {
		t.Errorf("%d runs, %v of %v", p.Runs, sum, p.Elapsed)
	}
}
