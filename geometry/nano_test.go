package geometry

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"

	"github.com/normswap/normswap/internal/testdata"
)

// activations are the hidden vectors of minGPT's nano-sort model as its
// author's PyTorch computed them: 3 sequences of 11 tokens, 48 channels.
type activations struct {
	Tokens [][]int32 `json:"tokens"`
	X      []float32 `json:"x"`
	LN1    []float32 `json:"ln1"`
	Block0 []float32 `json:"block0"`
	Block1 []float32 `json:"block1"`
	Block2 []float32 `json:"block2"`
	LNF    []float32 `json:"ln_f"`
}

const nanoDim = 48

func readActivations(t testing.TB) activations {
	t.Helper()
	var a activations
	if err := json.Unmarshal(testdata.Read(t, "trained/nano-sort-85k.activations.json"), &a); err != nil {
		t.Fatal(err)
	}
	return a
}

// affine recovers gain and bias from what a norm read and wrote, channel by
// channel, by least squares on out = gain*std + bias.
func affine(in, out []float32, eps float64) (gain, bias []float32) {
	n := len(in) / nanoDim
	gain, bias = make([]float32, nanoDim), make([]float32, nanoDim)
	std := make([][]float64, n)
	for i := range n {
		std[i] = standard(true, wide(in[i*nanoDim:][:nanoDim]), eps)
	}
	for j := range nanoDim {
		var sx, sy, sxx, sxy float64
		for i := range n {
			x, y := std[i][j], float64(out[i*nanoDim+j])
			sx, sy, sxx, sxy = sx+x, sy+y, sxx+x*x, sxy+x*y
		}
		k := float64(n)
		g := (k*sxy - sx*sy) / (k*sxx - sx*sx)
		gain[j], bias[j] = float32(g), float32((sy-g*sx)/k)
	}
	return gain, bias
}

// The collector against the textbook on a trained model's own activations.
func TestNanoSort(t *testing.T) {
	a := readActivations(t)
	const eps = 1e-5
	type norm struct {
		site    Site
		in, out []float32
	}
	var norms []norm
	add := func(name string, layer int, role string, in, out []float32) {
		s := Site{Name: name, Layer: layer, Role: role, Center: true, Eps: eps, Dim: nanoDim}
		if out == nil { // a site whose output the author does not give: standardise
			for i := 0; i < len(in); i += nanoDim {
				out = append(out, narrow(standard(true, wide(in[i:i+nanoDim]), eps))...)
			}
		} else {
			s.Gain, s.Bias = affine(in, out, eps)
		}
		norms = append(norms, norm{s, in, out})
	}
	add("blk.0.attn_norm", 0, "ln1", a.X, a.LN1)
	add("blk.1.attn_norm", 1, "ln1", a.Block0, nil)
	add("blk.2.attn_norm", 2, "ln1", a.Block1, nil)
	add("output_norm", -1, "final", a.Block2, a.LNF)
	var sites []Site
	for _, n := range norms {
		sites = append(sites, n.site)
	}
	c, err := NewCollector(Model{Name: "nano-sort-85k"}, sites, Options{CheckEvery: 1})
	if err != nil {
		t.Fatal(err)
	}
	for k, n := range norms {
		for seq, ids := range a.Tokens {
			lo, hi := seq*len(ids)*nanoDim, (seq+1)*len(ids)*nanoDim
			c.Add(Batch{Site: k, Seq: seq, Tokens: ids, In: n.in[lo:hi], Out: n.out[lo:hi]})
		}
	}
	r, err := c.State().Result(true)
	if err != nil {
		t.Fatal(err)
	}
	if r.Tokens != 33 {
		t.Fatalf("%d tokens, want 33", r.Tokens)
	}
	for _, skip := range []bool{false, true} {
		f := &r.Figures
		if skip {
			f = r.WithoutFirst
		}
		for k, n := range norms {
			var want [numStages]struct{ norm, angle, share []float64 }
			var turn [numRotations][]float64
			for i := 0; i < len(n.in); i += nanoDim {
				if skip && i/nanoDim%11 == 0 {
					continue
				}
				gain, bias := n.site.Gain, n.site.Bias
				if gain == nil {
					gain, bias = filled(nanoDim, 1), filled(nanoDim, 0)
				}
				v := naiveOf(true, n.in[i:i+nanoDim], n.out[i:i+nanoDim], gain, bias, eps)
				for s := range want {
					want[s].norm = append(want[s].norm, v.norm[s])
					want[s].angle = append(want[s].angle, v.angle[s])
					want[s].share = append(want[s].share, v.share[s])
				}
				for k := range turn {
					turn[k] = append(turn[k], v.rotation[k])
				}
			}
			for s := range want {
				got := f.Sites[k*int(numStages)+s]
				what := n.site.Name + " " + got.Stage
				figures(t, what+" norm", got.Norm, want[s].norm, 1e-9)
				figures(t, what+" angle", got.Angle, want[s].angle, 1e-9)
				m, _ := meanSD(want[s].share)
				near(t, what+" share", got.Share.Mean, m, 1e-9)
			}
			rot := f.Rotations[k]
			for i, got := range []Summary{rot.InOut, rot.InStd, rot.StdGain, rot.GainBias} {
				if n.site.Gain == nil && i != int(inStd) {
					continue // arccos near 0 is no reference
				}
				figures(t, fmt.Sprint(n.site.Name, " rotation ", i), got, turn[i], 1e-9)
			}
			// PyTorch works in float32, and the regression widens its rounding.
			if d := f.Effects[k].Checks; d.Definition > 16*0x1p-23 || d.Decompose > 1e-12 || d.Rotate > 1e-9 || d.Energy > 1e-12 {
				t.Errorf("%s: residuals %+v", n.site.Name, d)
			}
		}
	}
}

// figures holds a Summary to a list of numbers.
func figures(t *testing.T, what string, got Summary, values []float64, tol float64) {
	t.Helper()
	m, sd := meanSD(values)
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		lo, hi = min(lo, v), max(hi, v)
	}
	if got.Count != uint64(len(values)) {
		t.Errorf("%s: count %d, want %d", what, got.Count, len(values))
	}
	near(t, what+" mean", got.Mean, m, tol)
	near(t, what+" sd", got.SD, sd, tol)
	near(t, what+" min", got.Min, lo, tol)
	near(t, what+" max", got.Max, hi, tol)
}

func meanSD(values []float64) (mean, sd float64) {
	for _, v := range values {
		mean += v / float64(len(values))
	}
	for _, v := range values {
		sd += (v - mean) * (v - mean) / float64(len(values))
	}
	return mean, math.Sqrt(sd)
}
