package quant

import (
	"math"
	"testing"
)

// Blocks that are unpacked by their layout have the values that Decode gives.
func TestUnpack(t *testing.T) {
	_, refs := references(t)
	seen := 0
	for _, r := range refs {
		l, ok := r.Type.Layout()
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
		if lo, bits := l.Quants.Zero, l.Quants.Bits(); bits > 0 && lo > 1<<(bits-1) {
			t.Errorf("%v: zero point %d of quants of %d bits", r.Type, lo, l.Quants.Bits())
		}
	}
	if seen != 25 {
		t.Errorf("%d types with a layout were seen", seen)
	}
}
