package report

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/normswap/normswap/geometry"
)

// synthetic measures a made-up model whose residual stream grows with depth,
// has one giant vector at position 0, and carries a mean of the given size.
func synthetic(t testing.TB, name string, center bool, layers, windows int, mean float64, edit ...func(*geometry.State)) *geometry.Result {
	t.Helper()
	const d, window = 256, 32
	r := rand.New(rand.NewPCG(11, uint64(layers)))
	m := geometry.Model{Name: name, Architecture: "synthetic", Dim: d, Layers: layers, Parameters: 5_500_000, Norm: normName(center), Eps: 1e-5}
	var sites []geometry.Site
	var causes geometry.Causes
	weights := func(mean, spread float64) []float32 {
		w := make([]float32, d)
		for i := range w {
			w[i] = float32(mean + spread*r.NormFloat64())
		}
		return w
	}
	site := func(name string, layer int, role string) {
		s := geometry.Site{Name: name, Layer: layer, Role: role, Center: center, Eps: m.Eps, Dim: d}
		s.Gain = weights(0.6+0.05*float64(max(layer, 0)), 0.15+0.02*float64(max(layer, 0)))
		if center {
			s.Bias = weights(0, 0.08)
		}
		sites = append(sites, s)
		causes.Norms = append(causes.Norms, geometry.VectorStats(name, s.Gain, s.Bias))
	}
	for l := range layers {
		site(fmt.Sprintf("blk.%d.attn_norm", l), l, ln1)
		site(fmt.Sprintf("blk.%d.ffn_norm", l), l, ln2)
		var c geometry.ColumnMeans
		for range d {
			c.Add(weights(0.001, 0.05))
		}
		causes.Writers = append(causes.Writers, c.Cause(fmt.Sprintf("blk.%d.attn_output", l), l, nil))
	}
	site("output_norm", -1, "final")
	var rows geometry.RowStats
	for range 50 {
		rows.Add(weights(0.01, 0.5))
	}
	e := rows.Cause("token_embd")
	causes.Embedding = &e

	c, err := geometry.NewCollector(m, sites, geometry.Options{CheckEvery: 8})
	if err != nil {
		t.Fatal(err)
	}
	for w := range windows {
		in := make([]float32, window*d)
		for i := range in {
			in[i] = float32(mean + 0.5*r.NormFloat64())
		}
		tokens := make([]int32, window)
		for i := range tokens {
			tokens[i] = int32(r.IntN(4096))
		}
		for k, s := range sites {
			for i := range in {
				grow := 0.25 * (1 + 0.3*float64(k))
				in[i] += float32(grow * (mean + r.NormFloat64()))
			}
			if k == 4 {
				in[3] += 400 // a giant at position 0
				in[7] -= 200
			}
			other := s
			other.Center = !center
			c.Add(geometry.Batch{Site: k, Seq: w, Tokens: tokens, In: in, Out: normalize(s, in), Swapped: normalize(other, in)})
		}
	}
	c.State().Text, c.State().Causes = "made-up vectors", &causes
	for _, e := range edit {
		e(c.State())
	}
	res, err := c.State().Result(true)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func normName(center bool) string {
	if center {
		return "layernorm"
	}
	return "rmsnorm"
}

func normalize(s geometry.Site, in []float32) []float32 {
	out := make([]float32, len(in))
	for i := 0; i < len(in); i += s.Dim {
		x := in[i : i+s.Dim]
		mu, ms := 0.0, 0.0
		if s.Center {
			for _, v := range x {
				mu += float64(v) / float64(s.Dim)
			}
		}
		for _, v := range x {
			ms += (float64(v) - mu) * (float64(v) - mu) / float64(s.Dim)
		}
		for j, v := range x {
			y := (float64(v) - mu) / math.Sqrt(ms+s.Eps) * float64(s.Gain[j])
			if s.Bias != nil {
				y += float64(s.Bias[j])
			}
			out[i+j] = float32(y)
		}
	}
	return out
}

// trained is a pair of training runs, at the steps of the twins' checkpoints.
func trained(t testing.TB) []*geometry.Result {
	t.Helper()
	var out []*geometry.Result
	for _, center := range []bool{true, false} {
		typ, tilt := normName(center), -0.5
		if center {
			tilt = 1
		}
		for i, step := range []int{0, 100, 300, 1000, 3000, 4679} {
			r := synthetic(t, fmt.Sprintf("tales-%s-%d", typ, step), center, 4, 6, 0.02*float64(i)*tilt,
				func(s *geometry.State) { s.Run, s.Step = typ, &step })
			out = append(out, r)
		}
	}
	return out
}
