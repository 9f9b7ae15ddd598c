package hf_test

import (
	"os"
	"slices"
	"testing"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/internal/testdata"
	"github.com/normswap/normswap/quant"
)

func floatFile(t *testing.T, path string) []float32 {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return testdata.Floats(t, b)
}

// compute returns the rows of logits or hidden vectors that ids.json asks for,
// and holds the scores of a classifier.
func compute(t *testing.T, m *engine.Model, x *ids) []float32 {
	t.Helper()
	var got []float32
	if m.Arch.Spec.Encoder {
		pool := arch.PoolNone
		all, err := m.Embed(t.Context(), [][]int32{x.A, x.B}, engine.EmbedOptions{Pooling: &pool})
		if err != nil {
			t.Fatal(err)
		}
		for i, rows := range [][]int{x.RowsA, x.RowsB} {
			for _, r := range rows {
				got = append(got, all[i][r*m.Arch.Dim:][:m.Arch.Dim]...)
			}
		}
		if x.ScoreA != nil {
			pool = arch.PoolRank
			all, err := m.Embed(t.Context(), [][]int32{x.A, x.B}, engine.EmbedOptions{Pooling: &pool})
			if err != nil {
				t.Fatal(err)
			}
			scores := []float32{float32(*x.ScoreA), float32(*x.ScoreB)}
			if nmse := testdata.NMSE(slices.Concat(all...), scores); !(nmse <= 1e-10) {
				t.Errorf("scores %v, want %v: NMSE %.1e", all, scores, nmse)
			}
		}
		return got
	}
	for _, s := range []struct {
		ids  []int32
		rows []int
	}{{x.A, x.RowsA}, {x.B, x.RowsB}} {
		session, err := m.NewSession(engine.SessionOptions{Context: max(x.Ctx, len(s.ids)), KV: quant.F32})
		if err != nil {
			t.Fatal(err)
		}
		err = session.EvalAll(t.Context(), s.ids, func(i int, logits []float32) error {
			if slices.Contains(s.rows, i) {
				got = append(got, logits...)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return got
}
