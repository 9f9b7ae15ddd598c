package ops

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

// reference is attention by its definition, in float64, over all queries.
func (a *Attention) reference(q, k, v []float32, pos, n int) (dst, scale []float64) {
	dst, scale = make([]float64, len(q)), make([]float64, len(q))
	group := a.Heads / a.KVHeads
	for t := range n {
		for h := range a.Heads {
			qr := q[(t*a.Heads+h)*a.HeadDim:][:a.HeadDim]
			var w []float64
			var sum float64
			from, end := a.visible(pos+t, pos+n)
			for p := from; p < end; p++ {
				kr := k[(p*a.KVHeads+h/group)*a.HeadDim:][:a.HeadDim]
				var s float64
				for i := range qr {
					s += float64(qr[i]) * float64(kr[i])
				}
				s *= float64(a.Scale)
				if a.Softcap != 0 {
					s = float64(a.Softcap) * math.Tanh(s/float64(a.Softcap))
				}
				if a.Slopes != nil {
					s -= float64(a.Slopes[h]) * math.Abs(float64(p-pos-t))
				}
				if n := len(a.Distances) / a.Heads; n > 0 {
					s += float64(a.Distances[h*n:][min(max(p-pos-t+n/2, 0), n-1)])
				}
				w = append(w, s)
			}
			top := slices.Max(w)
			if a.Sinks != nil {
				sum = math.Exp(float64(a.Sinks[h]) - top)
			}
			for i := range w {
				w[i] = math.Exp(w[i] - top)
				sum += w[i]
			}
			for i := range a.HeadDim {
				at := (t*a.Heads+h)*a.HeadDim + i
				for j := range w {
					x := w[j] / sum * float64(v[((from+j)*a.KVHeads+h/group)*a.HeadDim+i])
					dst[at] += x
					scale[at] += math.Abs(x)
				}
			}
		}
	}
	return dst, scale
}

func randoms(r *rand.Rand, n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

var attentionCases = []struct {
	Attention
	context int
}{
	{Attention{Heads: 1, KVHeads: 1, HeadDim: 1, Scale: 1}, 3},
	{Attention{Heads: 4, KVHeads: 4, HeadDim: 8, Scale: 0.35}, 20},
	{Attention{Heads: 12, KVHeads: 2, HeadDim: 16, Scale: 0.25}, 70},
	{Attention{Heads: 2, KVHeads: 2, HeadDim: 32, Scale: 0.2, Distances: []float32{-1, 0.5, 2, 0.25, -3, 1, 0, 0, 0.125, 4, -0.5, -2, 0.75, 3}}, 290},
	{Attention{Heads: 3, KVHeads: 1, HeadDim: 80, Scale: 0.11, Slopes: ALiBiSlopes(3, 8)}, 300},
	{Attention{Heads: 4, KVHeads: 2, HeadDim: 32, Scale: 0.2, Sinks: []float32{0.5, -3, 40, -200}}, 300},
	{Attention{Heads: 4, KVHeads: 1, HeadDim: 64, Scale: 0.125}, 600},
	{Attention{Heads: 2, KVHeads: 2, HeadDim: 20, Scale: 0.2, Window: 5}, 40},
	{Attention{Heads: 2, KVHeads: 1, HeadDim: 32, Scale: 0.2, Window: 270}, 560},
	{Attention{Heads: 2, KVHeads: 2, HeadDim: 128, Scale: 0.3, Softcap: 2}, 280},
}

func TestAttention(t *testing.T) {
	pools := []*Pool{NewPool(1), NewPool(5)}
	for _, test := range attentionCases {
		a := &test.Attention
		t.Run(fmt.Sprintf("%dx%d/%d", a.Heads, a.HeadDim, a.KVHeads), func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			n := test.context
			if testing.Short() {
				n = min(n, 290)
			}
			q := randoms(r, n*a.Heads*a.HeadDim)
			k, v := randoms(r, n*a.KVHeads*a.HeadDim), randoms(r, n*a.KVHeads*a.HeadDim)
			want, scale := a.reference(q, k, v, 0, n)
			for _, f16 := range []bool{false, true} {
				c := NewKV(a.KVHeads, a.HeadDim, n, f16)
				var first []float32
				for _, p := range pools {
					got := make([]float32, len(q))
					p.Store(c, 0, k, v)
					p.Attention(got, q, c, a, 0, n)
					if first == nil {
						first = got
						for i, w := range want {
							// scores are off by HeadDim roundings of their
							// size, and F16 rounds both operands
							unit := 0x1p-24 * float64(a.HeadDim+n)
							if f16 {
								unit = 0x1p-11 * math.Sqrt(float64(a.HeadDim))
							}
							if d := math.Abs(float64(got[i]) - w); !(d <= 8*unit*scale[i]) {
								t.Fatalf("f16=%v element %d: got %v want %v", f16, i, got[i], w)
							}
						}
					}
					if !slices.Equal(first, got) {
						t.Fatalf("f16=%v: %d threads give another result than 1", f16, p.Threads())
					}
					// one token at a time, and in two batches
					one := make([]float32, len(q))
					width := a.Heads * a.HeadDim
					for i := 0; i < n; i++ {
						p.Attention(one[i*width:(i+1)*width], q[i*width:(i+1)*width], c, a, i, 1)
					}
					if !slices.Equal(first, one) {
						t.Fatalf("f16=%v: token by token gives another result than one batch", f16)
					}
					cut := n / 3
					p.Attention(one[:cut*width], q[:cut*width], c, a, 0, cut)
					p.Attention(one[cut*width:], q[cut*width:], c, a, cut, n-cut)
					if !slices.Equal(first, one) {
						t.Fatalf("f16=%v: two batches give another result than one", f16)
					}
				}
			}
		})
	}
	for _, p := range pools {
		p.Close()
	}
}

// TestKVRows: what was stored comes back, in half precision as such.
func TestKVRows(t *testing.T) {
	const heads, dim, n = 3, 20, kvBlock + 40
	r := rand.New(rand.NewPCG(1, 1))
	k, v := randomFloats(n*heads*dim, r), randomFloats(n*heads*dim, r)
	for _, f16 := range []bool{false, true} {
		c := NewKV(heads, dim, 2*kvBlock, f16)
		c.Store(0, k, v)
		gotK, gotV := make([]float32, len(k)), make([]float32, len(v))
		c.Rows(0, gotK, gotV)
		again := NewKV(heads, dim, 2*kvBlock, f16)
		again.Store(0, gotK, gotV)
		if !reflect.DeepEqual(c, again) {
			t.Errorf("half precision %v: the cache of its rows is another", f16)
		}
		if !f16 && (!slices.Equal(gotK, k) || !slices.Equal(gotV, v)) {
			t.Error("rows are not those that were stored")
		}
	}
}
