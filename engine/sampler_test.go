package engine

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"
)

// FuzzSampler draws from any logits with any options: the token is one of the
// vocabulary, one that the options admit if the logits are finite, and the
// same again from the same seed.
func FuzzSampler(f *testing.F) {
	logits := func(v ...float32) (b []byte) {
		for _, x := range v {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
		}
		return b
	}
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	f.Add(logits(1, 2, 3), 0.8, 40, 0.95, 0.05, 1.1, uint64(1), int32(2))
	f.Add(logits(1), 0.0, 0, 0.0, 0.0, 0.0, uint64(0), int32(0))
	f.Add(logits(inf, -inf, nan), 1e-300, 1, 1.0, 1.0, 1e-40, uint64(7), int32(-1))
	f.Add(logits(nan, nan), 1e300, 1<<62, 1e-300, 1e-300, 1e300, uint64(7), int32(math.MaxInt32))
	f.Add(logits(-inf, -inf, -3e38, 3e38), 1.0, 3, 0.5, 0.5, 1e-38, uint64(9), int32(3))
	f.Fuzz(func(t *testing.T, b []byte, temperature float64, topK int, topP, minP, penalty float64, seed uint64, recent int32) {
		x := make([]float32, min(len(b)/4, 1000))
		finite := true
		for i := range x {
			x[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
			finite = finite && x[i]-x[i] == 0
		}
		o := SampleOptions{Temperature: temperature, TopK: topK, TopP: topP, MinP: minP, RepeatPenalty: penalty, RepeatLast: 4, Seed: seed}
		s, err := NewSampler(o)
		if err != nil || len(x) == 0 {
			return
		}
		again, err := NewSampler(o)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			same := slices.Clone(x)
			id := s.Sample(x, []int32{recent, recent, 0})
			if id < 0 || int(id) >= len(x) {
				t.Fatalf("token %d of %d", id, len(x))
			}
			if other := again.Sample(same, []int32{recent, recent, 0}); other != id {
				t.Fatalf("tokens %d and %d from one seed", id, other)
			}
			for _, v := range x {
				finite = finite && v-v == 0 // the penalty may overflow
			}
			if !finite {
				continue
			}
			above := 0
			for _, v := range x {
				if v > x[id] {
					above++
				}
			}
			if temperature == 0 && above > 0 || topK > 0 && above >= topK {
				t.Fatalf("token %d has %d above it, temperature %v, top-k %d", id, above, temperature, topK)
			}
			if gap := float64(x[id]) - float64(slices.Max(x)); minP > 0 && gap < math.Log(minP)-1e-6*(1+math.Abs(float64(slices.Max(x)))) {
				t.Fatalf("token %d is exp(%v) as likely as the first, min-p %v", id, gap, minP)
			}
		}
	})
}
