package geometry

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// layered is a stream of vectors at the two norms of each of three layers.
func layered(t testing.TB, center bool, mean float64) (*Collector, map[string][][]float32) {
	t.Helper()
	r := rand.New(rand.NewPCG(21, 22))
	const d, layers, tokens = 32, 3, 50
	var sites []Site
	var all []site
	for l := range layers {
		for _, role := range []string{"ln1", "ln2"} {
			s := randomSite(r, center, d, center)
			s.Name, s.Layer, s.Role = fmt.Sprintf("blk.%d.%s", l, role), l, role
			sites, all = append(sites, s.Site), append(all, s)
		}
	}
	c, err := NewCollector(Model{Name: "m", Norm: kindOf(center), Dim: d, Layers: layers}, sites, Options{Top: 4})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string][][]float32{}
	for k, s := range all {
		b := Batch{Site: k}
		other := s
		other.Center = !center
		for i := range tokens {
			x := randomVector(r, d, mean, float64(1+k))
			out := s.run(x)
			seen[s.Name+".in"], seen[s.Name+".out"] = append(seen[s.Name+".in"], x), append(seen[s.Name+".out"], out)
			b.Tokens = append(b.Tokens, int32(1000+i))
			b.In, b.Out, b.Swapped = append(b.In, x...), append(b.Out, out...), append(b.Swapped, other.run(x)...)
		}
		c.Add(b)
	}
	return c, seen
}

// The paper's tables from their definitions: pooled mean and deviation, and
// the deviation within a layer over sqrt(layers).
func TestTables(t *testing.T) {
	c, seen := layered(t, true, 0.5)
	r, err := c.State().Result(false)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name   string
		got    *Entry
		layer  string
		figure func(in, out []float32) float64
	}{
		{"angle hidden", r.Tables.Angle.Hidden, "ln1", func(in, _ []float32) float64 { _, a, _ := Uniform(in); return a }},
		{"angle post-LN1", r.Tables.Angle.PostLN1, "ln1", func(_, out []float32) float64 { _, a, _ := Uniform(out); return a }},
		{"angle post-LN2", r.Tables.Angle.PostLN2, "ln2", func(_, out []float32) float64 { _, a, _ := Uniform(out); return a }},
		{"norm hidden", r.Tables.Norm.Hidden, "ln1", func(in, _ []float32) float64 { n, _, _ := Uniform(in); return n }},
		{"norm post-LN2", r.Tables.Norm.PostLN2, "ln2", func(_, out []float32) float64 { n, _, _ := Uniform(out); return n }},
		{"rotation LN1", r.Tables.Rotation.LN1, "ln1", Angle[float32]},
		{"rotation LN2", r.Tables.Rotation.LN2, "ln2", Angle[float32]},
	} {
		var all []float64
		within := 0.0
		for l := range 3 {
			var one []float64
			key := fmt.Sprintf("blk.%d.%s", l, row.layer)
			for i, in := range seen[key+".in"] {
				one = append(one, row.figure(in, seen[key+".out"][i]))
			}
			_, sd := meanSD(one)
			within += sd * sd / 3
			all = append(all, one...)
		}
		mean, sd := meanSD(all)
		near(t, row.name+" mean", row.got.Mean, mean, 1e-10)
		near(t, row.name+" sd_tokens", row.got.SDTokens, sd, 1e-10)
		near(t, row.name+" se_layers", row.got.SELayers, math.Sqrt(within/3), 1e-10)
		near(t, row.name+" max", row.got.Max, slices.Max(all), 1e-10)
		if row.got.Layers != 3 {
			t.Errorf("%s: %d layers", row.name, row.got.Layers)
		}
	}
}

// The measured swap error is what identity 1 predicts, to the rounding of
// float32 outputs.
func TestMeasuredSwap(t *testing.T) {
	for _, center := range []bool{true, false} {
		c, _ := layered(t, center, 0.5)
		r, err := c.State().Result(false)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range r.Effects {
			if e.MeasuredSwap == nil || e.MeasuredSwap.Count != 50 {
				t.Fatalf("%s: %+v", e.Site, e.MeasuredSwap)
			}
			near(t, e.Site+" mean", e.MeasuredSwap.Mean, e.Swap.Mean, 0x1p-22)
			near(t, e.Site+" max", e.MeasuredSwap.Max, e.Swap.Max, 0x1p-22)
		}
	}
}

func TestExtremes(t *testing.T) {
	c, seen := layered(t, false, 0)
	r, err := c.State().Result(false)
	if err != nil {
		t.Fatal(err)
	}
	var all []SiteExtreme
	for _, s := range c.State().sites {
		for i, x := range seen[s.Name+".in"] {
			norm, angle, _ := Uniform(x)
			all = append(all, SiteExtreme{s.Name, s.Layer, Extreme{Token: int32(1000 + i), Pos: i, Norm: norm, Angle: angle}, ""})
		}
	}
	for name, list := range map[string]struct {
		got []SiteExtreme
		key func(SiteExtreme) float64
	}{
		"angle": {r.Extremes.Angle, func(e SiteExtreme) float64 { return math.Abs(e.Angle - 90) }},
		"norm":  {r.Extremes.Norm, func(e SiteExtreme) float64 { return e.Norm }},
	} {
		slices.SortFunc(all, func(a, b SiteExtreme) int {
			return int(math.Copysign(1, list.key(b)-list.key(a)))
		})
		if len(list.got) != 4 {
			t.Fatalf("%d extremes by %s, want 4", len(list.got), name)
		}
		for i, got := range list.got {
			want := all[i]
			if got.Site != want.Site || got.Pos != want.Pos || got.Token != want.Token {
				t.Errorf("by %s, number %d is %+v, want %+v", name, i, got, want)
			}
		}
	}
}

// A mean that is held down shows as less than chance.
func TestVerdictBelowChance(t *testing.T) {
	r := rand.New(rand.NewPCG(31, 32))
	s := randomSite(r, true, 64, true)
	c, err := NewCollector(Model{Norm: "layernorm", Dim: 64}, []Site{s.Site}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	x := narrow(standard(true, wide(randomVector(r, 64, 0, 1)), 0))
	for _, want := range []string{"too few for a verdict", "below what chance would give"} {
		c.Add(Batch{Tokens: []int32{1}, In: x, Out: s.run(x)})
		got, err := c.State().Result(false)
		if err != nil || !strings.Contains(got.Verdict, want) {
			t.Errorf("%q, %v", got.Verdict, err)
		}
	}
	x[5] = float32(math.NaN())
	c.Add(Batch{Tokens: []int32{1}, In: x, Out: x})
	got, err := c.State().Result(false)
	if err != nil || !strings.Contains(got.Verdict, "1 vector with NaN or Inf") {
		t.Errorf("%q, %v", got.Verdict, err)
	}
	if err := c.State().Finite(); err == nil || !strings.Contains(err.Error(), "blk.0.attn_norm reads or writes NaN or Inf in 1 vector") {
		t.Error(err)
	}
}

func TestVerdict(t *testing.T) {
	for _, v := range []struct {
		center bool
		mean   float64
		want   string
	}{
		{true, 0, "LayerNorm, and no mean far beyond chance, yet the predictions tell"},
		{true, 9, "LayerNorm, and a large mean is removed by 6 of 6 norms"},
		{false, 0, "RMSNorm, and no mean far beyond chance"},
		{false, 9, "RMSNorm, and a large mean is read by 6 of 6 norms, and stays"},
	} {
		c, _ := layered(t, v.center, v.mean)
		c.State().Swap = []SwapMode{
			{"native", 10, 0, 1, 20},
			{"rms-naive", 10, 0.5, 0.75, 30},
		}
		r, err := c.State().Result(false)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{v.want, "rms-naive 30.0000 (top-1 agreement 75.00 %, KL 0.5 nats per token)"} {
			if !strings.Contains(r.Verdict, want) {
				t.Errorf("%t with mean %g: no %q in %q", v.center, v.mean, want, r.Verdict)
			}
		}
		const against = "That does not agree with means so small: rms-naive changes 25 % of the first choices, and the perplexity by 50 %."
		if strings.Contains(r.Verdict, against) != (v.mean == 0) {
			t.Errorf("%t with mean %g: %q", v.center, v.mean, r.Verdict)
		}
	}
	empty := new(State)
	r, err := empty.Result(true)
	if err != nil || !strings.Contains(r.Verdict, "no verdict") {
		t.Errorf("nothing measured: %q, %v", r.Verdict, err)
	}
}

// The thresholds are the sines they are said to be.
func TestThresholds(t *testing.T) {
	near(t, "large", largeShare, math.Pow(math.Sin(10/degrees), 2), 1e-15)
	near(t, "slight", slightShare, math.Pow(math.Sin(5/degrees), 2), 1e-15)
}

// geometry.json has the keys that its schema promises.
func TestJSONSchema(t *testing.T) {
	c, _ := layered(t, true, 0.1)
	r, err := c.State().Result(true)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := WriteJSON(&b, r); err != nil {
		t.Fatal(err)
	}
	var j struct {
		Schema string
		Model  map[string]any
		Sites  []map[string]any
		Rotations,
		Effects []map[string]any
		Tables       map[string]map[string]map[string]any
		Verdict      string
		WithoutFirst map[string]any `json:"without_position_0"`
	}
	if err := json.Unmarshal(b.Bytes(), &j); err != nil {
		t.Fatal(err)
	}
	if j.Schema != resultSchema || j.Verdict == "" || len(j.Sites) != 18 || len(j.Rotations) != 6 || len(j.WithoutFirst) != 4 {
		t.Errorf("%s, %d sites, %d rotations, %d parts without position 0", j.Schema, len(j.Sites), len(j.Rotations), len(j.WithoutFirst))
	}
	keys(t, j.Model, "name architecture d layers parameters norm eps")
	keys(t, j.Sites[0], "site layer role type eps dim stage count degenerate non_finite norm angle null_sd energy_share beyond angle_histogram")
	keys(t, j.Sites[0]["angle"], "count mean sd min max p1 p50 p99")
	keys(t, j.Sites[0]["norm"], "count mean sd min max p1 p50 p99")
	keys(t, j.Sites[0]["energy_share"], "mean sd max null")
	keys(t, j.Rotations[0], "site layer role in_out in_std std_gain gain_bias")
	keys(t, j.Effects[0], "site layer role sd_reduction output_change_predicted output_change_measured checks")
	keys(t, j.Tables["angle"]["hidden"], "layers mean sd_tokens se_layers max")
	if j.Sites[0]["stage"] != "in" || j.Sites[1]["stage"] != "std" || j.Sites[2]["stage"] != "out" {
		t.Error("the stages are not in order")
	}
	var two bytes.Buffer
	if err := WriteJSON(&two, r, r); err != nil || !strings.HasPrefix(two.String(), "{\n \"models\": [") {
		t.Errorf("two models: %.40s, %v", two.String(), err)
	}
}

func keys(t *testing.T, v any, want string) {
	t.Helper()
	m, _ := v.(map[string]any)
	for _, k := range strings.Fields(want) {
		if _, ok := m[k]; !ok {
			t.Errorf("no %q among %d keys", k, len(m))
		}
	}
	if n := len(strings.Fields(want)); len(m) != n {
		t.Errorf("%d keys, want %d: %v", len(m), n, m)
	}
}

func TestMergeSwaps(t *testing.T) {
	// logScale-likelihoods of parts of 3 and 5 tokens; the whole is their sum.
	a := []SwapMode{{"native", 3, 0, 1, math.Exp(6.0 / 3)}, {"rms-naive", 3, 0.1, 2.0 / 3, math.Exp(7.0 / 3)}}
	b := []SwapMode{{"native", 5, 0, 1, math.Exp(8.0 / 5)}, {"rms-naive", 5, 0.2, 4.0 / 5, math.Exp(9.0 / 5)}}
	got, err := MergeSwaps(a, b)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "perplexity", got[1].Perplexity, math.Exp(16.0/8), 1e-12)
	near(t, "KL", got[1].KL, (0.3+1)/8, 1e-15)
	near(t, "top-1", got[1].Top1, 6.0/8, 1e-15)
	none := []SwapMode{{Mode: "native"}, {Mode: "rms-naive"}}
	if same, err := MergeSwaps(a, none); err != nil || !slices.EqualFunc(same, a, func(x, y SwapMode) bool {
		return x.Mode == y.Mode && x.Tokens == y.Tokens && math.Abs(x.Perplexity-y.Perplexity) < 1e-12 && x.KL == y.KL
	}) {
		t.Errorf("with a part of no tokens: %+v, %v", same, err)
	}
	if _, err := MergeSwaps(a, b[:1]); err == nil {
		t.Error("merged two modes with one")
	}
	if _, err := MergeSwaps(a, []SwapMode{b[1], b[0]}); err == nil {
		t.Error("merged different modes")
	}
}
