package engine

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/fold"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/internal/testdata"
)

// TestFoldGain: with gain and bias in the matrices behind them, norms are one
// scalar, and the function is the same.
func TestFoldGain(t *testing.T) {
	tokens := testdata.Tokens()
	for _, name := range testdata.Fixtures(t, "archs") {
		want := allLogits(t, open(t, name, Options{}), tokens)
		for _, mode := range []NormMode{Native, RMSFolded} {
			m := open(t, name, Options{Norm: mode, FoldGain: true})
			if e := testdata.NMSE(allLogits(t, m, tokens), want); !(e <= 1e-11) {
				t.Errorf("%s, %s: NMSE %.2g, want <= 1e-11", name, mode, e)
			}
			for _, n := range m.Arch.Norms() {
				b := m.built(n)
				if n.Residual && !n.Kept && len(m.Arch.Readers(n)) > 0 && (b.Gain != nil || b.Bias != nil) {
					t.Errorf("%s: %s has its gain or bias still", name, n.Site)
				}
			}
		}
	}
	quantized := open(t, "quantized/gpt2-256-Q4_K_M.gguf", Options{FoldGain: true})
	if !strings.Contains(quantized.Note(), "quantised (Q") {
		t.Errorf("quantised readers: %q", quantized.Note())
	}
	if want := allLogits(t, open(t, "quantized/gpt2-256-Q4_K_M.gguf", Options{}), tokens); !slices.Equal(allLogits(t, quantized, tokens), want) {
		t.Error("a gain that stays changes the logits")
	}
}

// TestFoldedFileIsFree: a file that was folded with its gains runs RMSNorm
// with nothing to multiply, add or subtract.
func TestFoldedFileIsFree(t *testing.T) {
	f, err := gguf.Parse(testdata.Read(t, "archs/stablelm-2.gguf"))
	if err != nil {
		t.Fatal(err)
	}
	a, err := arch.Load(f)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	out, err := fold.Prepare(t.Context(), f, a, fold.WriteOptions{})
	if err == nil {
		err = out.Write(t.Context(), &b)
	}
	if err != nil {
		t.Fatal(err)
	}
	folded, err := gguf.Parse(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	m, err := Load(t.Context(), folded, Options{Norm: RMSFolded, FoldGain: true})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for i := range m.blocks {
		if m.blocks[i].o.means != nil || m.blocks[i].down.means != nil {
			t.Errorf("block %d subtracts means that are rounding", i)
		}
	}
	if n := m.built(a.FinalNorm); n != nil {
		t.Error("another model's norm is known")
	}
	if n := m.built(m.Arch.FinalNorm); n.Center || n.Gain != nil || n.Bias != nil {
		t.Errorf("final norm: %+v", n)
	}
}

// TestVariant: several models of one file, of which the first closes it.
func TestVariant(t *testing.T) {
	tokens := testdata.Tokens()
	m := open(t, "archs/gpt2.gguf", Options{})
	v, err := m.Variant(t.Context(), Options{Norm: RMSNaive})
	if err != nil {
		t.Fatal(err)
	}
	naive := allLogits(t, v, tokens)
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	if want := allLogits(t, open(t, "archs/gpt2.gguf", Options{Norm: RMSNaive}), tokens); !slices.Equal(naive, want) {
		t.Error("a variant has other logits than a model of its own")
	}
	if got := allLogits(t, m, tokens); slices.Equal(got, naive) {
		t.Error("the native model and its naive variant are the same")
	}
	if !slices.Equal(without([]float32{1, 1}, 1), nil) || without([]float32{1, 2}, 1) == nil {
		t.Error("gains of ones")
	}
}
