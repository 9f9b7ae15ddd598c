package norm

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/normswap/normswap/ops"
)

// vectors are random ones, with a mean that varies, and gain and bias for them.
func vectors(n, d int) (rows [][]float32, gain, bias []float32) {
	rng := rand.New(rand.NewPCG(1, 2))
	draw := func(mean float64) []float32 {
		v := make([]float32, d)
		for i := range v {
			v[i] = float32(mean + rng.NormFloat64())
		}
		return v
	}
	for range n {
		rows = append(rows, draw(0.3*rng.NormFloat64()))
	}
	return rows, draw(1), draw(0)
}

// make makes a norm with constants that it finds on vectors.
func calibrate(t *testing.T, text string, native *ops.Norm, rows [][]float32) (Norm, Constants) {
	t.Helper()
	f, err := ParseForm(text)
	if err != nil {
		t.Fatal(err)
	}
	var c Constants
	if f.Calibrated() {
		k := f.Kind.Calibrate(native, f)
		for i, x := range rows {
			k.Add(x, i%8)
		}
		if c, err = k.Constants(); err != nil {
			t.Fatal(err)
		}
	}
	n, err := f.Make(native, c)
	if err != nil {
		t.Fatal(err)
	}
	return n, c
}

// TestDefinitions holds every form against its formula, written out.
func TestDefinitions(t *testing.T) {
	const d = 64
	rows, gain, bias := vectors(40, d)
	native := &ops.Norm{Gain: gain, Bias: bias, Eps: 1e-5, Center: true}
	square := func(x []float32) (s float64) {
		for _, v := range x {
			s += float64(v) * float64(v) / float64(len(x))
		}
		return s
	}
	mean := func(x []float32) (m float64) {
		for _, v := range x {
			m += float64(v) / float64(len(x))
		}
		return m
	}
	for form, f := range map[string]func(x []float32, v float64, c Constants) float64{
		"rms-naive":   func(x []float32, v float64, _ Constants) float64 { return v / math.Sqrt(square(x)+1e-5) },
		"rms-readers": func(x []float32, v float64, _ Constants) float64 { return (v - mean(x)) / math.Sqrt(square(x)+1e-5) },
		"fixed": func(x []float32, v float64, c Constants) float64 {
			return (v - mean(x)) / math.Sqrt(c["sigma"]*c["sigma"]+1e-5)
		},
		"fixed-rms": func(_ []float32, v float64, c Constants) float64 { return v / math.Sqrt(c["rms"]*c["rms"]+1e-5) },
		"fixed-mean": func(x []float32, v float64, c Constants) float64 {
			shifted := slices.Clone(x)
			for i := range shifted {
				shifted[i] -= float32(c["mean"])
			}
			return (v - c["mean"]) / math.Sqrt(square(shifted)+1e-5)
		},
		"none":     func(_ []float32, v float64, _ Constants) float64 { return v },
		"prms:25":  func(x []float32, v float64, _ Constants) float64 { return v / math.Sqrt(square(x[:d/4])+1e-5) },
		"dyt":      func(_ []float32, v float64, c Constants) float64 { return math.Tanh(c["alpha"] * v) },
		"derf:0.5": func(_ []float32, v float64, _ Constants) float64 { return math.Erf(0.5 * v) },
		"calibrated": func(x []float32, v float64, c Constants) float64 {
			return (v/math.Sqrt(square(x)+1e-5) - c["cos"]) / c["sin"]
		},
		"l1": func(x []float32, v float64, c Constants) float64 {
			var l float64
			for _, u := range x {
				l += math.Abs(float64(u)) / d
			}
			return v / math.Sqrt(c["ratio"]*c["ratio"]*l*l+1e-5)
		},
		"max": func(x []float32, v float64, c Constants) float64 {
			var l float64
			for _, u := range x {
				l = max(l, math.Abs(float64(u)))
			}
			return v / math.Sqrt(c["ratio"]*c["ratio"]*l*l+1e-5)
		},
	} {
		n, c := calibrate(t, form, native, rows)
		got := make([]float32, d)
		for _, x := range rows {
			n.Apply(got, x)
			for i, v := range x {
				want := f(x, float64(v), c)*float64(gain[i]) + float64(bias[i])
				if e := math.Abs(float64(got[i]) - want); !(e <= 1e-5*max(1, math.Abs(want))) {
					t.Fatalf("%s: %v, want %v", form, got[i], want)
				}
			}
		}
	}
}

// TestCalibration: constants are what they should be, the first token apart.
func TestCalibration(t *testing.T) {
	rows, _, _ := vectors(800, 256)
	for i := 0; i < len(rows); i += 8 { // position 0
		for j := range rows[i] {
			rows[i][j] *= 50
		}
	}
	native := &ops.Norm{Eps: 1e-6, Center: true}
	for form, want := range map[string]Constants{
		"fixed":     {"sigma": 1, "sigma_first": 50},
		"fixed-rms": {"rms": 1.04, "rms_first": 52},
		"l1":        {"ratio": math.Sqrt(math.Pi / 2)},
		"dyt":       {"alpha": 1.3},
	} {
		if _, c := calibrate(t, form, native, rows); len(c) != len(want) {
			t.Errorf("%s: %v", form, c)
		} else {
			for k, w := range want {
				if math.Abs(c[k]-w) > 0.04*w {
					t.Errorf("%s: %s is %v, want about %v", form, k, c[k], w)
				}
			}
		}
	}
	for _, k := range Kinds() {
		if k.Calibrate == nil {
			continue
		}
		if _, err := k.Calibrate(native, Form{Kind: k, Parameter: math.NaN()}).Constants(); err == nil {
			t.Errorf("%s: constants of no vectors", k.Name)
		}
	}
}

// TestScale: a constant gain is the scalar of ScaleNorm, to the bit.
func TestScale(t *testing.T) {
	rows, gain, _ := vectors(1, 96)
	for i := range gain {
		gain[i] = 0.1
	}
	native := &ops.Norm{Gain: gain, Eps: 1e-5}
	n, _ := calibrate(t, "scale", native, rows)
	for i, g := range n.(*ops.Norm).Gain {
		if g != gain[i] {
			t.Fatalf("gain %v, want %v", g, gain[i])
		}
	}
}

func TestParse(t *testing.T) {
	for _, text := range []string{"", "rms", "prms", "prms:0", "prms:101", "prms:x", "fixed:2", "dyt:-1", "dyt:NaN", "=fixed", "ln1=", "ln[=fixed"} {
		if _, err := ParseRules(text); err == nil || !strings.HasPrefix(err.Error(), "norm: ") {
			t.Errorf("%q: %v", text, err)
		}
	}
	rules, err := ParseRules("fixed,ln1=RMS-Naive, blk.*.ffn_norm=prms:12.5 ,1-2=none,final=dyt:0.5")
	if err != nil {
		t.Fatal(err)
	}
	forms, err := Resolve(rules, []Place{
		{"token_embd_norm", "embedding", -1}, {"blk.0.attn_norm", "ln1", 0}, {"blk.0.ffn_norm", "ln2", 0},
		{"blk.1.ffn_norm", "ln2", 1}, {"output_norm", "final", -1},
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range forms {
		got = append(got, f.String())
	}
	if s := strings.Join(got, " "); s != "fixed rms-naive prms:12.5 none dyt:0.5" {
		t.Error(s)
	}
	if _, err := Resolve(rules, []Place{{"output_norm", "final", -1}}); err == nil || !strings.Contains(err.Error(), "roles final") {
		t.Errorf("a rule for no norm: %v", err)
	}
}

func TestRecipe(t *testing.T) {
	r := Recipe{Format: RecipeFormat, Model: "m", ModelSum: "aa", Sites: []Choice{{"a", "fixed", Constants{"sigma": 1, "sigma_first": 2}}, {"b", "native", nil}}}
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	back, err := Parse(b)
	if err != nil || back.Sites[0].Constants["sigma_first"] != 2 || back.For("aa") != nil || back.For("") != nil || back.For("bb") == nil {
		t.Errorf("%+v, %v", back, err)
	}
	for _, text := range []string{"{", "{}", `{"format":"normswap-recipe-1"}`, `{"format":"normswap-recipe-1","sites":[{"site":"a","norm":"x"}]}`,
		`{"format":"normswap-recipe-1","sites":[{"site":"a","norm":"none"},{"site":"a","norm":"none"}]}`} {
		if _, err := Parse([]byte(text)); err == nil {
			t.Errorf("%s is a recipe", text)
		}
	}
}
