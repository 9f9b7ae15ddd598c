package engine

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"testing"
)

// TestSamplerLimits: values that other tools know, and logits that leave little
// or no choice.
func TestSamplerLimits(t *testing.T) {
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	many := make([]float32, 1000) // all suppressed but two, one of them unlikely
	for i := range many {
		many[i] = -inf
	}
	many[700], many[400] = 3, -95
	for _, c := range []struct {
		name   string
		logits []float32
		want   int32
		err    string
	}{
		{"none", nil, 0, "there are no logits"},
		{"all suppressed", []float32{-inf, -inf}, 0, "all 2 logits are -Inf"},
		{"NaN", []float32{1, 2, nan, 4}, 0, "logit 2 is NaN"},
		{"NaN alone", []float32{nan}, 0, "logit 0 is NaN"},
		{"NaN among suppressed ones", []float32{-inf, nan}, 0, "logit 1 is NaN"},
		{"one", []float32{-1e30}, 0, ""},
		{"the first is suppressed", []float32{-inf, -7}, 1, ""},
		{"most are suppressed", many, 700, ""},
		{"infinite", []float32{1, inf, 2, inf}, 1, ""},
	} {
		for _, o := range []SampleOptions{{}, {Temperature: 0.8}, {Temperature: 1, TopK: 40, TopP: 0.95, MinP: 0.05}, {Temperature: 1, TopK: 1},
			{Temperature: 1, TopP: 1}, {Temperature: 1, TopP: math.SmallestNonzeroFloat64}, {Temperature: 1, MinP: 1}, {Temperature: 1, RepeatPenalty: 1.1}} {
			s, err := NewSampler(o)
			if err != nil {
				t.Fatal(err)
			}
			for range 100 {
				id, err := s.Sample(slices.Clone(c.logits), []int32{2, 99999, -1})
				if c.err == "" && (err != nil || id != c.want) || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
					t.Fatalf("%s, %+v: token %d, %v; want %d, %q", c.name, o, id, err, c.want, c.err)
				}
			}
		}
	}
	for _, p := range []float64{-1, 1e-40, 1e39, math.Inf(1), math.NaN(), math.SmallestNonzeroFloat64} {
		if _, err := NewSampler(SampleOptions{RepeatPenalty: p}); err == nil || !strings.Contains(err.Error(), "the repeat penalty is") {
			t.Errorf("a repeat penalty of %v: %v", p, err)
		}
	}
}

// FuzzSampler draws from any logits with any options: the token is one of the
// vocabulary with a probability, one that the options admit if the logits are
// finite, and the same again from the same seed. There is an error only where no
// token has a probability.
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
		if err != nil {
			return
		}
		again, err := NewSampler(o)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			same := slices.Clone(x)
			id, err := s.Sample(x, []int32{recent, recent, 0})
			if other, err2 := again.Sample(same, []int32{recent, recent, 0}); other != id || (err == nil) != (err2 == nil) {
				t.Fatalf("tokens %d and %d from one seed, %v and %v", id, other, err, err2)
			}
			none := !slices.ContainsFunc(x, func(v float32) bool { return v > float32(math.Inf(-1)) })
			if none = none || slices.ContainsFunc(x, func(v float32) bool { return v != v }); none != (err != nil) {
				t.Fatalf("%v from %v", err, x)
			}
			if err != nil {
				return
			}
			if id < 0 || int(id) >= len(x) || math.IsInf(float64(x[id]), -1) {
				t.Fatalf("token %d of %d", id, len(x))
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
