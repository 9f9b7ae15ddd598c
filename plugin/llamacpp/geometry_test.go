package llamacpp

import (
	"bytes"
	"math"
	"slices"
	"testing"

	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/geometry"
	"github.com/normswap/normswap/internal/testdata"
)

// The geometry of a model in llama.cpp is that of our engine: the same collector
// sees vectors that differ by rounding.
func TestGeometry(t *testing.T) {
	path := testdata.Path(t, "archs/stablelm-12b.gguf") // with norms on queries and keys, head by head
	m := open(t, path, Options{Threads: 1, Context: 8})
	tokens := testdata.Tokens()
	state, err := m.Geometry(t.Context(), "m", "t", tokens, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := state.Result(true)
	if err != nil {
		t.Fatal(err)
	}
	if got.Tokens != uint64(len(tokens)) || len(got.Sites) != 3*len(m.Sites()) {
		t.Fatalf("%d tokens, %d sites", got.Tokens, len(got.Sites))
	}

	var sites []geometry.Site
	index := map[string]int{}
	for i, s := range m.Sites() {
		index[s.Name] = i
		sites = append(sites, geometry.Site{Name: s.Name, Layer: s.Layer, Role: string(s.Role), Center: s.Center,
			Eps: float64(s.Eps), Dim: s.Width, Heads: s.Groups, Gain: s.Gain, Bias: s.Bias})
	}
	c, err := geometry.NewCollector(geometry.Model{Name: "m"}, sites, geometry.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var in []float32
	for seq, window := range m.Windows(tokens) {
		ours(t, path, engine.Native, window, &engine.Tap{Func: func(h engine.Hidden) {
			if h.Stage == engine.In {
				in = slices.Clone(h.Rows)
			} else {
				c.Add(geometry.Batch{Site: index[h.Site.Site], Seq: seq, Pos: h.Pos, Tokens: h.Tokens, In: in, Out: h.Rows})
			}
		}})
	}
	want, err := c.State().Result(true)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range got.Sites {
		w := want.Sites[i]
		if s.Site != w.Site || s.Stage != w.Stage || s.Count != w.Count || math.Abs(float64(s.Angle.Mean-w.Angle.Mean)) > 1e-4 {
			t.Errorf("%s %s: %v degrees over %d vectors, want %v over %d", s.Site, s.Stage, s.Angle.Mean, s.Count, w.Angle.Mean, w.Count)
		}
	}
	if err := geometry.WriteJSON(&bytes.Buffer{}, got); err != nil {
		t.Error(err)
	}
}

// Comparing a model with itself finds nothing, and with its norms swapped finds
// something.
func TestCompare(t *testing.T) {
	m := open(t, testdata.Path(t, "archs/stablelm-2.gguf"), Options{Threads: 1, Context: 8})
	d, err := m.Compare(t.Context(), testdata.Tokens(), &Hook{})
	if err != nil {
		t.Fatal(err)
	}
	if d.KL != 0 || d.SameTop1 != 1 || d.NMSE != 0 || d.Native != d.Swapped || d.Tokens != 14 {
		t.Errorf("%+v", d)
	}
	swap, err := m.Swap("rms-naive")
	if err != nil {
		t.Fatal(err)
	}
	if d, err = m.Compare(t.Context(), testdata.Tokens(), swap); err != nil || !(d.KL > 0) || !(d.KLError > 0) {
		t.Errorf("%+v, %v", d, err)
	}
}
