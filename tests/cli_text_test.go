package tests

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/normswap/normswap/internal/testdata"
)

// TestText: what is no text is refused by what it is, and what a vocabulary
// cannot write is said.
func TestText(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	model, letters := testdata.Path(t, stories), testdata.Path(t, "trained/nano-sort-85k-F32.gguf")
	wide := file("utf16.txt", "\xff\xfeO\x00n\x00c\x00e\x00")
	for _, args := range [][]string{{"-f"}, {"tokenize", model, "-f"}, {"perplexity", model, "-f"}, {"compare", model, "-f"}, {"geometry", model, "-f"}} {
		infer(t, append(args, wide)...).fails(t, 1, "utf16.txt: this is UTF-16 text, little-endian", "iconv -f UTF-16 -t UTF-8")
		infer(t, append(args, model)...).fails(t, 1, "this is a GGUF file, not UTF-8 text")
	}
	infer(t, "compare", letters).fails(t, 1, "cannot write", "give a text of this model with -f")
	numbers := file("ids.txt", strings.Repeat("0 1 2 1 ", 40))
	for how, args := range map[string][]string{"infer calibrate": {"compare"}, "--calibrate": {"sweep"}} {
		infer(t, append(args, letters, "-f", numbers, "--ids", "decimal", "--ctx", "8", "--norm", "fixed")...).fails(t, 1, "cannot write", how)
	}
	infer(t, "geometry", letters, "-o", filepath.Join(dir, "g")).fails(t, 1, "give a text of this model with -f")

	r := infer(t, "tokenize", letters, "zA\vB", "--ids")
	if r.code != 0 || r.stdout != "0 1\n" || strings.Count(r.stderr, "\n") != 1 ||
		!strings.Contains(r.stderr, `no token for 2 bytes of the text, the first of them "z" at offset 0; left out`) {
		t.Errorf("exit %d, %q, %q", r.code, r.stdout, r.stderr)
	}
	r = infer(t, "tokenize", model, "<s>Once", "--special", "--ids")
	if r.code != 0 || r.stdout != "1 1 403\n" || !strings.Contains(r.stderr, "once more") {
		t.Errorf("exit %d, %q, %q", r.code, r.stdout, r.stderr)
	}
	const decomposed = "cafe\u0301"
	bpe := filepath.Join(testdata.Root(), "tokenizer", "testdata", "bpe.gguf")
	if a, b := infer(t, "tokenize", bpe, decomposed), infer(t, "tokenize", bpe, decomposed, "--tokenizer", "llama.cpp"); a.code != 0 || b.code != 0 || a.stdout != b.stdout {
		t.Errorf("gpt-2's vocabulary normalizes: %q, %q", a.stdout, b.stdout)
	}
}
