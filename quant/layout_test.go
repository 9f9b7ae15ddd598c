package quant

import (
	"math"
	"testing"
)

// described are layouts of types that have no kernels yet: that a row can hold
// them is what the test below shows.
var described = map[Type]Layout{
	Q3_K: {Group: 16, D: f16(108), Scales: Ints{Low: Field{96, 4, 8}, High: Field{104, 2, 4}, Zero: 32},
		Quants: Ints{Low: Field{32, 2, 32}, High: Field{0, 1, 32}, Zero: 4}},
	TQ2_0: {Group: 256, D: f16(64), Quants: Ints{Low: Field{0, 2, 32}, Zero: 1}},
	Q2_0:  {Group: 64, D: f16(0), Quants: Ints{Low: Field{2, 2, 1}, Zero: 1}},
}

// Blocks that are unpacked by their layout have the values that Decode gives.
func TestUnpack(t *testing.T) {
	_, refs := references(t)
	seen := 0
	for _, r := range refs {
		l, ok := r.Type.Layout()
		if !ok {
			l, ok = described[r.Type]
		}
		if !ok {
			continue
		}
		seen++
		q, scale, min := make([]int8, r.Block), make([]float32, 16), make([]float32, 16)
		for i, want := range r.decoded {
			if i%r.Block == 0 {
				l.Unpack(q, scale, min, r.encoded[i/r.Block*r.Bytes:][:r.Bytes])
			}
			k := i % r.Block
			s := k / l.Group
			got := float32(float64(scale[s])*float64(q[k]) + float64(min[s]))
			if math.Float32bits(got) != math.Float32bits(want) && !(got == 0 && want == 0) {
				t.Fatalf("%v: value %d is %v, want %v", r.Type, i, got, want)
			}
		}
		if lo, hi := l.Quants.Zero, 1<<(l.Quants.Bits()-1); lo != 0 && lo > hi {
			t.Errorf("%v: zero point %d of quants of %d bits", r.Type, lo, l.Quants.Bits())
		}
	}
	if seen != 15+len(described) {
		t.Errorf("%d types with a layout were seen", seen)
	}
}
