package asm

import (
	"slices"
	"testing"

	"github.com/normswap/normswap/quant"
)

// What is measured may be any of the kernels that the machine has; who names a tier
// gets its own.
func TestTune(t *testing.T) {
	t.Setenv(EnvISA, "")
	defer Reset()
	names := map[quant.Type][]string{}
	for _, tier := range Tiers() {
		if err := Select(tier); err != nil {
			t.Fatal(err)
		}
		for _, typ := range quant.Types() {
			name := GemvTier(typ)
			Tune(typ)
			if after := GemvTier(typ); after != name {
				t.Errorf("%s, %v: %q became %q", tier, typ, name, after)
			}
			names[typ] = append(names[typ], name)
		}
	}
	if err := Reset(); err != nil {
		t.Fatal(err)
	}
	for _, typ := range quant.Types() {
		Tune(typ)
		name := GemvTier(typ)
		if !slices.Contains(names[typ], name) {
			t.Errorf("%v is multiplied by %s, want one of %s", typ, name, names[typ])
		}
	}
}

// Another model may be loaded while products are under way.
func TestTuneDuringProducts(t *testing.T) {
	t.Setenv(EnvISA, "")
	if err := Reset(); err != nil {
		t.Fatal(err)
	}
	const rows = 16
	stride, _ := quant.Q8_0.RowBytes(8 * Group)
	w, c, a := make([]byte, rows*stride+tuneAhead), NewQ8(8), make([]Q8x8, 1)
	for i := range w {
		w[i] = 1
	}
	x := make([]float32, 8*Group)
	for i := range x {
		x[i] = float32(i)
	}
	Quantize(c, x)
	PackQ8x8(a, c)
	product := func() (dst [rows]float32) {
		Gemv(quant.Q8_0, dst[:], w, stride, 8, a)
		return dst
	}
	want := product()
	done := make(chan struct{})
	go func() {
		defer close(done)
		Tune(quant.Q8_0)
	}()
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		if got := product(); got != want {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
}
