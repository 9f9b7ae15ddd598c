package engine

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/internal/testdata"
	forms "github.com/normswap/normswap/norm"
)

// TestReaderFoldIsExact: to a LayerNorm model the reader fold does nothing, whatever
// its means are; and RMSNorm with folded readers is the mode rms-readers.
func TestReaderFoldIsExact(t *testing.T) {
	tokens := testdata.Tokens()
	for _, name := range testdata.Fixtures(t, "archs") {
		native := open(t, name, Options{})
		want := allLogits(t, native, tokens)
		folded := open(t, name, Options{FoldReaders: true})
		most := 1e-12
		if native.Arch.Spec.Recurrence != arch.NoRecurrence {
			most = 1e-11 // its state amplifies rounding: 1.5e-10 for a change of 1e-6 in the weights
		}
		if e := testdata.NMSE(allLogits(t, folded, tokens), want); !(e <= most) {
			t.Errorf("%s: reader fold NMSE %.2g, want <= %g", name, e, most)
		}
		if native.Arch.Spec.Norm == arch.RMSNorm {
			m := open(t, name, Options{Norm: RMSReaders})
			if !slices.Equal(allLogits(t, m, tokens), want) || m.Note() == "" {
				t.Errorf("%s: rms-readers changes an RMSNorm model, or says nothing", name)
			}
			continue
		}
		// Norms without readers stay native in rms-readers, so only they must here.
		read := map[string]bool{}
		for _, n := range native.Arch.Norms() {
			read[n.Site] = n.Residual && len(native.Arch.Readers(n)) > 0
		}
		swapped := func(n *arch.Norm) bool { return read[n.Site] }
		weights := allLogits(t, open(t, name, Options{FoldReaders: true, Norm: RMSNaive, NormSites: swapped}), tokens)
		form := allLogits(t, open(t, name, Options{Norm: RMSReaders}), tokens)
		if e := testdata.NMSE(form, weights); !(e <= 1e-11) {
			t.Errorf("%s: rms-readers and RMSNorm with folded readers differ: NMSE %.2g", name, e)
		}
		naive := testdata.NMSE(allLogits(t, open(t, name, Options{Norm: RMSNaive, NormSites: swapped}), tokens), want)
		if e := testdata.NMSE(form, want); !(e < naive) {
			t.Errorf("%s: rms-readers is no nearer (%.2g) than the naive swap (%.2g)", name, e, naive)
		}
	}
}

// TestFormsEqualNative: where a form is the native norm, the logits are the same to
// the bit.
func TestFormsEqualNative(t *testing.T) {
	tokens := testdata.Tokens()
	for name, modes := range map[string][]NormMode{
		"archs/llama.gguf": {Native, RMSNaive, RMSFolded, RMSReaders, "prms:100", "ln1=rms-naive,final=rms-readers"},
		"archs/gpt2.gguf":  {Native, Centered, "0-1=layer,final=native", "rms-naive,layer"},
	} {
		want := allLogits(t, open(t, name, Options{}), tokens)
		for _, mode := range modes {
			if !slices.Equal(allLogits(t, open(t, name, Options{Norm: mode}), tokens), want) {
				t.Errorf("%s: %s is not native to the bit", name, mode)
			}
		}
	}
	native := open(t, "archs/llama.gguf", Options{})
	recipe := &forms.Recipe{Format: forms.RecipeFormat}
	for _, n := range native.Arch.Norms() {
		recipe.Sites = append(recipe.Sites, forms.Choice{Site: n.Site, Norm: "calibrated", Constants: forms.Constants{"cos": 0, "sin": 1}})
	}
	if !slices.Equal(allLogits(t, open(t, "archs/llama.gguf", Options{Recipe: recipe}), tokens), allLogits(t, native, tokens)) {
		t.Error("calibrated without an error to correct is not native to the bit")
	}
}

// TestFormsCombine: forms at some norms beside a fold at others, and the position of a
// token where the form asks for it, batch by batch and token by token.
func TestFormsCombine(t *testing.T) {
	tokens := testdata.Tokens()
	const name = "archs/gpt2.gguf"
	native := open(t, name, Options{})
	want := allLogits(t, native, tokens)
	if e := testdata.NMSE(allLogits(t, open(t, name, Options{Norm: "ln1=rms-folded,final=rms-folded"}), tokens), want); !(e <= 1e-11) {
		t.Errorf("a fold at some norms: NMSE %.2g", e)
	}
	recipe := func(first float64) *forms.Recipe {
		return &forms.Recipe{Format: forms.RecipeFormat, Sites: []forms.Choice{
			{Site: "output_norm", Norm: "fixed", Constants: forms.Constants{"sigma": 2, "sigma_first": first}},
			{Site: "blk.0.attn_norm", Norm: "rms-folded"},
		}}
	}
	m, other := open(t, name, Options{Recipe: recipe(2)}), open(t, name, Options{Recipe: recipe(5)})
	a, b := allLogits(t, m, tokens), allLogits(t, other, tokens)
	v := m.Vocab()
	if slices.Equal(a[:v], b[:v]) || !slices.Equal(a[v:], b[v:]) {
		t.Error("the constant of the first token is not that of position 0 alone")
	}
	s := newSession(t, m, SessionOptions{})
	for i, id := range tokens {
		logits, err := s.Eval(t.Context(), []int32{id})
		if err != nil {
			t.Fatal(err)
		}
		if e := testdata.NMSE(logits, a[i*v:(i+1)*v]); !(e <= 1e-11) {
			t.Fatalf("token %d alone has other logits than in a batch: NMSE %.2g", i, e)
		}
	}
	for _, r := range []*forms.Recipe{
		{Sites: []forms.Choice{{Site: "blk.9.attn_norm", Norm: "none"}}},
		{Sites: []forms.Choice{{Site: "output_norm", Norm: "fixed", Constants: forms.Constants{"sigma": 1}}}},
		{Sites: []forms.Choice{{Site: "output_norm", Norm: "fixed", Constants: forms.Constants{"sigma": math.NaN(), "sigma_first": 1}}}},
	} {
		if _, err := native.Variant(t.Context(), Options{Recipe: r}); err == nil || !strings.HasPrefix(err.Error(), "engine: ") {
			t.Errorf("%+v: %v", r.Sites, err)
		}
	}
	if _, err := native.Variant(t.Context(), Options{Norm: "fixed"}); err == nil || !strings.Contains(err.Error(), "calibration") {
		t.Errorf("fixed without constants: %v", err)
	}
}
