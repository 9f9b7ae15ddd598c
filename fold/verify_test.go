package fold_test

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/fold"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/internal/testdata"
	"github.com/normswap/normswap/internal/toy"
	"github.com/normswap/normswap/internal/toytest"
	"github.com/normswap/normswap/quant"
)

func verify(t *testing.T, f *gguf.File) (*fold.Plan, error) {
	t.Helper()
	m, err := arch.Load(f)
	if err != nil {
		t.Fatal(err)
	}
	return fold.Verify(t.Context(), f, m)
}

// TestVerify: every LayerNorm fixture is not folded as it comes, and is once
// it has been, in every float type.
func TestVerify(t *testing.T) {
	f16, bf16 := quant.F16, quant.BF16
	for _, name := range testdata.Fixtures(t, "archs") {
		b := testdata.Read(t, name)
		_, err := verify(t, toytest.Parse(t, b))
		if _, refused := prepare(t, b, fold.WriteOptions{}); refused != nil {
			if err == nil || err.Error() != refused.Error() {
				t.Errorf("%s: %v, want %v", name, err, refused)
			}
			continue
		}
		if not := new(fold.NotCentered); !errors.As(err, &not) || not.Mean == 0 {
			t.Errorf("%s is not folded: %v", name, err)
		}
		for _, o := range []fold.WriteOptions{{}, {Gain: true}, {Type: &f16}, {Type: &bf16}} {
			f, out := folded(t, b, o)
			plan, err := verify(t, f)
			if err != nil {
				t.Errorf("%s, %+v: %v", name, o, err)
				continue
			}
			if plan.String() == "" || len(plan.Steps) != len(out.Plan.Steps) {
				t.Errorf("%s: a plan of %d steps, want %d", name, len(plan.Steps), len(out.Plan.Steps))
			}
			var found float64
			for _, s := range plan.Steps {
				if s.Measured != nil {
					found = max(found, s.Measured.Largest)
				}
			}
			if !(found <= 1.01*out.Report.LargestMean) {
				t.Errorf("%s, %+v: found means up to %.2g, the writer left %.2g", name, o, found, out.Report.LargestMean)
			}
		}
	}
}

// TestVerifyEveryTensor puts each tensor that a fold centres back as it was,
// one at a time: that one is named.
func TestVerifyEveryTensor(t *testing.T) {
	for _, name := range []string{"gpt2", "gptneox", "stablelm-12b", "dbrx"} {
		b := testdata.Read(t, "archs/"+name+".gguf")
		source := toytest.Parse(t, b)
		f, out := folded(t, b, fold.WriteOptions{})
		for _, ch := range out.Report.Changed {
			was, _ := source.Tensor(ch.Name)
			now, _ := f.Tensor(ch.Name)
			if bytes.Equal(was.Data, now.Data) {
				continue
			}
			centered := now.Data
			now.Data = was.Data
			var not *fold.NotCentered
			if _, err := verify(t, f); !errors.As(err, &not) || not.Tensor != ch.Name {
				t.Errorf("%s with the original %s: %v", name, ch.Name, err)
			}
			now.Data = centered
		}
	}
}

// TestVerifyOneWeight: a single weight that is off by a few roundings of the
// mean size shows, and so does one that is no number.
func TestVerifyOneWeight(t *testing.T) {
	f, _ := folded(t, testdata.Read(t, "archs/gpt2.gguf"), fold.WriteOptions{})
	w, _ := f.Tensor("blk.1.ffn_down.weight")
	values, err := w.Float32s()
	if err != nil {
		t.Fatal(err)
	}
	for _, off := range []float32{1e-4, float32(math.NaN())} {
		changed := slices.Clone(values)
		changed[7] += off
		w.Data = slices.Clone(w.Data)
		if err := quant.Encode(w.Data, quant.F32, changed); err != nil {
			t.Fatal(err)
		}
		_, err := verify(t, f)
		if err == nil || !strings.Contains(err.Error(), "column 7 of blk.1.ffn_down.weight") || strings.Contains(err.Error(), "\n") {
			t.Errorf("off by %g: %v", off, err)
		}
	}
}

func TestProvenance(t *testing.T) {
	b := testdata.Read(t, "quantized/gpt2-256-Q4_K_M.gguf")
	if p, err := fold.ReadProvenance(&toytest.Parse(t, b).Meta); p != nil || err != nil {
		t.Errorf("a file as it comes: %+v, %v", p, err)
	}
	f, out := folded(t, b, fold.WriteOptions{Strategy: fold.Requant, Gain: false, SourceSHA256: "abc"})
	got, err := fold.ReadProvenance(&f.Meta)
	want := fold.Provenance{Version: fold.Version, Level: "mean", SourceNorm: "LayerNorm", SourceArch: "gpt2",
		SourceSHA256: "abc", LargestMean: float64(float32(out.Report.LargestMean)), Requantized: true}
	if err != nil || got == nil || *got != want {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	if not := new(fold.NotCentered); !errors.As(second(verify(t, f)), &not) {
		t.Errorf("requantised: %v", second(verify(t, f)))
	}
	if err := f.Meta.Set("normswap.requantised", "no"); err != nil {
		t.Fatal(err)
	}
	if _, err := fold.ReadProvenance(&f.Meta); err == nil || !strings.Contains(err.Error(), "normswap.requantised") {
		t.Errorf("a key of another kind: %v", err)
	}
}

func second[A, B any](_ A, b B) B { return b }

// TestVerifyLarge has tensors of several chunks.
func TestVerifyLarge(t *testing.T) {
	shape := toy.Tiny("gpt2", nil)
	shape.Dim, shape.FFN, shape.Vocab = 512, 2048, 1024
	whole := toytest.Bytes(t, shape, "F16", 1)
	if not := new(fold.NotCentered); !errors.As(second(verify(t, toytest.Parse(t, whole))), &not) {
		t.Error("not folded, and not noticed")
	}
	f, _ := folded(t, whole, fold.WriteOptions{})
	if _, err := verify(t, f); err != nil {
		t.Error(err)
	}
}
