package geometry

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"
)

// stream is a text of random hidden vectors at three sites: a LayerNorm with
// bias, an RMSNorm, and a norm on two heads with gains of their own.
type stream struct {
	sites []site
	in    [][]float32 // by site, all tokens
	out   [][]float32
	ids   []int32
}

const window = 16

func newStream(seed uint64, tokens int) *stream {
	r := rand.New(rand.NewPCG(seed, 0))
	ln, rms, qk := randomSite(r, true, 24, true), randomSite(r, false, 40, false), randomSite(r, false, 16, false)
	rms.Name, rms.Role = "blk.0.ffn_norm", "ln2"
	qk.Name, qk.Role, qk.Heads, qk.Dim = "blk.0.attn_q_norm", "qk", 2, 8
	s := &stream{sites: []site{ln, rms, qk}, in: make([][]float32, 3), out: make([][]float32, 3)}
	for i := range tokens {
		s.ids = append(s.ids, int32(r.IntN(1000)))
		spread := 1 + r.ExpFloat64()
		if i%window == 0 {
			spread *= 100
		}
		for k, site := range s.sites {
			for h := range max(site.Heads, 1) {
				x := randomVector(r, site.Dim, 0.3*r.NormFloat64(), spread)
				head := site
				head.gain, head.bias = site.gain[h*site.Dim:][:site.Dim], site.bias[h*site.Dim:][:site.Dim]
				s.in[k] = append(s.in[k], x...)
				s.out[k] = append(s.out[k], head.run(x)...)
			}
		}
	}
	return s
}

func (s *stream) collector(t testing.TB, opt Options) *Collector {
	t.Helper()
	var sites []Site
	for _, x := range s.sites {
		sites = append(sites, x.Site)
	}
	c, err := NewCollector(Model{Name: "random", Norm: "layernorm", Dim: 24, Layers: 1}, sites, opt)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// feed gives windows lo to hi to c, in batches of n tokens.
func (s *stream) feed(c *Collector, lo, hi, n int) {
	for w := lo; w < hi; w++ {
		for pos := 0; pos < window; pos += n {
			from, to := w*window+pos, min(w*window+pos+n, (w+1)*window)
			for k, site := range s.sites {
				row := site.Dim * max(site.Heads, 1)
				c.Add(Batch{
					Site: k, Seq: w, Pos: pos, Tokens: s.ids[from:to],
					In: s.in[k][from*row : to*row], Out: s.out[k][from*row : to*row],
				})
			}
		}
	}
}

// Figures do not depend on the number of goroutines.
func TestParallelIsExact(t *testing.T) {
	s := newStream(1, 20*window)
	one := s.collector(t, Options{CheckEvery: 4})
	s.feed(one, 0, 20, window)
	many := s.collector(t, Options{CheckEvery: 4, For: func(n int, body func(lo, hi int)) {
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() { body(i, i+1) })
		}
		wg.Wait()
	}})
	s.feed(many, 0, 20, window)
	a, b := marshal(t, one.State()), marshal(t, many.State())
	if !bytes.Equal(a, b) {
		t.Error("the statistics depend on how the vectors were spread")
	}
}

// Seven shards, through JSON, against one run: counts exact, moments to 1e-9.
func TestMergeShards(t *testing.T) {
	const windows, shards = 40, 7
	s := newStream(2, windows*window)
	whole := s.collector(t, Options{CheckEvery: 4})
	s.feed(whole, 0, windows, 5)

	var merged *State
	for i := range shards {
		h, err := ParseShard(fmt.Sprintf("%d/%d", i, shards))
		if err != nil {
			t.Fatal(err)
		}
		c := s.collector(t, Options{CheckEvery: 4})
		for w := range windows {
			if h.Has(w) {
				s.feed(c, w, w+1, 3)
			}
		}
		c.State().Shards = []Shard{h}
		part, err := ReadState(marshal(t, c.State()))
		if err != nil {
			t.Fatal(err)
		}
		if merged == nil {
			merged = part
			continue
		}
		if got := len(merged.Missing()); got != shards-i {
			t.Errorf("%d shards missing before shard %d, want %d", got, i, shards-i)
		}
		if err := merged.Merge(part); err != nil {
			t.Fatal(err)
		}
	}
	if m := merged.Missing(); m != nil {
		t.Errorf("missing %v", m)
	}
	merged.Shards = nil
	same(t, "state", generic(t, whole.State()), generic(t, merged))
	for _, skip := range []bool{false, true} {
		a, err := whole.State().Result(skip)
		if err != nil {
			t.Fatal(err)
		}
		b, err := merged.Result(skip)
		if err != nil {
			t.Fatal(err)
		}
		if a.Tokens != windows*window {
			t.Errorf("%d tokens, want %d", a.Tokens, windows*window)
		}
		a.Verdict, b.Verdict = "", ""
		same(t, "result", generic(t, a), generic(t, b))
	}
}

// same compares two JSON values: integers exactly, other numbers to 1e-9.
func same(t *testing.T, path string, a, b any) {
	t.Helper()
	switch a := a.(type) {
	case map[string]any:
		for k, v := range a {
			same(t, path+"."+k, v, b.(map[string]any)[k])
		}
	case []any:
		if len(a) != len(b.([]any)) {
			t.Errorf("%s: %d and %d entries", path, len(a), len(b.([]any)))
			return
		}
		for i, v := range a {
			same(t, fmt.Sprintf("%s[%d]", path, i), v, b.([]any)[i])
		}
	case float64:
		tol := 1e-9 * math.Max(1, math.Abs(a))
		if a == math.Trunc(a) && !strings.Contains(path, "m2") {
			tol = 1e-12
		}
		near(t, path, b.(float64), a, tol)
	default:
		if !reflect.DeepEqual(a, b) {
			t.Errorf("%s: %v and %v", path, a, b)
		}
	}
}

func marshal(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func generic(t testing.TB, v any) any {
	t.Helper()
	var out any
	if err := json.Unmarshal(marshal(t, v), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestMergeRefuses(t *testing.T) {
	s := newStream(3, 2*window)
	base := func(edit func(*State)) *State {
		c := s.collector(t, Options{})
		s.feed(c, 0, 1, window)
		st, err := ReadState(marshal(t, c.State()))
		if err != nil {
			t.Fatal(err)
		}
		st.Shards = []Shard{{0, 2}}
		edit(st)
		return st
	}
	for want, edit := range map[string]func(*State){
		"the model differs: random and": func(s *State) { s.Model.Name = "other"; s.Shards[0].Index = 1 },
		"different texts":               func(s *State) { s.Text = "other" },
		"is there twice":                func(s *State) {},
		"different divisions":           func(s *State) { s.Shards[0] = Shard{1, 3} },
		"the other a whole run":         func(s *State) { s.Shards = nil },
		"number of sites differs":       func(s *State) { s.sites = s.sites[:2] },
		"site 1 is blk.0.ffn_norm":      func(s *State) { s.sites[1].Eps = 1 },
		"extremes differs: 10 and 3":    func(s *State) { s.top = 3 },
	} {
		err := base(func(*State) {}).Merge(base(edit))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
}

// What cannot be statistics is no part of a run, and the error says where.
func TestReadStateChecks(t *testing.T) {
	s := newStream(3, 2*window)
	c := s.collector(t, Options{CheckEvery: 1})
	s.feed(c, 0, 2, window)
	c.State().Swap = []SwapMode{{"native", 8, 0, 1, math.Inf(1)}, {"rms-naive", 8, math.Inf(1), 0.5, 3}, {"layer", 8, 0.1, 0.5, 3}}
	whole := marshal(t, c.State())
	back, err := ReadState(whole)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(back.Swap, c.State().Swap) || !bytes.Contains(whole, []byte(`"perplexity":null`)) {
		t.Errorf("infinite figures come back as %+v", back.Swap)
	}
	if _, err := ReadState(bytes.ReplaceAll(whole, []byte(`"kl_mean"`), []byte(`"kl"`))); err == nil || !strings.Contains(err.Error(), "kl_mean") {
		t.Errorf("a part without kl_mean: %v", err)
	}
	edit := func(change func(site, rest map[string]any)) []byte {
		state := generic(t, c.State()).(map[string]any)
		site := state["sites"].([]any)[1].(map[string]any)
		change(site, site["rest"].(map[string]any))
		return marshal(t, state)
	}
	stage := func(rest map[string]any, name string) map[string]any {
		return rest["stages"].([]any)[2].(map[string]any)[name].(map[string]any)
	}
	for want, change := range map[string]func(site, rest map[string]any){
		"norm of out: the mean":               func(_, rest map[string]any) { stage(rest, "norm")["mean"] = nil },
		"norm of out: 1e+200 is no statistic": func(_, rest map[string]any) { stage(rest, "norm")["m2"] = 1e200 },
		"angle of out: its histogram has":     func(_, rest map[string]any) { stage(rest, "angle")["n"] = 3 },
		"share of out: the mean":              func(_, rest map[string]any) { stage(rest, "share")["m2"] = -1 },
		"rotation 2: its histogram is in":     func(_, rest map[string]any) { rest["rotations"].([]any)[2] = rest["swap"] },
		"check 3: the mean":                   func(_, rest map[string]any) { rest["checks"].([]any)[3].(map[string]any)["max"] = -1 },
		"swap: its histogram":                 func(_, rest map[string]any) { delete(rest["swap"].(map[string]any), "hist") },
		"0 heads of dimension 40":             func(site, _ map[string]any) { delete(site, "heads") },
		"1 heads of dimension 1":              func(site, _ map[string]any) { site["dim"] = 1 },
		"a vector of norm -1":                 func(site, _ map[string]any) { site["top_norm"].([]any)[0].(map[string]any)["norm"] = -1 },
	} {
		_, err := ReadState(edit(change))
		if err == nil || !strings.HasPrefix(err.Error(), "geometry: state: site blk.0.ffn_norm: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if _, err := ReadState(bytes.Replace(whole, []byte(`"top":10`), []byte(`"top":-1`), 1)); err == nil || !strings.Contains(err.Error(), "extremes") {
		t.Errorf("a list of -1 extremes: %v", err)
	}
	for _, bad := range []string{`"top1_agreement":2`, `"top1_agreement":-1`} {
		_, err := ReadState(bytes.Replace(whole, []byte(`"top1_agreement":0.5`), []byte(bad), 1))
		if err == nil || !strings.Contains(err.Error(), "mode rms-naive") {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

func TestReadStateRefuses(t *testing.T) {
	for _, in := range []string{
		``, `{}`, `{"schema":"x"}`,
		`{"schema":"` + StateSchema + `","sites":[null]}`,
		`{"schema":"` + StateSchema + `","sites":[{"site":"a"}]}`,
		`{"schema":"` + StateSchema + `","sites":[{"site":"a","first":{},"rest":{}}]}`,
		`{"schema":"` + StateSchema + `","sites":[{"first":{"swap":{"hist":{"scale":"log","bins":[1]}}}}]}`,
		`{"schema":"` + StateSchema + `","sites":[{"first":{"swap":{"hist":{"scale":"log","bins":[99999999,1]}}}}]}`,
		`{"schema":"` + StateSchema + `","sites":[{"first":{"swap":{"hist":{"scale":"feet","bins":[]}}}}]}`,
	} {
		if _, err := ReadState([]byte(in)); err == nil || !strings.HasPrefix(err.Error(), "geometry: ") {
			t.Errorf("%s: error %v", in, err)
		}
	}
}

func TestShard(t *testing.T) {
	for _, s := range []string{"", "1", "7/7", "-1/7", "0/0", "1/2x", "01/2", "a/b", "1/ 2"} {
		if h, err := ParseShard(s); err == nil {
			t.Errorf("%q parsed as %v", s, h)
		}
	}
	for i := range 100 {
		for k := range 7 {
			if got, want := (Shard{k, 7}).Has(i), i%7 == k; got != want {
				t.Errorf("window %d of shard %d/7: %v", i, k, got)
			}
		}
	}
}

func TestAddPanicsOnLengths(t *testing.T) {
	s := newStream(4, window)
	c := s.collector(t, Options{})
	defer func() {
		if m, _ := recover().(string); !strings.Contains(m, "In has 23 values, 1 vectors of 24 need 24") {
			t.Errorf("panic: %q", m)
		}
	}()
	c.Add(Batch{Tokens: []int32{1}, In: make([]float32, 23), Out: make([]float32, 24)})
}

func TestSitesRefused(t *testing.T) {
	for want, s := range map[string]Site{
		"of dimension 1":     {Dim: 1, Center: true},
		"eps is NaN":         {Dim: 4, Center: true, Eps: math.NaN()},
		"gain has 3 values":  {Dim: 4, Center: true, Gain: make([]float32, 3)},
		"bias has 12 values": {Dim: 4, Heads: 2, Center: true, Bias: make([]float32, 12)},
	} {
		if _, err := NewCollector(Model{}, []Site{s}, Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// Memory does not grow with the tokens.
func TestMemoryIsBounded(t *testing.T) {
	s := newStream(5, 8*window)
	c := s.collector(t, Options{CheckEvery: -1})
	s.feed(c, 0, 8, window)
	warm := len(marshal(t, c.State()))
	allocs := testing.AllocsPerRun(20, func() { s.feed(c, 0, 8, window) })
	if allocs > 2*24 { // the closure and the batch it holds
		t.Errorf("%v allocations for 24 batches of tokens seen before", allocs)
	}
	if grown := len(marshal(t, c.State())); grown > warm*3/2 {
		t.Errorf("the state grew from %d to %d bytes on the same vectors", warm, grown)
	}
}

func BenchmarkAdd(b *testing.B) {
	r := rand.New(rand.NewPCG(9, 9))
	const rows = 64
	for _, center := range []bool{true, false} {
		for _, d := range []int{48, 256, 768, 2048} {
			s := randomSite(r, center, d, center)
			c, err := NewCollector(Model{}, []Site{s.Site}, Options{})
			if err != nil {
				b.Fatal(err)
			}
			batch := Batch{Pos: 1, Tokens: make([]int32, rows)}
			for range rows {
				x := randomVector(r, d, 0.1, 1)
				batch.In = append(batch.In, x...)
				batch.Out = append(batch.Out, s.run(x)...)
			}
			b.Run(fmt.Sprintf("%s/d=%d", kindOf(center), d), func(b *testing.B) {
				for i := range b.N {
					batch.Pos = 1 + i*rows%4096
					c.Add(batch)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rows), "ns/vector")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}
