package fold_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"math"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/normswap/normswap/arch"
	"github.com/normswap/normswap/engine"
	"github.com/normswap/normswap/fold"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/internal/testdata"
	"github.com/normswap/normswap/internal/toy"
	"github.com/normswap/normswap/internal/toytest"
	"github.com/normswap/normswap/quant"
)

// logits are those of every token of a probe, activations in float.
func logits(t *testing.T, f *gguf.File, mode engine.NormMode) []float32 {
	t.Helper()
	m, err := engine.Load(t.Context(), f, engine.Options{FloatActivations: true, Norm: mode})
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.NewSession(engine.SessionOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var all []float32
	err = s.EvalAll(context.Background(), testdata.Tokens(), func(_ int, l []float32) error {
		all = append(all, l...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// folded prepares, writes and parses.
func folded(t *testing.T, b []byte, o fold.WriteOptions) (*gguf.File, *fold.Output) {
	t.Helper()
	var done, total int64
	o.Progress = func(d, n int64) { done, total = d, n }
	out, err := prepare(t, b, o)
	if err != nil {
		t.Fatal(err)
	}
	if done != total || total == 0 && !o.Readers { // which reads weights as it writes
		t.Errorf("preparing, progress ends at %d of %d", done, total)
	}
	var buf bytes.Buffer
	if err := out.Write(t.Context(), &buf); err != nil {
		t.Fatal(err)
	}
	if done != total || total == 0 {
		t.Errorf("progress ends at %d of %d", done, total)
	}
	return toytest.Parse(t, buf.Bytes()), out
}

func prepare(t *testing.T, b []byte, o fold.WriteOptions) (*fold.Output, error) {
	t.Helper()
	f := toytest.Parse(t, b)
	m, err := arch.Load(f)
	if err != nil {
		t.Fatal(err)
	}
	return fold.Prepare(t.Context(), f, m, o)
}

// TestFiles folds every LayerNorm fixture into a file. Read as the LayerNorm
// model it still is, it gives the original logits; read with the mean
// removal simply left out it does too, for there is no mean any more.
func TestFiles(t *testing.T) {
	refused := map[string]string{
		"bloom": "token_embd_norm", "bloom-tied": "token_embd_norm",
		"command-r": "its head is the embedding", "cohere2": "its head is the embedding",
	}
	for _, file := range testdata.Fixtures(t, "archs") {
		b, name := testdata.Read(t, file), strings.TrimSuffix(path.Base(file), ".gguf")
		source := toytest.Parse(t, b)
		m, err := arch.Load(source)
		if err != nil {
			t.Fatal(err)
		}
		if m.Spec.Norm == arch.RMSNorm {
			if _, err := prepare(t, b, fold.WriteOptions{}); !errors.Is(err, fold.ErrNothing) {
				t.Errorf("%s: %v, want ErrNothing", name, err)
			}
			continue
		}
		if want := refused[name]; want != "" {
			var r *fold.Refusal
			if _, err := prepare(t, b, fold.WriteOptions{}); !errors.As(err, &r) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want a refusal about %s", name, err, want)
			}
			continue
		}
		want := logits(t, source, engine.Native)
		for _, gain := range []bool{false, true} {
			f, out := folded(t, b, fold.WriteOptions{Gain: gain})
			for _, mode := range []engine.NormMode{engine.Native, engine.RMSNaive, engine.RMSFolded} {
				if mode == engine.RMSNaive && m.Clamp > 0 && m.Blocks[0].QNorm != nil {
					continue // the norm after the clamp keeps its mean removal
				}
				if e := testdata.NMSE(logits(t, f, mode), want); !(e <= 1e-11) {
					t.Errorf("%s, gain %v, read as %s: NMSE %.2g, want <= 1e-11", name, gain, mode, e)
				}
			}
			if !(out.Report.LargestMean < 1e-7) || out.Report.Requantized {
				t.Errorf("%s: largest mean left %.2g, requantised %v", name, out.Report.LargestMean, out.Report.Requantized)
			}
			if len(out.Report.Changed) == 0 {
				t.Errorf("%s: nothing changed", name)
			}
			if v, _ := gguf.Get[string](&f.Meta, "general.finetune"); v != "rms-folded" {
				t.Errorf("%s: general.finetune is %q", name, v)
			}
		}
	}
}

// TestReaders folds the readers of every LayerNorm fixture. Read as LayerNorm the file
// gives the logits it gave, and with RMSNorm in place of that those of rms-readers.
func TestReaders(t *testing.T) {
	none := 0
	for _, file := range testdata.Fixtures(t, "archs") {
		b, name := testdata.Read(t, file), strings.TrimSuffix(path.Base(file), ".gguf")
		source := toytest.Parse(t, b)
		m, err := arch.Load(source)
		if err != nil {
			t.Fatal(err)
		}
		if m.Spec.Norm == arch.RMSNorm {
			if _, err := prepare(t, b, fold.WriteOptions{Readers: true}); !errors.Is(err, fold.ErrNothing) {
				t.Errorf("%s: %v, want ErrNothing", name, err)
			}
			continue
		}
		out, err := prepare(t, b, fold.WriteOptions{Readers: true})
		var refusal *fold.Refusal
		if errors.As(err, &refusal) {
			none++
			t.Logf("%s: %v", name, err)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		var buf bytes.Buffer
		if err := out.Write(t.Context(), &buf); err != nil {
			t.Fatal(err)
		}
		f := toytest.Parse(t, buf.Bytes())
		if e := testdata.NMSE(logits(t, f, engine.Native), logits(t, source, engine.Native)); !(e <= 1e-11) {
			t.Errorf("%s: NMSE %.2g, want <= 1e-11", name, e)
		}
		if !(out.Report.LargestMean < 1e-7) {
			t.Errorf("%s: largest mean left %.2g", name, out.Report.LargestMean)
		}
		// Norms that are kept differ: the mode of the engine needs no place for a bias.
		if len(out.Plan.Kept) == 0 && m.FinalNorm.Gain != nil {
			if e := testdata.NMSE(logits(t, f, engine.RMSNaive), logits(t, source, engine.RMSReaders)); !(e <= 1e-11) {
				t.Errorf("%s without the mean: NMSE %.2g from rms-readers, want <= 1e-11", name, e)
			}
		}
		if v, _ := gguf.Get[string](&f.Meta, "general.finetune"); v != "rms-readers" {
			t.Errorf("%s: general.finetune is %q", name, v)
		}
	}
	if none > 6 {
		t.Errorf("%d of the fixtures are refused", none)
	}
	if _, err := prepare(t, testdata.Read(t, "archs/gpt2.gguf"), fold.WriteOptions{Readers: true, Gain: true}); err == nil {
		t.Error("the gains are folded twice")
	}
}

// TestReadersTypes: a fold of readers keeps the predictions of BF16 files and of quantized
// ones, and reports what encoding them once more costs.
func TestReadersTypes(t *testing.T) {
	b := testdata.Read(t, "quantized/gpt2-256-Q4_K_M.gguf")
	source := toytest.Parse(t, b)
	want := logits(t, source, engine.Native)
	q8 := quant.Q8_0
	bf16 := quant.BF16
	for _, c := range []struct {
		o    fold.WriteOptions
		most float64
	}{
		{fold.WriteOptions{}, 1e-6}, {fold.WriteOptions{Type: &bf16}, 1e-4}, {fold.WriteOptions{Type: &q8}, 1e-3}, {fold.WriteOptions{Strategy: fold.Requant}, 1e-1},
	} {
		c.o.Readers = true
		f, out := folded(t, b, c.o)
		e := testdata.NMSE(logits(t, f, engine.Native), want)
		if worst := slices.MaxFunc(out.Report.Changed, func(a, b fold.Changed) int { return cmp.Compare(a.Relative(), b.Relative()) }); !(e <= c.most) || out.Report.Requantized != (c.most > 1e-4) || worst.Relative() == 0 {
			t.Errorf("%+v: NMSE %.2g, want <= %.2g; requantized %v, %+v", c.o, e, c.most, out.Report.Requantized, worst)
		}
	}
}

// TestExports re-expresses models as the RMSNorm architectures that stock
// llama.cpp runs. There the norms remove no mean in any mode.
func TestExports(t *testing.T) {
	for _, c := range []struct{ name, to string }{
		{"olmo", "llama"}, {"stablelm-3b", "phimoe"}, {"stablelm-2", "phimoe"}, {"orion", "phimoe"}, {"command-r", "plamo"},
	} {
		b := testdata.Read(t, "archs/"+c.name+".gguf")
		f, out := folded(t, b, fold.WriteOptions{Export: "auto"})
		if a, _ := gguf.Get[string](&f.Meta, "general.architecture"); a != c.to || out.Report.Arch != c.to {
			t.Errorf("%s became %s, want %s", c.name, a, c.to)
		}
		want := logits(t, toytest.Parse(t, b), engine.Native)
		if e := testdata.NMSE(logits(t, f, engine.Native), want); !(e <= 1e-11) {
			t.Errorf("%s as %s: NMSE %.2g, want <= 1e-11", c.name, c.to, e)
		}
		f, _ = folded(t, b, fold.WriteOptions{Export: c.to, Gain: true})
		if e := testdata.NMSE(logits(t, f, engine.Native), want); !(e <= 1e-11) {
			t.Errorf("%s as %s with the gains folded: NMSE %.2g, want <= 1e-11", c.name, c.to, e)
		}
	}
	for name, want := range map[string]string{
		"olmo-clamp": "clamps", "stablelm-12b": "parallel", "gpt2": "no RMSNorm architecture",
	} {
		var r *fold.Refusal
		to := map[string]string{"olmo-clamp": "llama", "stablelm-12b": "phimoe", "gpt2": "llama"}[name]
		if _, err := prepare(t, testdata.Read(t, "archs/"+name+".gguf"), fold.WriteOptions{Export: to}); !errors.As(err, &r) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s as %s: %v, want a refusal with %q", name, to, err, want)
		}
	}
}

// TestPhiMoERepair: PhiMoE was trained with LayerNorm and runs RMSNorm.
// Centring its writers makes the two one.
func TestPhiMoERepair(t *testing.T) {
	b := testdata.Read(t, "archs/phimoe.gguf")
	trained := logits(t, toytest.Parse(t, b), engine.Centered)
	if e := testdata.NMSE(logits(t, toytest.Parse(t, b), engine.Native), trained); !(e > 1e-4) {
		t.Errorf("the fixture's means do not show: NMSE %.2g", e)
	}
	f, _ := folded(t, b, fold.WriteOptions{Export: "phimoe"})
	if e := testdata.NMSE(logits(t, f, engine.Native), trained); !(e <= 1e-11) {
		t.Errorf("repaired: NMSE %.2g from the model as trained, want <= 1e-11", e)
	}
}

// TestStrategies: floats are near exact, the stored type adds about its own
// error again, and says so.
func TestStrategies(t *testing.T) {
	b := testdata.Read(t, "quantized/gpt2-256-Q4_K_M.gguf")
	want := logits(t, toytest.Parse(t, b), engine.Native)
	f16, f32 := quant.F16, quant.F32
	for _, c := range []struct {
		o       fold.WriteOptions
		bound   float64
		requant bool
	}{
		{fold.WriteOptions{Strategy: fold.Dequant, Type: &f32}, 1e-10, false},
		{fold.WriteOptions{Strategy: fold.Dequant}, 1e-5, false},
		{fold.WriteOptions{Strategy: fold.Dequant, Type: &f16}, 1e-5, false},
		{fold.WriteOptions{Strategy: fold.Requant}, 0.1, true},
	} {
		f, out := folded(t, b, c.o)
		if e := testdata.NMSE(logits(t, f, engine.Native), want); !(e <= c.bound) {
			t.Errorf("%+v: NMSE %.2g, want <= %.0e", c.o, e, c.bound)
		}
		if out.Report.Requantized != c.requant {
			t.Errorf("%+v: requantised is %v", c.o, out.Report.Requantized)
		}
		for _, ch := range out.Report.Changed {
			if bad := ch.RMSE > 0.2*ch.RMS || math.IsNaN(ch.RMSE); bad {
				t.Errorf("%+v: %s has an error of %.2g on %.2g", c.o, ch.Name, ch.RMSE, ch.RMS)
			}
		}
	}
}

// TestDeterministic: the same file comes out twice.
func TestDeterministic(t *testing.T) {
	b := testdata.Read(t, "quantized/gpt2-256-Q4_K_M.gguf")
	var files [2]bytes.Buffer
	for i := range files {
		out, err := prepare(t, b, fold.WriteOptions{Strategy: fold.Requant})
		if err != nil {
			t.Fatal(err)
		}
		if err := out.Write(t.Context(), &files[i]); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(files[0].Bytes(), files[1].Bytes()) {
		t.Error("two folds of one file differ")
	}
}

// TestPlanText: the plan can be read.
func TestPlanText(t *testing.T) {
	out, err := prepare(t, testdata.Read(t, "archs/gpt2-tied.gguf"), fold.WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	text := out.Plan.String()
	for _, want := range []string{"centre token_embd by rows: 128 of 128 rows, largest mean 1.11", "centre blk.0.attn_output by output rows: 33 of 33 columns",
		"blk.1.ffn_norm: LayerNorm becomes RMSNorm", "the head keeps the embedding as stored"} {
		if !strings.Contains(text, want) {
			t.Errorf("the plan does not say %q:\n%s", want, text)
		}
	}
	if name := out.FileName(); name != "gpt2-test-model-seed-1002-rms-folded-v1.0-F32.gguf" {
		t.Errorf("file name %s", name)
	}
}

// TestEveryArchitecture: each one folds, says that there is nothing to fold,
// or refuses; with every optional tensor and with none.
func TestEveryArchitecture(t *testing.T) {
	for _, s := range arch.All() {
		if s.Encoder { // they have no logits; see package engine
			continue
		}
		for _, all := range []bool{false, true} {
			f := toytest.Parse(t, toytest.Bytes(t, toy.Tiny(s.Name, func(string) bool { return all }), "F32", 3))
			want := logits(t, f, engine.Native)
			got := logits(t, f, engine.RMSFolded)
			if e := testdata.NMSE(got, want); !(e <= 1e-11) {
				t.Errorf("%s, all %v: folded NMSE %.2g", s.Name, all, e)
			}
			if s.Norm == arch.RMSNorm && !slices.Equal(got, want) {
				t.Errorf("%s: folding an RMSNorm model changes it", s.Name)
			}
		}
	}
}

// TestRareForms: what no fixture has. A tied head after a norm without
// parameters stays tied to the centred table; a norm on queries and keys
// behind a clamp stays a LayerNorm; gains of heads are not quantised.
func TestRareForms(t *testing.T) {
	olmo := toytest.Bytes(t, toy.Tiny("olmo", nil), "F32", 5)
	f, _ := folded(t, olmo, fold.WriteOptions{})
	if _, ok := f.Tensor("output.weight"); ok {
		t.Error("olmo: the head is no longer tied")
	}
	if e := testdata.NMSE(logits(t, f, engine.RMSNaive), logits(t, toytest.Parse(t, olmo), engine.Native)); !(e <= 1e-11) {
		t.Errorf("olmo, tied: NMSE %.2g", e)
	}
	shape := toy.Tiny("mpt", func(string) bool { return true })
	shape.Keys = []gguf.KV{{Key: "mpt.attention.clamp_kqv", Value: float32(0.05)}}
	mpt := toytest.Bytes(t, shape, "F32", 5)
	f, out := folded(t, mpt, fold.WriteOptions{})
	if len(out.Plan.Kept) != 4 || !strings.Contains(out.Plan.Kept[0].Reason, "clamp") {
		t.Errorf("mpt: kept %v", out.Plan.Kept)
	}
	if e := testdata.NMSE(logits(t, f, engine.RMSFolded), logits(t, toytest.Parse(t, mpt), engine.Native)); !(e <= 1e-11) {
		t.Errorf("mpt, clamped: NMSE %.2g", e)
	}
	q8 := quant.Q8_0
	f, _ = folded(t, testdata.Read(t, "archs/stablelm-12b.gguf"), fold.WriteOptions{Type: &q8})
	for i := range f.Tensors {
		if x := &f.Tensors[i]; strings.Contains(x.Name, "norm") != (x.Type == quant.F32) {
			t.Errorf("--type Q8_0: %s is %s", x.Name, x.Type)
		}
	}
	if n, err := gguf.Get[uint32](&f.Meta, "general.file_type"); err != nil || n != 7 {
		t.Errorf("file type %d, %v, want 7 (Q8_0)", n, err)
	}
}
