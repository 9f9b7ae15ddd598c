package tests

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/normswap/normswap/eval"
	"github.com/normswap/normswap/gguf"
	"github.com/normswap/normswap/internal/testdata"
)

// foldedFile is what infer fold --json prints.
type foldedFile struct {
	File, Name   string
	Architecture string
	Requantized  bool
	Tensors      []struct{ Name, From, To string }
	LargestMean  float64 `json:"largest_mean_left"`
	Source       string  `json:"source_sha256"`
	KL           struct{ Mean, Max float64 }
}

// A folded file has the original's logits, natively and with the mean removal
// left out, and says where it comes from.
func TestFold(t *testing.T) {
	model, dir := testdata.Path(t, "archs/gpt2-tied.gguf"), t.TempDir()
	r := inferJSON[foldedFile](t, "fold", model, "-o", dir, "--json")
	if r.File != filepath.Join(dir, r.Name) || len(r.Tensors) == 0 || len(r.Source) != 64 || !(r.LargestMean < 1e-7) || !(r.KL.Max < 1e-8) || r.Requantized {
		t.Errorf("%+v", r)
	}
	f, err := gguf.Open(r.File)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if v, err := gguf.Get[string](&f.Meta, "normswap.source.sha256"); err != nil || v != r.Source {
		t.Errorf("source %q in the file, %q in the report, %v", v, r.Source, err)
	}
	want := logitsOf(t, "archs/gpt2-tied.gguf")
	for _, norm := range []string{"native", "rms-naive", "rms-folded"} {
		out := filepath.Join(t.TempDir(), "logits")
		works(t, "logits", r.File, "--tokens", referenceIDs(), "--out", out, "--norm", norm)
		b, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		if e := testdata.NMSE(testdata.Floats(t, b), want); !(e <= 1e-11) {
			t.Errorf("%s: NMSE %.2g", norm, e)
		}
	}
	infer(t, "fold", model, "-o", dir).fails(t, 1, r.Name, "--force")
	works(t, "fold", model, "-o", dir, "--force")
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("left %v", left)
	}
	plan := works(t, "fold", model, "--plan")
	if !strings.Contains(plan, "centre blk.1.ffn_down by output rows: 97 of 97 columns") || !strings.Contains(plan, r.Name) {
		t.Errorf("%s", plan)
	}
}

// split writes a model in so many parts, and returns the path of the first.
func split(t *testing.T, whole *gguf.File, dir string, parts int) string {
	t.Helper()
	path := func(no int) string { return filepath.Join(dir, fmt.Sprintf("m-%05d-of-%05d.gguf", no+1, parts)) }
	for no := range parts {
		f := &gguf.File{Version: 3, Alignment: whole.Alignment}
		if no == 0 {
			f.Meta = whole.Meta.Clone()
		}
		n := len(whole.Tensors)
		f.Tensors = whole.Tensors[no*n/parts : (no+1)*n/parts]
		var b bytes.Buffer
		err := errors.Join(f.Meta.Set("split.no", uint16(no)), f.Meta.Set("split.count", uint16(parts)), f.Meta.Set("split.tensors.count", int32(n)))
		if err == nil {
			err = gguf.Write(&b, f)
		}
		if err == nil {
			err = os.WriteFile(path(no), b.Bytes(), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return path(0)
}

// TestFoldSplit: a model in parts folds to the file that it does in one.
func TestFoldSplit(t *testing.T) {
	dir, target := t.TempDir(), t.TempDir()
	source := testdata.Read(t, "archs/gpt2-tied.gguf")
	model, err := gguf.Parse(source)
	if err != nil {
		t.Fatal(err)
	}
	first := split(t, model, dir, 3)
	whole := inferJSON[foldedFile](t, "fold", testdata.Path(t, "archs/gpt2-tied.gguf"), "-o", filepath.Join(target, "whole.gguf"), "--json")
	r := inferJSON[foldedFile](t, "fold", first, "-o", filepath.Join(target, "parts.gguf"), "--json")
	hash := sha256.New()
	for _, part := range left(t, dir) {
		b, err := os.ReadFile(part)
		if err != nil {
			t.Fatal(err)
		}
		hash.Write(b)
	}
	if r.Source != fmt.Sprintf("%x", hash.Sum(nil)) || r.Name != whole.Name || !(r.KL.Max < 1e-8) {
		t.Errorf("%+v, want the source's sha256 %x", r, hash.Sum(nil))
	}
	a, err := os.ReadFile(whole.File)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(r.File)
	if err != nil {
		t.Fatal(err)
	}
	if b = bytes.Replace(b, []byte(r.Source), []byte(whole.Source), 1); !bytes.Equal(a, b) {
		t.Error("folded from parts, the file is another")
	}
	second := left(t, dir)[1]
	infer(t, "fold", first, "-o", second, "--force").fails(t, 1, second, "the model itself")
	infer(t, "fold", second, "-o", target).fails(t, 1, "open the first, "+first)
	if err := os.Remove(second); err != nil {
		t.Fatal(err)
	}
	infer(t, "fold", first, "-o", filepath.Join(target, "none.gguf")).fails(t, 1, second)
	if n := len(left(t, target)); n != 2 {
		t.Errorf("%d files, want 2", n)
	}
}

func TestFoldErrors(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out.gguf")
	model := testdata.Path(t, "archs/gpt2.gguf")
	copied := filepath.Join(t.TempDir(), "model.gguf")
	b, err := os.ReadFile(model)
	if err == nil {
		err = os.WriteFile(copied, b, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	infer(t, "fold", model).fails(t, 2, "-o")
	infer(t, "fold", model, "-o", "-", "--json").fails(t, 2, "--json")
	infer(t, "fold", copied, "-o", copied, "--force").fails(t, 1, "the model itself")
	infer(t, "fold", testdata.Path(t, "archs/bloom.gguf"), "-o", out).fails(t, 1, "bloom", "token_embd_norm")
	infer(t, "fold", testdata.Path(t, "archs/llama.gguf"), "-o", out).fails(t, 1, "RMSNorm already")
	infer(t, "fold", model, "-o", out, "--export", "llama").fails(t, 1, "no RMSNorm architecture")
	infer(t, "fold", model, "-o", filepath.Join(out, "x", "y")).fails(t, 1, "there is no folder")
	if _, err := os.Stat(out); err == nil {
		t.Error("a refused fold left a file")
	}
	r := infer(t, "fold", testdata.Path(t, "quantized/gpt2-256-Q4_K_M.gguf"), "-o", out, "--strategy", "requant")
	if r.code != 0 || !strings.Contains(r.stderr, "not exact") {
		t.Errorf("requantised without a warning: %+v", r)
	}
}

// TestCompareShards: compare and perplexity, whole and merged of shards.
func TestCompareShards(t *testing.T) {
	for _, command := range [][]string{{"compare", "--chunks", "5"}, {"perplexity", "--chunks", "5", "--norm", "rms-naive"}} {
		text := works(t, command...)
		if !strings.Contains(text, "perplexity") || !strings.Contains(text, "rms-naive") {
			t.Errorf("%v: %s", command, text)
		}
		dir := t.TempDir()
		merge := []string{"merge", "--json"}
		for _, shard := range []string{"2/3", "0/3", "1/3"} {
			part := filepath.Join(dir, shard[:1])
			if err := os.WriteFile(part, []byte(works(t, append(slices.Clone(command), "--shard", shard)...)), 0o644); err != nil {
				t.Fatal(err)
			}
			merge = append(merge, part)
		}
		merged := inferJSON[eval.Report](t, merge...)
		var whole eval.Report
		if err := json.Unmarshal([]byte(works(t, append(slices.Clone(command), "--shard", "0/1")...)), &whole); err != nil {
			t.Fatal(err)
		}
		if len(merged.Norms) != len(whole.Norms) || merged.Chunks != 5 {
			t.Fatalf("%+v", merged)
		}
		for i, w := range whole.Norms {
			m := merged.Norms[i]
			near := func(a, b eval.Number) bool { return relative(float64(a), float64(b)) <= 1e-8 } // 1e-9 of its logarithm
			if m.Tokens != w.Tokens || m.TopAgreement != w.TopAgreement || !near(m.Perplexity, w.Perplexity) ||
				!near(m.PerplexitySE, w.PerplexitySE) || !near(m.KLMean, w.KLMean) {
				t.Errorf("%v, %s: merged %+v, whole %+v", command, w.Norm, m, w)
			}
		}
		infer(t, merge[:3]...).fails(t, 1, "missing")
		infer(t, "merge", merge[2], merge[2]).fails(t, 1, "twice")
	}
	infer(t, "compare", "--shard", "3/3").fails(t, 2, "--shard")
	infer(t, "compare", "--norm", "rms").fails(t, 2, "--norm")
	infer(t, "perplexity", "--ctx", "100000").fails(t, 1, "256")
}

func relative(a, b float64) float64 {
	if a == b {
		return 0
	}
	return max(a-b, b-a) / max(a, b, -a, -b)
}
