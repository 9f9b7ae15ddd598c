package engine

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/fold"
	"github.com/normswap/normswap/internal/testdata"
)

// TestEncoderFold: an encoder with norms before its branches folds exactly, the
// first layer included, which reads the stream with its mean.
func TestEncoderFold(t *testing.T) {
	tokens := testdata.Tokens()
	for _, name := range []string{"encoders/modern-bert.gguf", "encoders/modern-bert-rank.gguf"} {
		native, folded, naive := open(t, name, Options{}), open(t, name, Options{Norm: RMSFolded}), open(t, name, Options{Norm: RMSNaive})
		want := embedAll(t, native, arch.PoolNone, tokens)
		if e := testdata.NMSE(embedAll(t, folded, arch.PoolNone, tokens), want); !(e <= 1e-11) {
			t.Errorf("%s folded: NMSE %.2g", name, e)
		}
		if e := testdata.NMSE(embedAll(t, naive, arch.PoolNone, tokens), want); !(e > 1e-3) {
			t.Errorf("%s with RMSNorm alone: NMSE %.2g, though the means are large", name, e)
		}
		if native.Arch.Scores() > 0 {
			if e := testdata.NMSE(embedAll(t, folded, arch.PoolRank, tokens), embedAll(t, native, arch.PoolRank, tokens)); !(e <= 1e-11) {
				t.Errorf("%s folded: NMSE of the score %.2g", name, e)
			}
		}
		plan := folded.Plan().String()
		for _, line := range []string{"centre the stream when blk.0.attn_qkv has read it", "blk.0.ffn_norm: LayerNorm becomes RMSNorm", "output_norm: LayerNorm becomes RMSNorm", "token_embd_norm stays a LayerNorm"} {
			if !strings.Contains(plan, line) {
				t.Errorf("%s: the plan does not say %q:\n%s", name, line, plan)
			}
		}
	}
}

// TestPostNorm: a post-norm encoder refuses the exact fold with its reason and
// runs with other norms, whose inputs a tap sees.
func TestPostNorm(t *testing.T) {
	const name = "encoders/bert.gguf"
	tokens := testdata.Tokens()
	m := open(t, name, Options{})
	var refusal *fold.Refusal
	if _, err := m.Variant(t.Context(), Options{Norm: RMSFolded}); !errors.As(err, &refusal) || !strings.Contains(err.Error(), "post-LN") {
		t.Errorf("folded: %v", err)
	}
	naive, err := m.Variant(t.Context(), Options{Norm: RMSNaive})
	if err != nil {
		t.Fatal(err)
	}
	defer naive.Close()
	want := embedAll(t, m, arch.PoolNone, tokens)
	if e := testdata.NMSE(embedAll(t, naive, arch.PoolNone, tokens), want); !(e > 1e-3) {
		t.Errorf("with RMSNorm: NMSE %.2g", e)
	}
	one, err := m.Variant(t.Context(), Options{Norm: RMSNaive, NormSites: func(n *arch.Norm) bool { return n.Site == "blk.1.layer_output_norm" }})
	if err != nil {
		t.Fatal(err)
	}
	defer one.Close()
	var sites []string
	var last []float32
	err = one.Trace(t.Context(), tokens, &Tap{Func: func(h Hidden) {
		if h.Stage == In {
			sites = append(sites, h.Site.Site)
		} else if h.Stage == Out {
			last = slices.Clone(h.Rows)
		}
		if len(h.Rows) != len(tokens)*m.Arch.Dim || !slices.Equal(h.Tokens, tokens) {
			t.Errorf("%s: %d numbers for %d tokens", h.Site.Site, len(h.Rows), len(h.Tokens))
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, n := range m.Arch.Norms() {
		all = append(all, n.Site)
		if n.Residual != (n.Layer >= 0) {
			t.Errorf("%s reads the residual stream: %v", n.Site, n.Residual)
		}
	}
	if !slices.Equal(sites, all) {
		t.Errorf("the tap sees %v, want %v", sites, all)
	}
	if e := testdata.NMSE(last, want); !(e > 0) {
		t.Error("one norm of another kind changes nothing")
	}
}
