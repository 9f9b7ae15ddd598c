package tests

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/internal/testdata"
)

// plant writes a copy of a file of F32 with some tensors changed, row by row.
func plant(t *testing.T, from, to string, changes map[string]func(row []float32)) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	f, err := gguf.Parse(b) // whose tensors are views of b
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range changes {
		w, ok := f.Tensor(name)
		if !ok || w.Type.String() != "F32" {
			t.Fatalf("%s has no %s of F32", from, name)
		}
		row := make([]float32, w.Dims[0])
		for at := 0; at < len(w.Data); at += 4 * len(row) {
			for i := range row {
				row[i] = math.Float32frombits(binary.LittleEndian.Uint32(w.Data[at+4*i:]))
			}
			change(row)
			for i, v := range row {
				binary.LittleEndian.PutUint32(w.Data[at+4*i:], math.Float32bits(v))
			}
		}
	}
	if err := os.WriteFile(to, b, 0o666); err != nil {
		t.Fatal(err)
	}
}

// TestRuinousSwap plants in the matrices behind four norms, whose gain is 1 and whose bias
// is 0 since their readers are folded, what LayerNorm never sends anything along: a
// multiple of 1' in each row. To LayerNorm that is nothing. The naive swap becomes
// ruinous at means far below chance; geometry and compare say so alike, the weights alone
// too, and the reader fold mends it.
func TestRuinousSwap(t *testing.T) {
	dir := t.TempDir()
	plain, planted := filepath.Join(dir, "plain.gguf"), filepath.Join(dir, "planted.gguf")
	works(t, "fold", "--readers", "--type", "F32", "-o", plain)
	changes := map[string]func([]float32){}
	for layer := range 4 {
		changes[fmt.Sprintf("blk.%d.attn_v.weight", layer)] = func(row []float32) {
			for i := range row {
				row[i] += 4
			}
		}
	}
	plant(t, plain, planted, changes)

	type mode struct {
		Mode       string  `json:"mode"`
		Norm       string  `json:"norm"`
		KLMean     float64 `json:"kl_mean"`
		Perplexity float64 `json:"perplexity"`
	}
	var report struct {
		Verdict string `json:"verdict"`
		Swap    []mode `json:"swap"`
		Norms   []mode `json:"norms"`
	}
	read := func(args ...string) {
		t.Helper()
		report.Swap, report.Norms, report.Verdict = nil, nil, ""
		if err := json.Unmarshal([]byte(works(t, args...)), &report); err != nil {
			t.Fatal(err)
		}
	}
	find := func(list []mode, name string) mode {
		i := slices.IndexFunc(list, func(m mode) bool { return m.Mode == name || m.Norm == name })
		if i < 0 {
			t.Fatalf("no figures of %s: %+v", name, list)
		}
		return list[i]
	}
	size := []string{"--ctx", "128", "--json"}

	read(append(size, "geometry", planted, "--tokens", "1024", "--swap-tokens", "1024")...)
	geometry, verdict := find(report.Swap, "rms-naive"), report.Verdict
	read(append(size, "compare", planted, "--chunks", "8", "--norm", "rms-naive,rms-readers")...)
	compared := find(report.Norms, "rms-naive")
	if !(compared.Perplexity > 1.3*find(report.Norms, "native").Perplexity) || !(compared.KLMean > 0.3) {
		t.Errorf("the swap is not ruinous: %+v", compared)
	}
	if !strings.Contains(verdict, "not safe") || strings.Contains(verdict, "redundant") {
		t.Errorf("verdict of geometry: %s", verdict)
	}
	if d := math.Abs(geometry.KLMean - compared.KLMean); !(d <= 1e-6*compared.KLMean) || math.Abs(geometry.Perplexity-compared.Perplexity) > 1e-6*compared.Perplexity {
		t.Errorf("geometry has %+v, compare %+v", geometry, compared)
	}
	if r := find(report.Norms, "rms-readers"); !(r.KLMean < 1e-4) {
		t.Errorf("after the reader fold: %+v", r)
	}
	read(append(size, "geometry", planted, "--tokens", "1024", "--swap-tokens", "0")...)
	if !strings.Contains(report.Verdict, "by the weights a naive swap to RMSNorm is not safe") {
		t.Errorf("verdict without predictions: %s", report.Verdict)
	}

	read(append(size, "compare", plain, planted, "--chunks", "4")...)
	if same := find(report.Norms, "planted"); !(same.KLMean < 1e-8) {
		t.Errorf("LayerNorm sees the plant: %+v", same)
	}
	for _, tokens := range []string{"0", "1024"} {
		read(append(size, "geometry", plain, "--tokens", "1024", "--swap-tokens", tokens)...)
		if strings.Contains(report.Verdict, "not safe") || !strings.Contains(report.Verdict, "redundant") {
			t.Errorf("verdict of the model without the plant, %s tokens: %s", tokens, report.Verdict)
		}
	}
}

// TestMassiveDimension: a dimension that one bias makes massive is found, with the norm
// that reads it first.
func TestMassiveDimension(t *testing.T) {
	dir := t.TempDir()
	plain, planted := testdata.Path(t, "archs/gpt2.gguf"), filepath.Join(dir, "planted.gguf")
	plant(t, plain, planted, map[string]func([]float32){"blk.1.attn_output.bias": func(row []float32) { row[7] += 1000 }})
	for path, want := range map[string]string{
		planted: "Dimension 7 is massive from blk.1.ffn_norm on, at 2 of 5 norms",
		plain:   "No dimension of the residual stream",
	} {
		if out := works(t, "dimensions", path, "--ctx", "32"); !strings.Contains(out, want) {
			t.Errorf("%s: no %q in\n%s", path, want, out)
		}
	}
}
