package tests

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/normswap/normswap/internal/testdata"
)

// TestEmbed: vectors reach files and stdout in each form, and are those of the
// reference.
func TestEmbed(t *testing.T) {
	model := testdata.Path(t, "encoders/bert.gguf")
	ids := "3,8,13,18,23,28,33,38,43,48,53,58,63,68,73,78"
	for pooling, file := range map[string]string{"none": "tokens", "mean": "mean", "cls": "cls", "last": "last"} {
		out := filepath.Join(t.TempDir(), "v.f32")
		works(t, "embed", model, "--tokens", ids, "--pooling", pooling, "--normalize=false", "--out", out)
		b, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		want := testdata.Floats(t, testdata.Read(t, "encoders/bert."+file+".f32"))
		if e := testdata.NMSE(testdata.Floats(t, b), want); !(e <= 2e-6) {
			t.Errorf("pooling %s: NMSE %.2g", pooling, e)
		}
	}
	rank := filepath.Join(t.TempDir(), "rank.f32")
	works(t, "embed", testdata.Path(t, "encoders/bert-rank.gguf"), "--tokens", ids, "-o", rank)
	b, err := os.ReadFile(rank)
	if err != nil {
		t.Fatal(err)
	}
	if e := testdata.NMSE(testdata.Floats(t, b), testdata.Floats(t, testdata.Read(t, "encoders/bert-rank.rank.f32"))); !(e <= 2e-6) {
		t.Errorf("score: NMSE %.2g", e)
	}

	npy := filepath.Join(t.TempDir(), "v.npy")
	texts := filepath.Join(t.TempDir(), "texts")
	if err := os.WriteFile(texts, []byte("a king\r\n\nthe cat sat"), 0o600); err != nil {
		t.Fatal(err)
	}
	works(t, "embed", model, "-f", texts, "-o", npy)
	raw := filepath.Join(t.TempDir(), "raw")
	works(t, "embed", model, "a king", "", "the cat sat", "-o", raw)
	array, err := os.ReadFile(npy)
	if err != nil {
		t.Fatal(err)
	}
	numbers, err := os.ReadFile(raw)
	if err != nil {
		t.Fatal(err)
	}
	if len(array)%64 != 3*32*4%64 || !bytes.HasPrefix(array, []byte("\x93NUMPY")) || !bytes.Contains(array, []byte("(3, 32)")) || !bytes.HasSuffix(array, numbers) || len(numbers) != 3*32*4 {
		t.Errorf("%d bytes of .npy, %d raw", len(array), len(numbers))
	}
	var row struct {
		Text, Pooling string
		Tokens        int
		Embedding     []float32
	}
	line, _, _ := strings.Cut(works(t, "embed", model, "a king", "the cat sat", "--json"), "\n")
	if err := json.Unmarshal([]byte(line), &row); err != nil || row.Text != "a king" || row.Pooling != "cls" || len(row.Embedding) != 32 {
		t.Errorf("%v: %s", err, line)
	}
	if text := works(t, "embed", model, "a king", "the cat sat"); len(strings.Fields(text)) != 64 || strings.Count(text, "\n") != 2 {
		t.Errorf("%s", text)
	}
	if text := works(t, "embed", model, "a king", "the cat sat", "a king", "--similarity"); !strings.Contains(text, "nearest is 3, the same (1.000)") {
		t.Errorf("%s", text)
	}

	long := strings.Repeat("a ", 80)
	infer(t, "embed", model, "a", long).fails(t, 1, "text 2 has 8", "context of the model is 64", "--truncate")
	works(t, "embed", model, "a", long, "--truncate")
	infer(t, "embed", model, "a", "--tokens", "3").fails(t, 2, "both")
	infer(t, "embed", model, "a", "--similarity").fails(t, 2, "2 to 40")
	infer(t, "embed", model, "a", "--pooling", "rank").fails(t, 1, "classification head")
	infer(t, "embed", model, "--tokens", "999").fails(t, 1, "999")
	infer(t, "embed", model, "a", "--norm", "rms-folded").fails(t, 1, "post-LN")
	infer(t, model, "-p", "a").fails(t, 1, "encoder")
	works(t, "embed", testdata.Path(t, "encoders/modern-bert.gguf"), "--tokens", ids, "--norm", "rms-folded")
}

// TestRerank: the best document comes first.
func TestRerank(t *testing.T) {
	model := testdata.Path(t, "encoders/bert-rank.gguf")
	type row struct {
		Index int
		Score float32
		Text  string
	}
	var rows []row
	for line := range strings.Lines(works(t, "rerank", model, "a cat", "the king", "a mat", "upon", "--json")) {
		var r row
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, r)
	}
	if len(rows) != 3 || rows[0].Score < rows[1].Score || rows[1].Score < rows[2].Score {
		t.Errorf("%v", rows)
	}
	if text := works(t, "rerank", model, "a cat", "the king", "a mat", "upon"); strings.Count(text, "\n") != 3 || !strings.Contains(text, rows[0].Text) {
		t.Errorf("%s", text)
	}
	infer(t, "rerank", testdata.Path(t, "encoders/bert.gguf"), "a", "b").fails(t, 1, "no classification head")
	infer(t, "rerank", model).fails(t, 2, "QUERY")
}
