package tests

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/normswap/normswap/eval"
	"github.com/normswap/normswap/geometry"
	"github.com/normswap/normswap/internal/testdata"
)

// encoderTexts writes texts of the fixtures' vocabulary, one a line.
func encoderTexts(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "texts.txt")
	lines := []string{"the cat sat", "", "a king", "upon a mat", "once the king sat", "a cat", "time", "the king and the cat"}
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestCompareEncoder: encoders are compared by embeddings, a line a text, in every mode
// that they have.
func TestCompareEncoder(t *testing.T) {
	model, texts := testdata.Path(t, "encoders/bert.gguf"), encoderTexts(t)
	r := inferJSON[eval.EmbeddingReport](t, "compare", model, "-f", texts, "--json")
	if r.Kind != eval.Embeddings || r.Texts != 7 || len(r.Norms) != 3 || r.Norms[1].Norm != "rms-naive" || r.Norms[2].Norm != "calibrated" || r.ModelSum == "" || r.IDs == "" {
		t.Errorf("%+v", r)
	}
	if f := r.Norms[0]; f.Cosine < 1-1e-6 || f.Rank != 1 || f.SameNeighbor != 1 || f.SameNeighbors != 1 {
		t.Errorf("native beside itself: %+v", f)
	}
	if f := r.Norms[1]; !(f.Cosine > 0 && f.Cosine < 1-1e-9 && f.CosineWorst <= f.CosineP1 && f.CosineP1 <= f.CosineMedian) {
		t.Errorf("%+v", f)
	}
	if text := works(t, "compare", model, "-f", texts, "--norm", "rms-naive,blk.0.layer_output_norm=rms-naive"); !strings.Contains(text, "blk.0.layer_output_norm=rms-naive: embeddings keep") {
		t.Errorf("%s", text)
	}
	infer(t, "compare", model, "-f", texts, "--norm", "rms-folded").fails(t, 1, "post-LN")
	infer(t, "compare", model, "-f", texts, "--ctx", "32").fails(t, 2, "--ctx 32", "a line")
	infer(t, "compare", model, "-f", texts, "--shard", "0/2").fails(t, 2, "--shard 0/2", "parts")
	infer(t, "compare", model, testdata.Path(t, stories), "-f", texts).fails(t, 1, "no encoder")
	folds := testdata.Path(t, "encoders/modern-bert.gguf")
	if r := inferJSON[eval.EmbeddingReport](t, "compare", folds, "-f", texts, "--json"); len(r.Norms) != 3 || r.Norms[1].Norm != "rms-folded" || r.Norms[1].CosineWorst < 1-1e-6 {
		t.Errorf("a fold that is exact: %+v", r.Norms)
	}
}

// TestGeometryEncoder: the paper's tables of a post-norm model are over the norms behind
// the branches; parts of a run merge; states has a row for each token of each line.
func TestGeometryEncoder(t *testing.T) {
	model, texts := testdata.Path(t, "encoders/bert.gguf"), encoderTexts(t)
	var r geometry.Result
	if err := json.Unmarshal([]byte(works(t, "geometry", model, "-f", texts, "--json", "--skip-first")), &r); err != nil { // and a note that no fold is possible
		t.Fatal(err)
	}
	if r.Tables.Angle.Hidden == nil || r.Tables.Angle.PostLN2 == nil || r.Tables.Rotation.LN1 == nil || r.Tables.Angle.Hidden.Layers != r.Model.Layers {
		t.Errorf("%+v", r.Tables)
	}
	if m := r.EmbeddingSwap; len(m) != 2 || m[1].Mode != "rms-naive" || m[1].Texts != 7 || r.Swap != nil || !strings.Contains(r.Verdict, "Measured on the embeddings") {
		t.Errorf("%+v\n%s", m, r.Verdict)
	}
	if first := r.Sites[0].Count - r.WithoutFirst.Sites[0].Count; first != 7 {
		t.Errorf("%d first positions in 7 texts", first)
	}
	dir := t.TempDir()
	var parts []string
	for _, part := range []string{"0/2", "1/2"} {
		path := filepath.Join(dir, strings.ReplaceAll(part, "/", "-")+".json")
		if err := os.WriteFile(path, []byte(works(t, "geometry", model, "-f", texts, "--shard", part)), 0o600); err != nil {
			t.Fatal(err)
		}
		parts = append(parts, path)
	}
	merged := inferJSON[geometry.Result](t, append([]string{"merge", "--json"}, parts...)...)
	if merged.Tokens != r.Tokens || math.Abs(merged.Tables.Angle.Hidden.Mean-r.Tables.Angle.Hidden.Mean) > 1e-9 || merged.EmbeddingSwap != nil {
		t.Errorf("merged: %d tokens, %+v; whole: %d, %+v", merged.Tokens, merged.Tables.Angle.Hidden, r.Tokens, r.Tables.Angle.Hidden)
	}
	files := inferJSON[struct{ Files []struct{ Shape [2]int } }](t, "states", model, "-f", texts, "--sites", "ln1", "-o", filepath.Join(dir, "s.npy"), "--json").Files
	if len(files) != r.Model.Layers || uint64(files[0].Shape[0]) != r.Tokens || files[0].Shape[1] != r.Model.Dim {
		t.Errorf("%+v", files)
	}
	works(t, "geometry", model, "-o", filepath.Join(dir, "report"))
	infer(t, "geometry", model, "-f", texts, "--ctx", "8").fails(t, 2, "--ctx 8", "a line")
	infer(t, "geometry", model, "-f", texts, "--tokens", "2").fails(t, 1, "the first line has", "--tokens 2")
}
