package ops

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestVisible holds what queries see against the definition of the windows.
func TestVisible(t *testing.T) {
	const length = 12
	for _, window := range []int{0, 1, 2, 7, 8, 40} {
		for _, both := range []bool{false, true} {
			a := Attention{Window: window, Bidirectional: both}
			for i := range length {
				first, end := a.visible(i, length)
				for j := range length {
					want := both || j <= i
					if window > 0 && both {
						want = want && max(i-j, j-i) <= window/2
					} else if window > 0 {
						want = want && i-j < window
					}
					if got := j >= first && j < end; got != want {
						t.Errorf("window %d, bidirectional %v: query %d sees %d: %v, want %v", window, both, i, j, got, want)
					}
				}
			}
		}
	}
}

// TestSelfAttention holds packed sequences, causal and bidirectional, against
// the definition, and each against itself alone.
func TestSelfAttention(t *testing.T) {
	pools := []*Pool{NewPool(1), NewPool(5)}
	for _, p := range pools {
		defer p.Close()
	}
	cases := slices.Clone(attentionCases)
	for _, test := range attentionCases {
		test.Bidirectional = true
		cases = append(cases, test)
	}
	for _, test := range cases {
		a := &test.Attention
		t.Run(fmt.Sprintf("%dx%d/%d bidirectional %v", a.Heads, a.HeadDim, a.KVHeads, a.Bidirectional), func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			lengths := []int{3, test.context, 1, 17}
			if testing.Short() {
				lengths[1] = min(test.context, 290)
			}
			n := 0
			for _, l := range lengths {
				n += l
			}
			wide, narrow := a.Heads*a.HeadDim, a.KVHeads*a.HeadDim
			q, k, v := randoms(r, n*wide), randoms(r, n*narrow), randoms(r, n*narrow)
			var all []float32
			for _, p := range pools {
				got := slices.Clone(q)
				p.SelfAttention(got, got, k, v, a, lengths)
				if all == nil {
					all = got
				} else if !slices.Equal(all, got) {
					t.Fatalf("%d threads give another result than 1", p.Threads())
				}
			}
			first := 0
			for _, l := range lengths {
				q, k, v := q[first*wide:][:l*wide], k[first*narrow:][:l*narrow], v[first*narrow:][:l*narrow]
				got := all[first*wide:][:l*wide]
				first += l
				alone := make([]float32, len(q))
				pools[1].SelfAttention(alone, q, k, v, a, []int{l})
				if !slices.Equal(got, alone) {
					t.Errorf("a sequence of %d has another result beside others than alone", l)
				}
				want, scale := a.reference(q, k, v, 0, l)
				for i, w := range want {
					unit := 0x1p-24 * float64(a.HeadDim+l)
					if d := math.Abs(float64(got[i]) - w); !(d <= 8*unit*scale[i]) {
						t.Fatalf("sequence of %d, element %d: got %v want %v", l, i, got[i], w)
					}
				}
				if a.Bidirectional {
					continue
				}
				c := NewKV(a.KVHeads, a.HeadDim, l, false)
				c.Store(0, k, v)
				pools[0].Attention(alone, q, c, a, 0, l)
				if !slices.Equal(got, alone) {
					t.Errorf("a sequence of %d has another result than over a cache", l)
				}
			}
		})
	}
}

func BenchmarkSelfAttention(b *testing.B) {
	p := NewPool(1)
	defer p.Close()
	a := &Attention{Heads: 12, KVHeads: 12, HeadDim: 32, Scale: 0.2, Bidirectional: true}
	for _, lengths := range [][]int{{46}, {46, 46, 46, 46, 46}, {512}} {
		n := 0
		for _, l := range lengths {
			n += l
		}
		q := randoms(rand.New(rand.NewPCG(1, 2)), n*a.Heads*a.HeadDim)
		b.Run(fmt.Sprint(lengths), func(b *testing.B) {
			dst := make([]float32, len(q))
			for b.Loop() {
				p.SelfAttention(dst, q, q, q, a, lengths)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/row")
		})
	}
}
