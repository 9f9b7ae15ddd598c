package ops

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestCachedAttention: rows of many timelines give what each gives alone, and leave
// the same in the caches, to the last bit.
func TestCachedAttention(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, a := range []*Attention{
		{Heads: 6, KVHeads: 2, HeadDim: 24, Scale: 0.2},
		{Heads: 4, KVHeads: 1, HeadDim: 16, Scale: 0.25, Window: 40, Sinks: []float32{1, 2, 3, 4}},
		{Heads: 3, KVHeads: 3, HeadDim: 8, Scale: 0.3, Slopes: []float32{0.5, 0.25, 0.125}},
	} {
		qd, kd := a.Heads*a.HeadDim, a.KVHeads*a.HeadDim
		for _, f16 := range []bool{false, true} {
			for _, threads := range []int{1, 3} {
				p := NewPool(threads)
				for _, counts := range [][]int{{1, 1, 1, 1, 1}, {1, 7, 1, 300, 1}, {1}, {2, 3}, {1, 1}} {
					var mine, alone []Timeline
					rows := 0
					for i, n := range counts {
						pos := 130 * i
						c := NewKV(a.KVHeads, a.HeadDim, 1000, f16)
						if pos > 0 {
							c.Store(0, randomFloats(pos*kd, r), randomFloats(pos*kd, r))
						}
						mine, alone = append(mine, Timeline{c.Fork(), pos, n}), append(alone, Timeline{c.Fork(), pos, n})
						rows += n
					}
					q, k, v := randomFloats(rows*qd, r), randomFloats(rows*kd, r), randomFloats(rows*kd, r)
					want, first := make([]float32, len(q)), 0
					for _, s := range alone {
						end := first + s.N
						p.Store(s.KV, s.Pos, k[first*kd:end*kd], v[first*kd:end*kd])
						p.Attention(want[first*qd:end*qd], q[first*qd:end*qd], s.KV, a, s.Pos, s.N)
						first = end
					}
					name := fmt.Sprintf("%d heads, half precision %v, %d threads, rows %v", a.Heads, f16, threads, counts)
					for i, s := range mine {
						gotK, gotV, wantK, wantV := make([]float32, s.N*kd), make([]float32, s.N*kd), make([]float32, s.N*kd), make([]float32, s.N*kd)
						if i == 0 {
							p.CachedAttention(q, q, k, v, a, mine) // in place, as the engine has it
						}
						s.KV.Rows(s.Pos, gotK, gotV)
						alone[i].KV.Rows(s.Pos, wantK, wantV)
						if !slices.Equal(gotK, wantK) || !slices.Equal(gotV, wantV) {
							t.Errorf("%s: the cache of timeline %d differs", name, i)
						}
					}
					if !slices.Equal(q, want) {
						t.Errorf("%s: another result", name)
					}
				}
				p.Close()
			}
		}
	}
}
