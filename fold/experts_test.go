package fold_test

import (
	"strings"
	"testing"

	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/fold"
	"github.com/normswap/normswap/internal/testdata"
	"github.com/normswap/normswap/internal/toy"
	"github.com/normswap/normswap/internal/toytest"
	"github.com/normswap/normswap/quant"
)

// TestQuantizedExperts folds mixtures of experts in every type that can be
// made. All experts are active: which of them a token takes may hang on less
// than a quantisation error.
func TestQuantizedExperts(t *testing.T) {
	f32 := quant.F32
	for _, m := range []struct {
		arch, export string
		truth        engine.NormMode
	}{{"dbrx", "", engine.Native}, {"phimoe", "phimoe", engine.Centered}} {
		for _, typ := range quant.Types() {
			if !typ.CanEncode() {
				continue
			}
			shape := toy.Tiny(m.arch, nil)
			shape.Dim, shape.FFN, shape.Experts, shape.Active = 256, 256, 3, 3
			b := toytest.Bytes(t, shape, typ.String(), 11)
			want := logits(t, toytest.Parse(t, b), m.truth)
			if m.truth == engine.Native {
				if e := testdata.NMSE(logits(t, toytest.Parse(t, b), engine.RMSFolded), want); !(e <= 1e-11) {
					t.Errorf("%s in %s, folded as it runs: NMSE %.2g", m.arch, typ, e)
				}
			}
			for _, c := range []struct {
				o     fold.WriteOptions
				bound float64
			}{
				{fold.WriteOptions{Type: &f32}, 1e-11},
				{fold.WriteOptions{}, 1e-4}, // BF16 has eight bits
				{fold.WriteOptions{Strategy: fold.Requant}, 0.1},
			} {
				c.o.Export = m.export
				f, out := folded(t, b, c.o)
				if e := testdata.NMSE(logits(t, f, engine.Native), want); !(e <= c.bound) {
					t.Errorf("%s in %s, %+v: NMSE %.2g, want <= %.0e", m.arch, typ, c.o, e, c.bound)
				}
				experts := 0
				for _, ch := range out.Report.Changed {
					if strings.HasSuffix(ch.Name, "ffn_down_exps.weight") && ch.From == typ.String() {
						experts++
					}
				}
				if experts != shape.Layers {
					t.Errorf("%s in %s: the experts of %d layers changed, want %d", m.arch, typ, experts, shape.Layers)
				}
				if c.o.Type != nil && !(out.Report.LargestMean < 1e-7) {
					t.Errorf("%s in %s: a mean of %.2g is left", m.arch, typ, out.Report.LargestMean)
				}
			}
		}
	}
}
