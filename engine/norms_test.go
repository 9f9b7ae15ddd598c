package engine

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/fold"
	"github.com/normswap/normswap/internal/testdata"
	"github.com/normswap/normswap/ops"
)

// maxKL is the greatest Kullback-Leibler divergence KL(p || q), in nats, of
// the distributions that rows of logits stand for.
func maxKL(p, q []float32, vocab int) float64 {
	logSoftmax := func(x []float32) []float64 {
		top, sum := float64(slices.Max(x)), 0.0
		for _, v := range x {
			sum += math.Exp(float64(v) - top)
		}
		out := make([]float64, len(x))
		for i, v := range x {
			out[i] = float64(v) - top - math.Log(sum)
		}
		return out
	}
	worst := 0.0
	for i := 0; i < len(p); i += vocab {
		lp, lq := logSoftmax(p[i:i+vocab]), logSoftmax(q[i:i+vocab])
		kl := 0.0
		for j := range lp {
			kl += math.Exp(lp[j]) * (lp[j] - lq[j])
		}
		worst = max(worst, kl)
	}
	return worst
}

// TestFolded: on every LayerNorm fixture the folded model is the native one,
// and the naive swap is not.
func TestFolded(t *testing.T) {
	tokens := testdata.Tokens()
	for _, name := range testdata.Fixtures(t, "archs") {
		native := open(t, name, Options{})
		want := allLogits(t, native, tokens)
		folded := open(t, name, Options{Norm: RMSFolded})
		got := allLogits(t, folded, tokens)
		if native.Arch.Spec.Norm == arch.RMSNorm {
			if folded.Note() == "" || !slices.Equal(got, want) {
				t.Errorf("%s: folding an RMSNorm model changes it or says nothing", name)
			}
			continue
		}
		if e := testdata.NMSE(got, want); !(e <= 1e-11) {
			t.Errorf("%s: folded NMSE %.2g, want <= 1e-11", name, e)
		}
		if kl := maxKL(want, got, native.Vocab()); !(kl <= 1e-8) {
			t.Errorf("%s: folded KL %.2g, want <= 1e-8", name, kl)
		}
		if slices.Equal(got, want) {
			t.Errorf("%s: the folded logits are the native ones to the bit: was anything folded?", name)
		}
		naive := open(t, name, Options{Norm: RMSNaive})
		if e := testdata.NMSE(allLogits(t, naive, tokens), want); !(e >= 1e-4) {
			t.Errorf("%s: naive NMSE %.2g: the fixtures' means should show", name, e)
		}
		for _, s := range folded.Plan().Steps {
			if s.Action == fold.Swap && s.Norm.Kind != arch.LayerNorm {
				t.Errorf("%s: %s", name, s)
			}
		}
	}
}

// TestFoldedQuantized: what is subtracted is what the quantised product adds
// up, with activations in float and in 8 bits.
func TestFoldedQuantized(t *testing.T) {
	for _, typ := range []string{"Q4_K_M", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q5_K_M", "Q6_K", "IQ3_S", "Q2_K"} {
		name := "quantized/gpt2-256-" + typ + ".gguf"
		t.Run(typ, func(t *testing.T) {
			for _, float := range []bool{true, false} {
				native := allLogits(t, open(t, name, Options{FloatActivations: float}), testdata.Tokens())
				folded := allLogits(t, open(t, name, Options{FloatActivations: float, Norm: RMSFolded}), testdata.Tokens())
				// With 8 bits a rounding of the input may tip an activation
				// to the next code, so only the float path is exact.
				bound := map[bool]float64{true: 1e-9, false: 1e-4}[float]
				if e := testdata.NMSE(folded, native); !(e <= bound) {
					t.Errorf("float activations %v: NMSE %.2g, want <= %.0e", float, e, bound)
				}
			}
		})
	}
}

// TestNaiveIsIdentityOne: without the mean removal the first norm gives
// sin(theta) LN_std(x) + cos(theta) 1, theta being the angle between x and
// the uniform vector (PAPER: identity 1), then gain and bias.
func TestNaiveIsIdentityOne(t *testing.T) {
	m := open(t, "archs/gptneox.gguf", Options{Norm: RMSNaive})
	checked := 0
	var in []float32
	tap := &Tap{Sites: func(n *arch.Norm) bool { return n.Site == "blk.0.attn_norm" }, Func: func(h Hidden) {
		if h.Stage == In {
			in = slices.Clone(h.Rows)
			return
		}
		d := h.Site.Width
		gain, bias := m.blocks[0].attnNorm.parts[0].(*ops.Norm).Gain, m.blocks[0].attnNorm.parts[0].(*ops.Norm).Bias
		for r := 0; r < len(in); r += d {
			var sum, sq float64
			for _, v := range in[r : r+d] {
				sum += float64(v)
				sq += float64(v) * float64(v)
			}
			mean := sum / float64(d)
			cos := sum / math.Sqrt(float64(d)) / math.Sqrt(sq)
			sin := math.Sqrt(1 - cos*cos)
			variance := sq/float64(d) - mean*mean
			for i, v := range in[r : r+d] {
				std := (float64(v) - mean) / math.Sqrt(variance)
				want := (sin*std+cos)*float64(gain[i]) + float64(bias[i])
				// eps, which the identity leaves out, moves it by eps/(2 rms^2).
				if e := math.Abs(float64(h.Rows[r+i]) - want); !(e <= 1e-5*(1+1/(sq/float64(d)))*max(1, math.Abs(want))) {
					t.Errorf("row %d, %d: %v, identity 1 gives %v", r/d, i, h.Rows[r+i], want)
				}
				checked++
			}
		}
	}}
	s := newSession(t, m, SessionOptions{Tap: tap})
	if _, err := s.Eval(t.Context(), testdata.Tokens()); err != nil || checked == 0 {
		t.Fatalf("checked %d values: %v", checked, err)
	}
}

// TestLayerMode: mean removal added to an RMSNorm model, at all sites or at
// some.
func TestLayerMode(t *testing.T) {
	tokens := testdata.Tokens()
	native := allLogits(t, open(t, "archs/llama.gguf", Options{}), tokens)
	layer := allLogits(t, open(t, "archs/llama.gguf", Options{Norm: Centered}), tokens)
	if e := testdata.NMSE(layer, native); !(e >= 1e-6) {
		t.Errorf("layer mode changes nothing: NMSE %.2g", e)
	}
	sites, err := ParseNormSites("1,final", 2)
	if err != nil {
		t.Fatal(err)
	}
	some := allLogits(t, open(t, "archs/llama.gguf", Options{Norm: Centered, NormSites: sites}), tokens)
	if slices.Equal(some, native) || slices.Equal(some, layer) {
		t.Error("swapping some sites equals swapping none or all")
	}
	if m := open(t, "archs/gpt2.gguf", Options{Norm: Centered}); m.Note() == "" {
		t.Error("layer mode on a LayerNorm model says nothing")
	}
}

// TestReplaceNorm: a norm of the caller's own takes the place of a native one.
func TestReplaceNorm(t *testing.T) {
	tokens := testdata.Tokens()
	calls := 0
	m := open(t, "archs/gpt2.gguf", Options{ReplaceNorm: func(site *arch.Norm, native *ops.Norm) Norm {
		if site.Site != "output_norm" {
			return native
		}
		return normFunc(func(dst, x []float32) { calls++; native.Apply(dst, x) })
	}})
	got := allLogits(t, m, tokens)
	if calls != len(tokens) {
		t.Errorf("called %d times for %d tokens", calls, len(tokens))
	}
	if want := allLogits(t, open(t, "archs/gpt2.gguf", Options{}), tokens); !slices.Equal(got, want) {
		t.Error("the native norm through the caller's door gives other logits")
	}
}

type normFunc func(dst, x []float32)

func (f normFunc) Apply(dst, x []float32) { f(dst, x) }

// TestFoldCheck: a fold that leaves a mean behind fails loudly.
func TestFoldCheck(t *testing.T) {
	m := open(t, "archs/starcoder2.gguf", Options{Norm: RMSFolded})
	ratios, err := m.MeanRatios(t.Context(), testdata.Tokens())
	if err != nil || len(ratios) != len(m.Arch.Norms()) {
		t.Fatalf("%d ratios for %d norms: %v", len(ratios), len(m.Arch.Norms()), err)
	}
	native, err := open(t, "archs/starcoder2.gguf", Options{}).MeanRatios(t.Context(), testdata.Tokens())
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range ratios {
		if !(r.Largest < 1e-5 && r.RMS <= r.Largest) || r.Norm != "RMSNorm" || r.Site != native[i].Site {
			t.Errorf("folded: %+v", r)
		}
		if n := native[i]; !(n.Largest > 1e-2 && n.RMS <= n.Largest) || n.Norm != "LayerNorm" {
			t.Errorf("native: %+v", n)
		}
	}
	m.blocks[0].down.means = nil // forget one writer
	if err := m.checkFold(t.Context()); err == nil || !strings.Contains(err.Error(), "blk.1.attn_norm") {
		t.Errorf("a writer that was forgotten: %v", err)
	}
}

func TestNormOptions(t *testing.T) {
	for _, list := range []string{"", "4", "3-1", "x", "0-", "-1"} {
		if _, err := ParseNormSites(list, 4); err == nil {
			t.Errorf("sites %q are accepted", list)
		}
	}
	all := func(*arch.Norm) bool { return true }
	f := open(t, "archs/gpt2.gguf", Options{}).File
	for _, o := range []Options{{Norm: "rms"}, {NormSites: all}, {Norm: RMSFolded, NormSites: all}} {
		if _, err := Load(t.Context(), f, o); err == nil {
			t.Errorf("%q with sites %v is accepted", o.Norm, o.NormSites != nil)
		}
	}
	bert, _ := arch.Lookup("bert")
	var refusal *fold.Refusal
	if err := fold.Refuse(bert); !errors.As(err, &refusal) || !strings.Contains(err.Error(), "post-LN") {
		t.Errorf("bert: %v", err)
	}
}
